"""The embedded store as it runs in this process: parts and tail, and what has just arrived.

Must not go here: SQL.
"""

import contextlib
import time
from collections.abc import Callable, Iterable

from armorstack.core.gap import Gap
from armorstack.engines.duckdb.snapshot import Snapshot, View
from armorstack.engines.duckdb.store import Store
from armorstack.store.budget import Budget
from armorstack.store.contract import Arrivals
from armorstack.store.duckdb import arrivals as came
from armorstack.store.duckdb.event_store import DuckdbEventStore
from armorstack.store.duckdb.inquiry import Inquiry
from armorstack.store.duckdb.moment import Namespaces

FIRST_US, LAST_US = -(1 << 60), 1 << 60
ARRIVALS_S = 10.0


def wall_clock_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class LiveStore(DuckdbEventStore):
    """The `EventStore` over a `Store` that is open in this process."""

    def __init__(
        self, store: Store, now_us: Callable[[], int] = wall_clock_us,
        open_gaps: Callable[[], Iterable[Gap]] = tuple,
    ) -> None:  # fmt: skip
        """`open_gaps` are those that have not ended, which the store does not know yet."""
        super().__init__(LiveSource(store, open_gaps), now_us)
        self._store = store

    def view(self) -> View:
        """The parts and the tail of this moment."""
        return self._store.view()


class LiveSource:
    """A `Source` over an open `Store`."""

    def __init__(self, store: Store, open_gaps: Callable[[], Iterable[Gap]]) -> None:
        self._store = store
        self._open_gaps = open_gaps

    def snapshot(self, namespaces: Namespaces) -> contextlib.AbstractContextManager[Snapshot]:
        """Parts and tail as they are now."""
        return self._store.snapshot(namespaces)

    def gaps(self, start_us: int | None, end_us: int | None) -> list[Gap]:
        """Gaps that touch the span."""
        start_us = FIRST_US if start_us is None else start_us
        end_us = LAST_US if end_us is None else end_us
        going_on = (
            gap for gap in self._open_gaps() if gap.end_us >= start_us and gap.start_us < end_us
        )
        return [*self._store.gaps(start_us, end_us), *going_on]

    def arrivals(self, place: str, limit: int, namespaces: Namespaces) -> Arrivals:
        """What came since that place: from memory, or else from the store."""
        keys, view = self._store.places, self._store.view()
        since = keys.read(place)
        if since is None:
            return Arrivals((), keys.sealed(came.now(view, self._store.opened_us)))
        if came.is_held(view.recent, since, self._store.opened_us):
            found = came.held(view.recent, since, limit, namespaces)
        else:
            with self.snapshot(namespaces) as snapshot:
                inquiry = Inquiry(snapshot, Budget(ARRIVALS_S))
                found = came.stored(inquiry, since, limit, self._store.opened_us)
        return Arrivals(found.rows, keys.sealed(found.place), found.missed)
