"""The parts of a store beside the worker that has it open, or with none: without its tail.

Invariant: nothing in the store's folder is made, locked or changed. Must not go here: SQL.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from armorstack.config.scalars import MIB
from armorstack.core.gap import Gap
from armorstack.engines.duckdb.connection import fit_path
from armorstack.engines.duckdb.snapshot import Snapshot, View, opened
from armorstack.engines.place import PlaceKey
from armorstack.store.budget import Budget
from armorstack.store.contract import Arrivals
from armorstack.store.duckdb import arrivals as came
from armorstack.store.duckdb.event_store import DuckdbEventStore
from armorstack.store.duckdb.inquiry import Inquiry
from armorstack.store.duckdb.live import ARRIVALS_S, wall_clock_us
from armorstack.store.duckdb.moment import Namespaces
from armorstack.store.events import Session
from armorstack.store.parts import Known, list_parts

MEMORY_BYTES = 256 * MIB
Gaps = Callable[[int | None, int | None], Iterable[Gap]]


class PartsStore(DuckdbEventStore):
    """The `EventStore` over the parts in a store's folder; to be closed."""

    def __init__(
        self, root: Path, *, memory_bytes: int = MEMORY_BYTES,
        now_us: Callable[[], int] = wall_clock_us, gaps: Gaps = lambda start_us, end_us: (),
    ) -> None:  # fmt: skip
        """`root` is the store's folder, `gaps` gives those that touch a span: the catalogue, which
        has them, is locked. Raises StoreError."""
        root = fit_path(root)
        self._session = Session(memory_bytes, root)
        super().__init__(_PartsSource(self._session, root, gaps), now_us)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Let go; questions are refused from now on."""
        self._session.__exit__(None, None, None)


class _PartsSource:
    """A `Source` over files that come and go."""

    def __init__(self, session: Session, root: Path, gaps: Gaps) -> None:
        self._connection = session.connection
        self._parts = root / "parts"
        self._gaps = gaps
        self._places = PlaceKey.read_from(root)
        self._known: Known = {}
        self._lock = threading.Lock()

    def snapshot(self, namespaces: Namespaces) -> contextlib.AbstractContextManager[Snapshot]:
        """The parts that there are now."""
        with self._lock:
            parts = list_parts(self._parts, known=self._known).parts
        return opened(self._connection, self._parts, View(parts), namespaces)

    def gaps(self, start_us: int | None, end_us: int | None) -> list[Gap]:
        """Gaps that touch the span."""
        return list(self._gaps(start_us, end_us))

    def arrivals(self, place: str, limit: int, namespaces: Namespaces) -> Arrivals:
        """What came since that place, as far as it was written into parts."""
        since = self._places.read(place)
        with self.snapshot(namespaces) as snapshot:
            if since is None:
                return Arrivals((), self._places.sealed(came.now(snapshot.view, 0)))
            found = came.stored(Inquiry(snapshot, Budget(ARRIVALS_S)), since, limit, 0)
        return Arrivals(found.rows, self._places.sealed(found.place), found.missed)
