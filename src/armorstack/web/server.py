"""The listening socket, and the server on it in a thread of its own.

The supervisor binds the socket before anything is started, so that a port in use is told at once,
and hands it to the worker; the port stays ours while a worker is restarted. This module loads
Starlette and uvicorn only when it serves.
"""

import socket
import threading
from typing import Any

from armorstack.config import parse_address
from armorstack.errors import ConfigError

PATH = "$.web.listen"
STOP_S = 2.0


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


class Server:
    """uvicorn in a thread."""

    def __init__(self, app: Any, listener: socket.socket) -> None:
        import uvicorn

        settings = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, server_header=False,
            timeout_graceful_shutdown=1, limit_concurrency=64, ws="none",
        )  # fmt: skip
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="http", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering; waits a moment for answers under way."""
        self._server.should_exit = True
        self._thread.join(STOP_S)
