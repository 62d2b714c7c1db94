"""A web server for tests of the webhook: real sockets on loopback, answers as a test scripts them.

Each connection takes the next answer of the script, the last one for ever. An answer is bytes that
are sent as they are, or a function that does with the connection what it likes. What was posted is
kept. Nothing here waits longer than `PATIENCE_S`, and `close` ends every connection.
"""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

PATIENCE_S = 20.0

Behaviour = Callable[[socket.socket, "WebhookServer"], None]
Answer = bytes | Behaviour


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An HTTP answer; underscores in the names of headers are hyphens."""
    fields = {"Content-Length": str(len(body))} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


OK = answer(200, b"ok")


def hang(_: socket.socket, server: "WebhookServer") -> None:
    """Say nothing until the server is closed."""
    server.closing.wait(PATIENCE_S)


def drip(connection: socket.socket, server: "WebhookServer") -> None:
    """A header that never ends, a byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not server.closing.wait(0.05):
        connection.sendall(b"x")


def flood(connection: socket.socket, server: "WebhookServer") -> None:
    """200 with a body of 1 GB; counts what the client's side took of it."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(1024):
        connection.sendall(bytes(1024 * 1024))
        server.flooded_mib += 1


class WebhookServer:
    """Runs from its making to `close`."""

    def __init__(self, *script: Answer, tls: tuple[str, str] | None = None) -> None:
        """`tls`: files of certificate and key."""
        self.script: Sequence[Answer] = script or (OK,)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        """Request line, headers in lower case, body; of all that came in whole."""
        self.closing = threading.Event()
        self.flooded_mib = 0
        self.connections = 0
        self._tls = self._context(tls) if tls else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/hook/secret-path"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def messages(self) -> list[Any]:
        """The bodies, decoded."""
        return [json.loads(body) for _, _, body in self.requests]

    def resources(self) -> list[str]:
        """The resources of all events that came in our own JSON form, sorted."""
        events = [event for message in self.messages() for event in message["events"]]
        return sorted(event.get("kubearmor", {}).get("resource", "") for event in events)

    def close(self) -> None:
        """End it; twice is fine."""
        self.closing.set()
        # Closing alone would not wake the thread that accepts.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _context(self, tls: tuple[str, str]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        return context

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            step = self.script[min(self.connections, len(self.script) - 1)]
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection, step))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, step: Answer) -> None:
        connection.settimeout(PATIENCE_S)
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self.requests.append(_read(connection))
            if callable(step):
                step(connection, self)
            else:
                connection.sendall(step)
        except OSError:
            # The client went away, or refused our certificate.
            pass
        finally:
            connection.close()


def _read(connection: socket.socket) -> tuple[str, dict[str, str], bytes]:
    """One request; raises OSError when the client goes away before its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
    while len(body) < int(headers["content-length"]):
        body += _some(connection)
    return first, headers, body


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError
    return data
