"""How many bulk requests may be under way at once: more while the engine keeps up, fewer when not.

Additive increase, multiplicative decrease: each request that is answered as fast as usual adds a
part of one more; one that took far longer takes a quarter away, and one that was told to wait half.

Nothing waits or sends here. To be used by one thread.
"""

SLOW = 3.0
"""A request that took so many times longer than usual for its size is slow."""
WEIGHT = 0.1
"""Of the newest request in what is usual."""


class Pace:
    """`limit` requests may be under way."""

    def __init__(self, most: int) -> None:
        """Begins with one; `most` is never passed."""
        self._most = most
        self._allowed = 1.0
        self._usual: float | None = None

    @property
    def limit(self) -> int:
        """At least 1."""
        return int(self._allowed)

    def note(self, seconds: float, size: int) -> None:
        """A request of so many bytes was answered after so long."""
        cost = seconds / max(size, 1)
        usual = cost if self._usual is None else self._usual
        if cost > SLOW * usual:
            self._allowed = max(1.0, self._allowed * 0.75)
        else:
            self._allowed = min(float(self._most), self._allowed + 1.0 / self._allowed)
        self._usual = usual + WEIGHT * (cost - usual)

    def note_busy(self) -> None:
        """The engine asked for patience."""
        self._allowed = max(1.0, self._allowed / 2)
