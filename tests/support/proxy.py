"""A proxy between a client and an HTTP server, that does harm to what passes as a test says.

It works on bytes of TCP: each connection of a client has one of its own to the server, and each
exchange on it (a request and its answer) is asked about before it is passed on. Answers must have a
`content-length`. Must not go here: what a request or an answer means.
"""

import contextlib
import itertools
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import BinaryIO

from msgspec import Struct


class Harm(Struct, frozen=True):
    """What is done to one exchange; by itself nothing."""

    cut_request: int | None = None
    """So many bytes of the request reach the server, then both connections end."""
    cut_answer: int | None = None
    """So many bytes of the answer reach the client, whatever its head promised."""
    is_silent: bool = False
    """After a cut answer the connection stays open."""
    delay_s: float = 0.0
    """Before the answer is passed on."""
    at_a_time: int = 0
    """Bytes of the answer that go out at once; 0: all."""
    rewrite: Callable[[bytes], bytes] | None = None
    """What becomes of the answer's body; its length is told anew."""


NONE = Harm()
Plan = Callable[[int, bytes], Harm]
"""From the number of an exchange that is harmed by it, from 0, and the request, to the harm."""


class Proxy:
    """Listens from its making to `close`; any thread may change what it does."""

    def __init__(self, port: int, path: str = "/_bulk") -> None:
        """Before a server on loopback. Exchanges of other paths are passed on unharmed."""
        self._port, self._path = port, path.encode()
        self.plan: Plan = lambda number, request: NONE
        self.is_refusing = False
        """Whether connections end before a byte is passed on."""
        self.statuses: Counter[int] = Counter()
        """Of the server's answers on the path, whether or not they reached the client."""
        self.most_at_once = 0
        """Exchanges on the path that were under way at one time; a test may set it to 0."""
        self._at_once = 0
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def refuse(self) -> None:
        """End all connections, and every one that comes."""
        self.is_refusing = True
        self._end_all()

    def close(self) -> None:
        """End it and all that goes through it."""
        self.refuse()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _end_all(self) -> None:
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self.is_refusing:
                return
            with socket.create_connection(("127.0.0.1", self._port)) as server:
                with self._lock:
                    self._open |= {client, server}
                try:
                    self._pass_on(client, server)
                finally:
                    with self._lock:
                        self._open -= {client, server}

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with client.makefile("rb") as asking, server.makefile("rb") as answering:
            while request := _message(asking):
                if self._path not in request[0].split(b"\r\n")[0]:
                    server.sendall(b"".join(request))
                    client.sendall(b"".join(_message(answering)))
                    continue
                with self._counted():
                    harm = self.plan(next(self._numbers), b"".join(request))
                    is_over = self._harmed(harm, request, client, server, answering)
                if is_over:
                    return

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1

    def _harmed(
        self, harm: Harm, request: tuple[bytes, bytes], client: socket.socket,
        server: socket.socket, answering: BinaryIO,
    ) -> bool:  # fmt: skip
        """One exchange; whether both connections are to end."""
        server.sendall(b"".join(request)[: harm.cut_request])
        if harm.cut_request is not None:
            return True
        head, body = _message(answering)
        with self._lock:
            self.statuses[int(head.split(b" ", 2)[1])] += 1
        if harm.rewrite is not None:
            head, body = _rewritten(head, harm.rewrite(body))
        time.sleep(harm.delay_s)
        _send(client, (head + body)[: harm.cut_answer], harm.at_a_time)
        if harm.cut_answer is None:
            return False
        if harm.is_silent:
            client.recv(1)
        return True


def _message(source: BinaryIO) -> tuple[bytes, bytes]:
    """Head and body of what comes next. Raises OSError where the connection ends before that."""
    head = b""
    while line := source.readline():
        head += line
        if line == b"\r\n":
            body = source.read(length := _length(head))
            if len(body) == length:
                return head, body
    raise ConnectionResetError("the connection ended")


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
        assert name.lower() != b"transfer-encoding", head
    return 0


def _rewritten(head: bytes, body: bytes) -> tuple[bytes, bytes]:
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(b"content-length")]
    return b"\r\n".join([*kept, b"content-length: %d" % len(body), b"", b""]), body


def _send(client: socket.socket, data: bytes, at_a_time: int) -> None:
    step = at_a_time or max(len(data), 1)
    for start in range(0, len(data), step):
        client.sendall(data[start : start + step])


@contextlib.contextmanager
def proxy(port: int, path: str = "/_bulk") -> Iterator[Proxy]:
    """One that is ended in the end."""
    made = Proxy(port, path)
    try:
        yield made
    finally:
        made.close()
