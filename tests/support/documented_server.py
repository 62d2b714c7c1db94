"""A server that answers as an engine's documentation says, for what the engines of tests have not.

Invariant: it knows what a test gave it and nothing else; any other request is 404. Real engines are
asked in `tests/engines`; the list of what is asked here alone stands in `docs/elasticsearch.md`.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct

UNAUTHENTICATED = {
    "error": {
        "type": "security_exception",
        "reason": "missing authentication credentials for REST request",
    },
    "status": 401,
}


class Asked(Struct):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


Answer = tuple[int, Any]
Route = Callable[[Asked], Answer | None]
"""None: it is not for this one."""


class Documented:
    """The running server."""

    def __init__(self, product: str, *routes: Route) -> None:
        """`product`: what it says in the header that Elasticsearch has; empty: no header."""
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, json.loads(raw or b"null"))
                outer.asked.append(asked)
                found = (route(asked) for route in routes)
                missing = (404, {"error": {"type": "no_route", "reason": self.path}, "status": 404})
                status, answer = next((each for each in found if each), missing)
                body = json.dumps(answer).encode()
                self.send_response(status)
                if product:
                    self.send_header("X-elastic-product", product)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = _any

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def documented(product: str, *routes: Route) -> Iterator[Documented]:
    """The server for the length of a test."""
    server = Documented(product, *routes)
    try:
        yield server
    finally:
        server.close()


def on(method: str, beginning: str, status: int, answer: Any) -> Route:
    """This answer to requests whose path begins so."""
    return lambda asked: (
        (status, answer) if asked.method == method and asked.path.startswith(beginning) else None
    )


def behind(header: str, *routes: Route) -> Route:
    """The routes, for whoever sends just this `Authorization`; others are refused with 401."""

    def route(asked: Asked) -> Answer | None:
        if asked.headers.get("authorization") != header:
            return 401, UNAUTHENTICATED
        return next((found for each in routes if (found := each(asked))), None)

    return route
