"""Ids of the events that a sink took lately, for sinks that cannot ask what they hold.

Invariant: an id counts as seen only after `add`, so a batch that could not be written may be
written again. Bounded: an event that comes again after `limit` others is taken for new. Must not
go here: keeping ids on disk; a sink that remembers for ever asks its store.
"""

from collections import deque
from collections.abc import Iterable, Sequence

LIMIT = 50_000
"""About 8 MB of memory, and several seconds of events at 10,000/s: what a source sends twice, as
after a reconnect, it sends within that."""


class RecentIds:
    """The last `limit` ids, used by one thread."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._known: set[bytes] = set()
        self._order: deque[bytes] = deque()

    def unseen(self, ids: Sequence[bytes]) -> list[int]:
        """Indices of ids that were not seen before, nor earlier in `ids`; marks nothing."""
        here: set[bytes] = set()
        fresh = []
        for index, one in enumerate(ids):
            if one not in self._known and one not in here:
                here.add(one)
                fresh.append(index)
        return fresh

    def add(self, ids: Iterable[bytes]) -> None:
        """Count these as seen; those that were added first are forgotten first."""
        for one in ids:
            if one not in self._known:
                self._known.add(one)
                self._order.append(one)
        while len(self._order) > self._limit:
            self._known.discard(self._order.popleft())

    def __len__(self) -> int:
        return len(self._order)
