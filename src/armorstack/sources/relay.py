"""The relay source: alerts, logs and messages of a KubeArmor relay or node, over gRPC.

One thread per stream, each on a connection of its own; one that has a nonce echoed every
`health_interval_s` and makes the streams dial anew when that fails; and the caller's, which only
looks on. Invariant: a stream's thread never waits for another.
"""

import threading
import time
from collections.abc import Callable, Iterable

from armorstack.config import RelaySource, source_name
from armorstack.errors import ConfigError, SourceError
from armorstack.sources.contract import SourceState
from armorstack.sources.relay_link import Link
from armorstack.sources.relay_stream import MICROS, RelayStream
from armorstack.sources.relay_wire import Stream
from armorstack.spool.intake import Intake

TICK_S = 0.25
JOIN_S = 1.5
"""Time given to the threads, all together, once they were told to stop."""


class Relay:
    """A source over one relay."""

    def __init__(self, settings: RelaySource) -> None:
        self.name = source_name(settings)
        self._settings = settings
        self._filters = _filters(settings)
        self._streams: tuple[RelayStream, ...] = ()
        self._crash: Exception | None = None

    def run(self, intake: Intake, stop: threading.Event) -> None:
        """Read all streams until `stop` is set; raises `SourceError` if a thread breaks down."""
        ended = threading.Event()
        streams = tuple(
            RelayStream(self._settings, stream, filter_name, intake)
            for stream, filter_name in self._filters.items()
        )
        self._streams = streams
        watch = HealthWatch(self._settings, streams)
        threads = [self._thread(one.run, ended, one.stream) for one in streams]
        threads.append(self._thread(watch.run, ended, "health"))
        try:
            while self._crash is None and not stop.wait(TICK_S):
                for one in streams:
                    one.tick()
        finally:
            ended.set()
            for one in streams:
                one.close()
            watch.close()
            _join(threads)
        if self._crash is not None:
            raise SourceError(f"{self.name} broke down: {self._crash}") from self._crash

    def state(self) -> SourceState:
        """A snapshot: connected means that all streams are."""
        streams = self._streams
        down = [one.presence.since_us for one in streams if not one.presence.connected]
        errors = [error for one in streams if (error := one.error) is not None]
        connections = [one.presence.connections for one in streams]
        return SourceState(
            name=self.name,
            kind="relay",
            connected=bool(streams) and not down,
            since_us=min(down) if down else _newest(one.presence.since_us for one in streams),
            last_frame_us=_newest(one.last_frame_us for one in streams),
            reconnects=max(0, _newest(connections) - 1),
            error=str(errors[0]) if errors else "",
            hint=errors[0].hint if errors else "",
        )

    def _thread(
        self, body: Callable[[threading.Event], None], ended: threading.Event, what: str
    ) -> threading.Thread:
        def guarded() -> None:
            try:
                body(ended)
            except Exception as error:
                if not ended.is_set():  # else the spool was closed before we were
                    self._crash = error

        thread = threading.Thread(target=guarded, name=f"{self.name} {what}", daemon=True)
        thread.start()
        return thread


class HealthWatch:
    """Asks the relay now and then, on a connection of its own, whether it is still one."""

    def __init__(self, settings: RelaySource, streams: tuple[RelayStream, ...]) -> None:
        self._settings = settings
        self._streams = streams
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._good_s = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Ask until `stop` is set. While no stream is connected there is nothing to ask for."""
        while not stop.wait(self._settings.health_interval_s):
            if not any(one.presence.connected for one in self._streams):
                continue
            try:
                self._connection(stop).check_health()
                self._good_s = time.monotonic()
            except SourceError as error:
                self.close()
                self._redial(error, stop)

    def close(self) -> None:
        """Cut the connection."""
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _connection(self, stop: threading.Event) -> Link:
        with self._lock:
            if self._link is None:
                self._link = Link(self._settings, self._settings.keepalive_s)
            link = self._link
        if stop.is_set():  # then `close` may have been called before there was a link
            link.close()
        return link

    def _redial(self, error: SourceError, stop: threading.Event) -> None:
        if stop.is_set():
            return
        unseen_us = int((time.monotonic() - self._good_s) * MICROS)
        for one in self._streams:
            one.redial(error, unseen_us)


def _filters(settings: RelaySource) -> dict[Stream, str]:
    """KubeArmor's filter of each stream that is wanted."""
    wanted: dict[Stream, str] = {
        "alert": settings.alerts, "log": settings.logs, "message": settings.messages,
    }  # fmt: skip
    filters = {stream: name for stream, name in wanted.items() if name != "off"}
    if not filters:
        where = source_name(settings)
        raise ConfigError(f"$.source: {where}: alerts, logs and messages are all off")
    return filters


def _newest(times_us: Iterable[int]) -> int:
    return max(times_us, default=0)


def _join(threads: list[threading.Thread]) -> None:
    deadline = time.monotonic() + JOIN_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
