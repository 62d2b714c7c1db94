"""A server that keeps documents as the engines' documented `_bulk` does, for tests of its client.

It knows `create` only: 201 for a new `_id` of an index, 409 for one that is there. Before that, the
next step of its script has its say: an answer to give instead, or None to go on. Real engines are
asked in `tests/engines`; this one is for answers that they give only in trouble.
"""

import base64
import gzip
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, bytes]
Step = Callable[["BulkServer", bytes], Reply | None]

VERSION = json.dumps({"nodes": {"a": {"version": "8.19.0"}}}).encode()


class BulkServer:
    """Runs from its making to `close`."""

    def __init__(self, *script: Step) -> None:
        """Each bulk request takes the next step; after the last, all are kept."""
        self.script = list(script)
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.bodies: list[bytes] = []
        """Of the bulk requests, unpacked."""
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._reply(200, VERSION)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                outer.headers.append({k.lower(): v for k, v in self.headers.items()})
                outer.paths.append(self.path)
                self._reply(*outer.answer(body))

            def _reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("X-elastic-product", "Elasticsearch")
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def answer(self, body: bytes) -> Reply:
        """What is said to one bulk request."""
        with self._lock:
            self.bodies.append(body)
            step = self.script.pop(0) if self.script else None
            given = step(self, body) if step else None
            return given or (200, self.keep(body))

    def keep(self, body: bytes) -> bytes:
        """Take the documents of a body; the answer."""
        lines = body.decode().removesuffix("\n").split("\n")
        statuses = [self._create(*pair) for pair in zip(lines[::2], lines[1::2], strict=True)]
        items = [{"create": {"status": status}} for status in statuses]
        errors = any(status >= 300 for status in statuses)
        return json.dumps({"errors": errors, "items": items}).encode()

    def _create(self, action: str, document: str) -> int:
        named = json.loads(action)["create"]
        assert len(base64.b64decode(named["_id"])) == 32
        key = (named["_index"], named["_id"])
        if key in self.documents:
            return 409
        self.documents[key] = json.loads(document)
        return 201

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The documents of indices of this kind, such as `alerts`."""
        found = self.documents.items()
        return [each for (index, _), each in found if index.split("-")[1] == kind]

    def events(self) -> list[dict[str, Any]]:
        """All but gaps."""
        return [*self.of("alerts"), *self.of("logs"), *self.of("messages")]

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def says(status: int, body: bytes = b"") -> Step:
    """A step that keeps nothing and answers so."""
    return lambda server, request: (status, body)


def forgets_to_answer_for_one(server: BulkServer, body: bytes) -> Reply:
    """Keeps all, and speaks of one less."""
    answer = json.loads(server.keep(body))
    answer["items"].pop()
    return 200, json.dumps(answer).encode()


def refuses(places: set[int], status: int, type_: str, reason: str) -> Step:
    """A step that refuses the documents at these places, and keeps the others."""

    def step(server: BulkServer, body: bytes) -> Reply:
        lines = body.removesuffix(b"\n").split(b"\n")
        pairs = [b"%b\n%b\n" % pair for pair in zip(lines[::2], lines[1::2], strict=True)]
        error = {"status": status, "error": {"type": type_, "reason": reason}}
        items = [
            {"create": error} if at in places else json.loads(server.keep(pair))["items"][0]
            for at, pair in enumerate(pairs)
        ]
        return 200, json.dumps({"errors": True, "items": items}).encode()

    return step
