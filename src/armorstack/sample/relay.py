"""The sample relay: `feeder.LogService` as KubeArmor's relay serves it, on loopback.

Like the real one it sends only to streams that are attached, keeps a bounded queue per client and
drops, counted, what a slow client leaves no room for. With a `count` it waits for the client
instead, because then every event is promised: each stream ends with OK after its last one.
Invariant: no two events have the same UpdatedTime. Must not go here: what an event says.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
from msgspec import Struct

from armorstack.core.fields import STREAMS, Stream
from armorstack.core.proto import SERVICE, message_class_named
from armorstack.sample.recorded import encode
from armorstack.sample.replay import plan, stamped

METHODS: dict[Stream, str] = {
    "alert": "WatchAlerts",
    "log": "WatchLogs",
    "message": "WatchMessages",
}
FILTERS: dict[Stream, tuple[str, ...]] = {
    "alert": ("all", "policy"),
    "log": ("all", "system"),
    "message": ("all", ""),
}
"""What a stream takes; another filter ends it at once with OK."""
SLOTS: dict[Stream, int] = {"alert": 1_000, "log": 10_000, "message": 1_000}
GATHER_S = 2.0
"""How long the replay waits for the other streams of the first client."""
GRACE_S = 30.0
"""How long a client may take to read the end of its streams."""
STOPPED_GRACE_S = 0.5
WAIT_S = 0.2
CALLS = 256


class Settings(Struct, frozen=True):
    """What the command line says."""

    port: int = 0
    rate: float = 20.0
    count: int = 0
    seed: int = 1


class Watcher:
    """One attached stream: the queue between the replay and a client."""

    def __init__(self, slots: int, patient: Callable[[], bool]) -> None:
        self._frames: deque[bytes] = deque()
        self._slots = slots
        self._patient = patient
        self._changed = threading.Condition()
        self._ending = False
        self._gone = False
        self.dropped = 0

    def offer(self, frame: bytes) -> None:
        """Queue a frame; when there is no room, wait if patient, else drop and count it."""
        with self._changed:
            while len(self._frames) >= self._slots and self._patient() and not self._gone:
                self._changed.wait(WAIT_S)
            if len(self._frames) >= self._slots:
                self.dropped += 1
                return
            self._frames.append(frame)
            self._changed.notify_all()

    def end(self) -> None:
        """Let the stream end after what is queued."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def leave(self) -> None:
        """The client has gone: forget what is queued."""
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[bytes]:
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._ending or self._gone)
            if self._gone or not self._frames:
                return None
            self._changed.notify_all()
            return self._frames.popleft()


class Audience:
    """All attached streams."""

    def __init__(self, patient: Callable[[], bool]) -> None:
        self._patient = patient
        self._watchers: dict[Stream, list[Watcher]] = {stream: [] for stream in STREAMS}
        self._changed = threading.Condition()
        self._ended = False
        self._dropped = 0

    def attach(self, stream: Stream) -> Watcher:
        """A new stream of a client."""
        watcher = Watcher(SLOTS[stream], self._patient)
        with self._changed:
            if self._ended:
                watcher.end()
            self._watchers[stream].append(watcher)
            self._changed.notify_all()
        return watcher

    def detach(self, stream: Stream, watcher: Watcher) -> None:
        """A stream is over."""
        watcher.leave()
        with self._changed:
            self._watchers[stream].remove(watcher)
            self._dropped += watcher.dropped

    def attached(self, stream: Stream) -> list[Watcher]:
        """Who watches this stream now."""
        with self._changed:
            return list(self._watchers[stream])

    @property
    def dropped(self) -> int:
        """Frames that slow clients did not get, of streams that are over."""
        return self._dropped

    def wait(self, streams: int, timeout_s: float) -> bool:
        """Wait until so many kinds of streams have a watcher."""
        with self._changed:
            return self._changed.wait_for(
                lambda: sum(map(bool, self._watchers.values())) >= streams, timeout_s
            )

    def end(self) -> None:
        """End all streams, and those to come."""
        with self._changed:
            self._ended = True
            for watchers in self._watchers.values():
                for watcher in watchers:
                    watcher.end()


class Sent:
    """What was handed out; an event counts once, however many watched."""

    def __init__(self) -> None:
        self.events: dict[Stream, int] = dict.fromkeys(STREAMS, 0)
        self.bytes = 0

    def note(self, stream: Stream, frame: bytes) -> None:
        """One more."""
        self.events[stream] += 1
        self.bytes += len(frame)


class SampleRelay:
    """The server and the replay."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopped = threading.Event()
        self._audience = Audience(lambda: settings.count > 0 and not self._stopped.is_set())
        self._server = grpc.server(
            futures.ThreadPoolExecutor(CALLS), options=[("grpc.so_reuseport", 0)]
        )
        self._server.add_generic_rpc_handlers((self._handlers(),))
        self._last_us = 0

    def start(self) -> str:
        """Serve; returns the bound address, `HOST:PORT`."""
        port = self._server.add_insecure_port(f"127.0.0.1:{self._settings.port}")
        self._server.start()
        return f"127.0.0.1:{port}"

    def stop(self) -> None:
        """Let `replay` and `wait` return soon; any thread may call."""
        self._stopped.set()

    def wait(self) -> None:
        """Keep the streams open until `stop`."""
        self._stopped.wait()

    def end(self) -> int:
        """End all streams with OK and wait for their clients; returns how many frames they lost."""
        self._audience.end()
        self._server.stop(STOPPED_GRACE_S if self._stopped.is_set() else GRACE_S).wait()
        return self._audience.dropped

    def replay(self) -> Sent:
        """Hand out events until `count` or `stop`."""
        sent = Sent()
        left = self._settings.count or -1
        due = None
        for event in plan(self._settings.rate, self._settings.seed):
            if due is None or not self._audience.wait(1, 0):
                due = self._gather()
            due += event.wait_s
            if left == 0 or self._stopped.wait(max(0.0, due - time.monotonic())):
                break
            watchers = self._audience.attached(event.stream)
            if watchers:
                frame = encode(event.stream, stamped(event.values, self._now_us()))
                for watcher in watchers:
                    watcher.offer(frame)
                sent.note(event.stream, frame)
                left -= 1
        return sent

    def _gather(self) -> float:
        """Wait for a client, then for the rest of its streams; returns the time to go on from."""
        while not self._audience.wait(1, WAIT_S) and not self._stopped.is_set():
            pass
        if not self._stopped.is_set():
            self._audience.wait(len(STREAMS), GATHER_S)
        return time.monotonic()

    def _now_us(self) -> int:
        self._last_us = max(time.time_ns() // 1_000, self._last_us + 1)
        return self._last_us

    def _handlers(self) -> grpc.GenericRpcHandler:
        methods = {
            METHODS[stream]: grpc.unary_stream_rpc_method_handler(self._watch(stream))
            for stream in STREAMS
        }
        # NonceMessage and ReplyMessage are the same bytes: one int32, number 1.
        methods["HealthCheck"] = grpc.unary_unary_rpc_method_handler(lambda nonce, _: nonce)
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _watch(self, stream: Stream) -> Callable[[bytes, Any], Iterator[bytes]]:
        request_class: Any = message_class_named("RequestMessage")
        filters = FILTERS[stream]

        def serve(request: bytes, context: Any) -> Iterator[bytes]:
            if request_class.FromString(request).Filter not in filters:
                return
            watcher = self._audience.attach(stream)
            context.add_callback(watcher.leave)
            try:
                yield from watcher
            finally:
                self._audience.detach(stream, watcher)

        return serve
