"""One stream of a relay, read for as long as the source runs.

`run` is the stream's thread: dial, check, receive, and again after a wait. Invariant: between a
message's arrival and its lane there is nothing but the loop in `_receive`. All other public
methods are for other threads. Sockets and gRPC's options must not go here.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator

import grpc
import structlog

from armorstack.config import RelaySource, source_name
from armorstack.core.backoff import delay_s
from armorstack.core.gap import Gap, Reason, encode_gap
from armorstack.errors import SourceError
from armorstack.sources.clock import now_us
from armorstack.sources.relay_errors import (
    OVERSIZE,
    PING_TIMEOUT,
    TOO_MANY_PINGS,
    ended_at_once,
    explain,
    says,
)
from armorstack.sources.relay_link import Link
from armorstack.sources.relay_presence import Presence
from armorstack.sources.relay_wire import Stream
from armorstack.spool.intake import Intake, Lane

LIVED_S = 5.0
"""A stream that was open for so long was no failed attempt: the next wait is short again."""
RARE_PINGS_S = 310.0
"""More than the five minutes that gRPC servers demand between pings unless told otherwise."""
MICROS = 1_000_000


class RelayStream:
    """One of a relay's streams, with the filter that it is asked for."""

    def __init__(
        self, settings: RelaySource, stream: Stream, filter_name: str, intake: Intake
    ) -> None:
        self._settings = settings
        self._filter_name = filter_name
        self._intake = intake
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._cut: tuple[SourceError, int] | None = None
        self._keepalive_s = settings.keepalive_s
        self._lane: Lane | None = None
        self._seen_bytes = 0
        self._log = structlog.get_logger().bind(source=source_name(settings), stream=stream)
        self.stream: Stream = stream
        self.presence = Presence(source_name(settings), stream)
        self.last_frame_us = 0
        self.error: SourceError | None = None

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` is set."""
        settings = self._settings
        lane = self._intake.lane(source_name(settings), self.stream, "protobuf", settings.cluster)
        self._lane = lane
        failures = 0
        while not stop.is_set():
            opened_s = self._attempt(lane, stop)
            failures = 1 if opened_s > LIVED_S else failures + 1
            longest_s = settings.backoff_max_s
            stop.wait(delay_s(failures, settings.backoff_initial_s, longest_s, random.random()))
        self._tell(self.presence.give_up(now_us()))

    def tick(self) -> None:
        """Note what only the clock can tell; called a few times a second."""
        now = now_us()
        if self._lane is not None and self._lane.put_bytes != self._seen_bytes:
            self._seen_bytes = self._lane.put_bytes
            self.last_frame_us = now
        self._connected(self.presence.settle, now)

    def redial(self, error: SourceError, unseen_us: int) -> None:
        """Cut the connection because of `error`; the thread then dials a new one."""
        with self._lock:
            if self.presence.connected and self._link is not None:
                self._cut = (error, unseen_us)
                self._link.close()

    def close(self) -> None:
        """End what the thread waits for; `stop` must have been set before."""
        with self._lock:
            if self._link is not None:
                self._link.close()

    def _attempt(self, lane: Lane, stop: threading.Event) -> float:
        """Dial and read until that ends; seconds for which the stream was open."""
        opened_s = time.monotonic()
        try:
            link = self._dial(stop)
            try:
                link.check_health()
                opened_s = time.monotonic()
                self.presence.open(now_us())
                self._receive(link.watch(self.stream, self._filter_name), lane.put)
                self._ended(stop)
            finally:
                link.close()
        except grpc.RpcError as error:
            self._failed(error, stop)
        except SourceError as error:
            opened_s = time.monotonic()
            self._lost(error, stop)
        return time.monotonic() - opened_s

    def _dial(self, stop: threading.Event) -> Link:
        link = Link(self._settings, self._keepalive_s)
        with self._lock:
            self._link = link
            self._cut = None
        if stop.is_set():  # then `close` may have been called before there was a link
            link.close()
        return link

    def _receive(self, messages: Iterator[bytes], put: Callable[[bytes], None]) -> None:
        for message in messages:
            put(message)
            self._connected(self.presence.confirm, now_us())
            break
        for message in messages:
            put(message)

    def _connected(self, judge: Callable[[int], Gap | None], now: int) -> None:
        """Let the presence judge whether the stream is connected now, and tell what follows."""
        connections = self.presence.connections
        gap = judge(now)
        if self.presence.connections != connections:
            self.error = None
            self._log.info("connected", address=self._settings.address)
        self._tell(gap)

    def _ended(self, stop: threading.Event) -> None:
        settings = self._settings
        if self.presence.connected:
            hint = "was it restarted? This source dials again by itself"
            self._lost(SourceError(f"{settings.address} ended the stream", hint=hint), stop)
        else:
            self._lost(ended_at_once(settings, self.stream, self._filter_name), stop)

    def _failed(self, error: grpc.RpcError, stop: threading.Event) -> None:
        """The call ended with an error of gRPC's."""
        cause = explain(error, self._settings)
        if self._cut is not None:
            cause, unseen_us = self._cut
            self._lost(cause, stop, unseen_us=unseen_us)
        elif says(error, OVERSIZE):
            # A message did come, so the stream was there, and what follows it is a new gap.
            self._connected(self.presence.confirm, now_us())
            self._lost(cause, stop, reason="oversize")
        elif says(error, *PING_TIMEOUT):
            self._lost(cause, stop, unseen_us=int(2 * self._keepalive_s * MICROS))
        else:
            if says(error, TOO_MANY_PINGS):
                self._keepalive_s = max(self._keepalive_s, RARE_PINGS_S)
            self._lost(cause, stop)

    def _lost(
        self, error: SourceError, stop: threading.Event,
        reason: Reason = "disconnect", unseen_us: int = 0,
    ) -> None:  # fmt: skip
        if stop.is_set():
            return
        if self.presence.connected or str(error) != str(self.error or ""):
            self._log.warning("not connected", error=str(error), hint=error.hint)
        self.error = error
        self.presence.lose(now_us(), reason, str(error), unseen_us)

    def _tell(self, gap: Gap | None) -> None:
        if gap is not None:
            self._intake.gap(encode_gap(gap), gap.source)
