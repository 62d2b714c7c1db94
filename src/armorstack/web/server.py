"""The listening socket, and the server on it in a thread of its own.

The supervisor binds the socket before anything is started, so that a port in use is told at once,
and hands it to the worker; the port stays ours while a worker is restarted. This module loads
Starlette and uvicorn only when it serves.
"""

import contextlib
import resource
import socket
import ssl
import threading
from typing import Any

from armorstack.config import WebTls, parse_address
from armorstack.errors import ConfigError

PATH = "$.web.listen"
STOP_S = 2.0
OPEN_FILES = 8192
"""What a process may have open, where the system lets it: a thousand streams want a thousand."""
CONNECTIONS = 2048
"""More than these get 503. Each costs some 40 KiB; a stream has one for hours, and pages must go on
beside a thousand of them. What a bearer may have at once is bounded in `access/streams.py`."""


def bind(listen: str) -> socket.socket:
    """A listening socket; raises `ConfigError` where the address cannot be had."""
    host, port = parse_address(PATH, listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        hint = "give another with --listen; --listen 127.0.0.1:0 takes a free port"
        why = error.strerror or str(error)
        raise ConfigError(f"{PATH}: {listen}: {why}", hint=hint) from error


def address(listener: socket.socket) -> str:
    """`HOST:PORT` where the socket listens."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def tls_context(tls: WebTls) -> ssl.SSLContext | None:
    """What TLS is spoken with; None: none is. Raises `ConfigError` where the files do not fit."""
    if not tls.cert_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, password=_no_password)
    except (OSError, ssl.SSLError) as error:
        hint = "cert_file: PEM, the chain with our certificate first; key_file: its key, unlocked"
        why = error.strerror or str(error)
        raise ConfigError(f"$.web.tls: {why}", hint=hint) from error
    return context


class Server:
    """uvicorn in a thread."""

    def __init__(
        self, app: Any, listener: socket.socket, tls: ssl.SSLContext | None = None
    ) -> None:
        import uvicorn

        from armorstack.web.connection import LOOP, Connection

        settings = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, server_header=False,
            date_header=True, proxy_headers=False, timeout_graceful_shutdown=1, ws="none",
            limit_concurrency=CONNECTIONS, http=Connection, loop=LOOP,
            ssl_context_factory=(lambda *_: tls) if tls else None,
        )  # fmt: skip
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="http", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        _raise_open_files()
        self._thread.start()

    def stop(self) -> None:
        """Stop answering; waits a moment for answers under way."""
        self._server.should_exit = True
        self._thread.join(STOP_S)


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _no_password() -> str:
    """Else OpenSSL asks for it on the terminal."""
    return ""
