"""Whether one stream of a relay is connected, and the gap that is open while it is not.

A relay sends no headers before its first message, so that a call was made means nothing: a stream
counts as connected once a message came, or once it has stayed open for `SETTLE_S` on a connection
whose HealthCheck was good. A gap begins with the loss of a connected stream and ends when it is
connected again, however many attempts lie between; the time before the first is no gap.

Clocks are arguments. Safe to use from several threads. Sockets must not go here.
"""

import threading

from armorstack.core.gap import Gap, Reason
from armorstack.sources.relay_wire import Stream

SETTLE_US = 1_000_000


class Presence:
    """The state of one stream; each method that may end a gap returns it."""

    def __init__(self, source: str, stream: Stream) -> None:
        self._source = source
        self._stream = stream
        self._lock = threading.Lock()
        self._opened_us: int | None = None
        self._lost: tuple[int, Reason, str] | None = None
        self.connected = False
        self.since_us = 0
        self.connections = 0

    def open(self, now_us: int) -> None:
        """The stream was asked for, on a healthy connection."""
        with self._lock:
            self._opened_us = now_us

    def settle(self, now_us: int) -> Gap | None:
        """Time has passed."""
        with self._lock:
            opened_us = self._opened_us
            if self.connected or opened_us is None or now_us - opened_us < SETTLE_US:
                return None
            return self._confirm(now_us)

    def confirm(self, now_us: int) -> Gap | None:
        """A message came."""
        with self._lock:
            return None if self.connected else self._confirm(now_us)

    def lose(self, now_us: int, reason: Reason, detail: str, unseen_us: int = 0) -> None:
        """The stream ended; what came during the last `unseen_us` is not certain either."""
        with self._lock:
            if self.connected:
                self._lost = (max(self.since_us, now_us - unseen_us), reason, detail)
                self.connected, self.since_us = False, now_us
            self._opened_us = None

    def give_up(self, now_us: int) -> Gap | None:
        """Nobody reads any more: the gap, if one is open, ends here."""
        with self._lock:
            if self.connected:
                self.connected, self.since_us = False, now_us
            return self._end_gap(now_us)

    def _confirm(self, now_us: int) -> Gap | None:
        self.connected, self.since_us = True, now_us
        self.connections += 1
        return self._end_gap(now_us)

    def _end_gap(self, now_us: int) -> Gap | None:
        if self._lost is None:
            return None
        start_us, reason, detail = self._lost
        self._lost = None
        return Gap(
            reason=reason, source=self._source, stream=self._stream, start_us=start_us,
            end_us=max(start_us, now_us), detail=detail,
        )  # fmt: skip
