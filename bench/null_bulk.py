"""A bulk server that keeps nothing: reads each request, counts its events, says all were taken.

`python -m bench.null_bulk` prints its address, and answers until its standard input closes; asked
for `/_taken` it tells how many events came. Gaps are no events. It speaks as an Elasticsearch does
as far as a sink asks. Invariant: an event counts when its request was read whole.
"""

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NODES = b'{"nodes":{"a":{"version":"8.19.0"}}}'
NOTHING = b'{"id":"none","hits":{"total":{"value":0},"hits":[]}}'


class Counter:
    """How many events came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.taken = 0

    def add(self, documents: int) -> None:
        """Count some more."""
        with self._lock:
            self.taken += documents


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    counter = Counter()

    def do_GET(self) -> None:
        """The version, or the count."""
        taken = json.dumps({"taken": self.counter.taken}).encode()
        self._answer(taken if self.path == "/_taken" else NODES)

    def do_POST(self) -> None:
        """A bulk request, or a question that nothing answers."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if not self.path.startswith("/_bulk"):
            self._answer(NOTHING)
            return
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        documents = body.count(b"\n") // 2
        self.counter.add(documents - body.count(b'"_index":"kubearmor-gaps-'))
        items = b",".join([b'{"create":{"status":201}}'] * documents)
        self._answer(b'{"errors":false,"items":[%b]}' % items)

    do_DELETE = do_GET

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("X-elastic-product", "Elasticsearch")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main() -> None:
    """Answer until standard input closes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_address[1]}"}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
