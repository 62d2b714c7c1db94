"""SQL over parts and tail together, from any thread, while the store goes on.

Invariant: a query sees one `View`, whole: never a row twice, never one between tail and part. A
file is removed only when no query that may still read it is under way.
Must not go here: which SQL; `store/` knows that.
"""

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from armorstack.engines.duckdb.connection import open_reader
from armorstack.engines.duckdb.snapshot import CONNECTION, Snapshot, Values, View, opened
from armorstack.errors import StoreError

CLOSE_S = 2.0
"""How long closing waits for queries that were told to end."""


class Reader:
    """Answers queries. Every method may be called from any thread."""

    def __init__(self, root: Path, memory_bytes: int) -> None:
        self._parts = root / "parts"
        self._connection = open_reader(root, memory_bytes)
        self._lock = threading.Lock()
        self._view = View()
        self._leases: set[int] = set()
        self._next_lease = 0
        self._doomed: list[tuple[int, Path]] = []
        self._asked: list[Snapshot] = []
        self._ended = threading.Condition()
        self._is_closed = False

    def publish(self, view: View) -> None:
        """Queries that begin from now on see this view."""
        with self._lock:
            self._view = view

    def view(self) -> View:
        """What the next query would see."""
        return self._view

    def discard(self, names: Iterable[str]) -> None:
        """Remove these parts' files as soon as no query that began before now reads them."""
        with self._lock:
            self._doomed += ((self._next_lease, self._parts / name) for name in names)
        self._unlink()

    def query(
        self,
        sql: str,
        params: Values = (),
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> pa.Table:
        """One question to a snapshot of now; see `Snapshot.query`."""
        with self.snapshot() as snapshot:
            return snapshot.query(sql, params, start_us, end_us)

    @contextlib.contextmanager
    def snapshot(self, namespaces: Sequence[str] | None = None) -> Iterator[Snapshot]:
        """What the store holds now, or these namespaces of it; its files stay until it is left.

        Raises StoreError.
        """
        with (
            self._lease() as view,
            opened(self._connection, self._parts, view, namespaces) as snapshot,
            self._listed(snapshot),
        ):
            yield snapshot

    def close(self) -> None:
        """Refuse further queries and end those under way."""
        with self._ended:
            self._is_closed = True
            for snapshot in self._asked:
                snapshot.interrupt()
            self._ended.wait_for(lambda: not self._asked, CLOSE_S)
        # Where one has not ended yet, DuckDB refuses; it goes with the process.
        with CONNECTION, contextlib.suppress(duckdb.Error):
            self._connection.close()

    @contextlib.contextmanager
    def _listed(self, snapshot: Snapshot) -> Iterator[None]:
        with self._ended:
            if self._is_closed:
                raise StoreError("the store is closed")
            self._asked.append(snapshot)
        try:
            yield
        finally:
            with self._ended:
                self._asked.remove(snapshot)
                self._ended.notify_all()

    @contextlib.contextmanager
    def _lease(self) -> Iterator[View]:
        with self._lock:
            lease = self._next_lease
            self._next_lease += 1
            self._leases.add(lease)
            view = self._view
        try:
            yield view
        finally:
            with self._lock:
                self._leases.remove(lease)
            self._unlink()

    def _unlink(self) -> None:
        with self._lock:
            oldest = min(self._leases, default=self._next_lease)
            free = [path for lease, path in self._doomed if lease <= oldest]
            self._doomed = [(lease, path) for lease, path in self._doomed if lease > oldest]
        for path in free:
            path.unlink(missing_ok=True)
