"""A relay for tests: a real grpcio server in a process of its own, and the handle that steers it.

It speaks `feeder.LogService` with generic handlers and raw bytes, so that a test says exactly what
goes over the wire. Orders go to its standard input and answers come from its standard output, one
JSON object a line. It replays nothing: like the real relay, it sends to the streams that are
attached at that moment. It ends when its standard input does, so it cannot outlive the test.
"""

import base64
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

SERVICE = "feeder.LogService"
METHODS = {"alert": "WatchAlerts", "log": "WatchLogs", "message": "WatchMessages"}
DEADLINE_S = 20.0
END = None


class RelayServer:
    """The handle: starts the process, gives orders, stops it."""

    def __init__(self, port: int = 0, **options: Any) -> None:
        """Options: `echo_wrong`, `no_health`, `end_at_once`, `tls` (cert, key, ca), `args`."""
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps({"port": port, **options})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ""},
        )
        self.port: int = self._answer()["port"]
        self.address = f"127.0.0.1:{self.port}"

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the relay's process has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _order(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return self._answer()

    def send(self, stream: str, *frames: bytes) -> None:
        """Send these messages to every stream of this kind."""
        texts = [base64.b64encode(frame).decode() for frame in frames]
        self._order(do="send", stream=stream, frames=texts)

    def number(self, stream: str, first: int, last: int, size: int = 0) -> list[bytes]:
        """Send numbered messages, padded to `size`; returns what was sent."""
        self._order(do="number", stream=stream, first=first, last=last, size=size)
        return [numbered(stream, number, size) for number in range(first, last)]

    def end(self, stream: str) -> None:
        """End every stream of this kind with OK."""
        self._order(do="end", stream=stream)

    def set(self, **options: Any) -> None:
        """Change `echo_wrong`, `no_health`, `stall_health` or `end_at_once` from now on."""
        self._order(do="set", options=options)

    def seen(self) -> dict[str, Any]:
        """What was asked: `requests` {stream: [base64]}, `attached` {stream: n}, `nonces`,
        `peers` (the connections that streams came by)."""
        return self._order(do="seen")

    def requests(self, stream: str) -> list[bytes]:
        """The request messages of the streams of this kind, in order."""
        return [base64.b64decode(text) for text in self.seen()["requests"][stream]]

    def wait_attached(self, *streams: str, count: int = 1) -> None:
        """Wait until so many clients are attached to each of these streams."""
        wait_for(lambda: all(self.seen()["attached"][stream] >= count for stream in streams))

    def freeze(self) -> None:
        """Stop the process as a whole: it answers nothing, pings included."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Kill the process and wait for it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def __enter__(self) -> "RelayServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class RawServer:
    """A server that knows no HTTP/2: it sends `answer` to whoever connects and then waits."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.connections = 0
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            self.connections += 1
            connection.sendall(self._answer)

    def stop(self) -> None:
        """Close the listener and every connection."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for one in (self._listener, *self._open):
            one.close()

    def __enter__(self) -> "RawServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def wait_for(true: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Wait until it holds; fails past the deadline, which is generous on purpose."""
    end = time.monotonic() + deadline_s
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def numbered(stream: str, number: int, size: int = 0) -> bytes:
    """A message that says which one it is."""
    return f"{stream}-{number:08d}".encode().ljust(size, b".")


class _Relay:
    """The serving side: the queues of the attached streams and what was asked."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self._lock = threading.Lock()
        self._queues: dict[str, list[queue.SimpleQueue[bytes | None]]] = {s: [] for s in METHODS}
        self._requests: dict[str, list[str]] = {s: [] for s in METHODS}
        self._nonces: list[str] = []
        self._peers: set[str] = set()

    def health(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._nonces.append(base64.b64encode(request).decode())
        if self.options.get("no_health"):
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown method HealthCheck")
        while self.options.get("stall_health") and context.is_active():
            time.sleep(0.05)
        return b"\x08\x2a" if self.options.get("echo_wrong") else request

    def watch(self, stream: str) -> Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]:
        def serve(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            self._peers.add(context.peer())
            self._requests[stream].append(base64.b64encode(request).decode())
            if self.options.get("end_at_once"):
                return
            frames: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
            context.add_callback(lambda: frames.put(END))
            with self._lock:
                self._queues[stream].append(frames)
            try:
                yield from iter(frames.get, END)
            finally:
                with self._lock:
                    self._queues[stream].remove(frames)

        return serve

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        match order["do"]:
            case "send":
                self._put(order["stream"], [base64.b64decode(text) for text in order["frames"]])
            case "number":
                numbers = range(order["first"], order["last"])
                stream, size = order["stream"], order["size"]
                self._put(stream, [numbered(stream, number, size) for number in numbers])
            case "end":
                self._put(order["stream"], [END])
            case "set":
                self.options.update(order["options"])
            case "seen":
                return self._seen()
        return {}

    def _put(self, stream: str, frames: list[bytes | None] | list[bytes]) -> None:
        with self._lock:
            for frame in frames:
                for one in self._queues[stream]:
                    one.put(frame)

    def _seen(self) -> dict[str, Any]:
        with self._lock:
            attached = {stream: len(queues) for stream, queues in self._queues.items()}
        return {
            "requests": self._requests, "attached": attached, "nonces": self._nonces,
            "peers": sorted(self._peers),
        }  # fmt: skip

    def handler(self) -> grpc.GenericRpcHandler:
        methods = {
            name: grpc.unary_stream_rpc_method_handler(self.watch(stream))
            for stream, name in METHODS.items()
        }
        methods["HealthCheck"] = grpc.unary_unary_rpc_method_handler(self.health)
        return grpc.method_handlers_generic_handler(SERVICE, methods)


def _credentials(tls: dict[str, str]) -> grpc.ServerCredentials:
    pair = (Path(tls["key"]).read_bytes(), Path(tls["cert"]).read_bytes())
    authority = Path(tls["ca"]).read_bytes() if tls.get("ca") else None
    return grpc.ssl_server_credentials([pair], authority, authority is not None)


def _main() -> None:
    options = json.loads(sys.argv[1])
    relay = _Relay(options)
    server = grpc.server(
        futures.ThreadPoolExecutor(32),
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_send_message_length", -1),
            *map(tuple, options.get("args", ())),
        ],
    )
    server.add_generic_rpc_handlers((relay.handler(),))
    address = f"127.0.0.1:{options['port']}"
    if options.get("tls"):
        port = server.add_secure_port(address, _credentials(options["tls"]))
    else:
        port = server.add_insecure_port(address)
    server.start()
    print(json.dumps({"port": port}), flush=True)
    for line in sys.stdin:
        print(json.dumps(relay.obey(json.loads(line))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    _main()
