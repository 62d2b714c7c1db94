"""When the next message may go: so many in any minute, and not before the server wants one.

Nothing waits here; who asks is told, and the clock is an argument.
"""

import math
from collections import deque
from collections.abc import Callable

MINUTE_S = 60.0
LONGEST_HOLD_S = 600.0
"""A server that asks for more is asked again after this."""


class Pace:
    """The messages of the last minute, and the server's wish."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        self._per_minute, self._monotonic = per_minute, monotonic
        self._sent: deque[float] = deque()
        self._not_before = -math.inf

    def wait_s(self) -> float:
        """Seconds until the next message may go; 0: now."""
        now = self._monotonic()
        while self._sent and self._sent[0] <= now - MINUTE_S:
            self._sent.popleft()
        full = len(self._sent) >= self._per_minute
        free_at = self._sent[0] + MINUTE_S if full else now
        return max(0.0, free_at - now, self._not_before - now)

    def note_sent(self) -> None:
        """A message goes now, whatever becomes of it."""
        self._sent.append(self._monotonic())

    def hold(self, seconds: float) -> None:
        """The server wants nothing for so long."""
        self._not_before = self._monotonic() + min(max(seconds, 0.0), LONGEST_HOLD_S)
