"""The running worker, asked over HTTP: does it answer, and with which version.

Invariant: only the address that the worker itself reported is asked, without a proxy and with a
time-out. What its answer means in detail must not go here.
"""

import http.client
import re
import ssl
from collections.abc import Iterator

from armorstack import __version__
from armorstack.config import Web, WebTls
from armorstack.core.text import printable
from armorstack.doctor.finding import Finding, failure, note, ok
from armorstack.doctor.processes import Scene

TIMEOUT_S = 3.0
LONGEST_BYTES = 4 * 1024 * 1024
_BUILD = re.compile(r'^armorstack_build_info\{[^}]*version="([^"]{1,40})"', re.MULTILINE)


def check_web(scene: Scene, web: Web | None = None) -> Iterator[Finding]:
    """Whether the worker that reports answers, too. `web` says how."""
    if scene.worker is None or not scene.worker_lives or not scene.worker.http:
        return
    address, tls = scene.worker.http, web.tls if web else WebTls()
    scheme = "https" if tls.cert_file else "http"
    try:
        status, text = _get(address, "/metrics", tls)
    except (OSError, http.client.HTTPException, ValueError) as error:
        told = f"the worker does not answer on {scheme}://{address}: {error}"
        mend = f"kill {scene.worker.pid}   # `armorstack run` starts it again"
        yield failure("process.http", told, mend)
        return
    if status != 200:
        yield failure("process.http", f"{scheme}://{address}/metrics answers {status}")
        return
    yield ok("process.http", f"the worker answers on {scheme}://{address}")
    yield from _check_version(text)


def _check_version(text: str) -> Iterator[Finding]:
    found = _BUILD.search(text)
    running = printable(found[1]) if found else ""
    if running == __version__:
        yield ok("process.version", f"it is armorstack {running}, as this one")
    elif running:
        told = f"the running one is armorstack {running}, this one is {__version__}"
        yield note("process.version", told, "start it again to run the installed version")


def _get(address: str, path: str, tls: WebTls) -> tuple[int, str]:
    connection = _connection(address, tls)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(LONGEST_BYTES).decode(errors="replace")
    finally:
        connection.close()


def _connection(address: str, tls: WebTls) -> http.client.HTTPConnection:
    """Under TLS the very certificate of the settings is trusted, whatever name it has: what is
    asked is an address of this machine."""
    if not tls.cert_file:
        return http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    context = ssl.create_default_context(cafile=tls.cert_file)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return http.client.HTTPSConnection(address, timeout=TIMEOUT_S, context=context)
