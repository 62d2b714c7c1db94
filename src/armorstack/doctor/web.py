"""The running worker, asked over HTTP: does it answer, and with which version.

Invariant: only the address that the worker itself reported is asked, without a proxy and with a
time-out. What its answer means in detail must not go here.
"""

import http.client
import re
from collections.abc import Iterator

from armorstack import __version__
from armorstack.core.text import printable
from armorstack.doctor.finding import Finding, failure, note, ok
from armorstack.doctor.processes import Scene

TIMEOUT_S = 3.0
LONGEST_BYTES = 4 * 1024 * 1024
_BUILD = re.compile(r'^armorstack_build_info\{[^}]*version="([^"]{1,40})"', re.MULTILINE)


def check_web(scene: Scene) -> Iterator[Finding]:
    """Whether the worker that reports answers, too."""
    if scene.worker is None or not scene.worker_lives or not scene.worker.http:
        return
    address = scene.worker.http
    try:
        status, text = _get(address, "/metrics")
    except (OSError, http.client.HTTPException, ValueError) as error:
        told = f"the worker does not answer on http://{address}: {error}"
        mend = f"kill {scene.worker.pid}   # `armorstack run` starts it again"
        yield failure("process.http", told, mend)
        return
    if status != 200:
        yield failure("process.http", f"http://{address}/metrics answers {status}")
        return
    yield ok("process.http", f"the worker answers on http://{address}")
    yield from _check_version(text)


def _check_version(text: str) -> Iterator[Finding]:
    found = _BUILD.search(text)
    running = printable(found[1]) if found else ""
    if running == __version__:
        yield ok("process.version", f"it is armorstack {running}, as this one")
    elif running:
        told = f"the running one is armorstack {running}, this one is {__version__}"
        yield note("process.version", told, "start it again to run the installed version")


def _get(address: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(LONGEST_BYTES).decode(errors="replace")
    finally:
        connection.close()
