"""SQL over parts and tail together, from any thread, while the store goes on.

Invariant: a query sees one `View`, whole: never a row twice, never one between tail and part. A
file is removed only when no query that may still read it is under way.
Must not go here: which SQL; `store/` knows that.
"""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from msgspec import Struct

from armorstack.core.batch import SCHEMA
from armorstack.engines.duckdb.connection import first_line, open_reader, quoted
from armorstack.engines.duckdb.part import Part
from armorstack.engines.duckdb.tail import Slice
from armorstack.errors import StoreError

_COLUMNS = ", ".join(f'"{name}"' for name in SCHEMA.names)


class View(Struct, frozen=True):
    """What the store holds at one moment."""

    parts: tuple[Part, ...] = ()
    slices: tuple[Slice, ...] = ()

    def within(self, start_us: int | None, end_us: int | None) -> "View":
        """Without what lies wholly outside this span."""

        def touches(span: Part | Slice) -> bool:
            after = start_us is None or span.max_time_us >= start_us
            return after and (end_us is None or span.min_time_us < end_us)

        return View(tuple(filter(touches, self.parts)), tuple(filter(touches, self.slices)))


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
        params: Sequence[Any] | dict[str, Any] = (),
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> pa.Table:
        """The answer to a SELECT over the view `events`, which has the columns of `SCHEMA`.

        With `start_us` and `end_us` (exclusive) `events` holds only events of that time, and only
        the parts that may have some are opened. Raises StoreError.
        """
        with self._lease() as view:
            seen = view.within(start_us, end_us)
            try:
                with self._connection.cursor() as cursor:
                    cursor.register("tail", _table(seen.slices))
                    source = _source(self._parts, seen.parts, start_us, end_us)
                    cursor.execute(f"CREATE TEMP VIEW events AS {source}")
                    return cursor.sql(sql, params=params or None).to_arrow_table()
            except duckdb.Error as error:
                raise StoreError(f"the store cannot answer: {first_line(error)}") from error

    def close(self) -> None:
        """Refuse further queries; those under way end by themselves."""
        self._connection.close()

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


def _table(slices: tuple[Slice, ...]) -> pa.Table:
    return pa.Table.from_batches([each.rows for each in slices], SCHEMA)


def _source(root: Path, parts: tuple[Part, ...], start_us: int | None, end_us: int | None) -> str:
    """The SELECT behind `events`. Files of one layout are one scan: only its first is bound."""
    layouts: defaultdict[str, list[str]] = defaultdict(list)
    for part in parts:
        layouts[part.layout].append(quoted(str(root / part.name)))
    scans = [
        f"SELECT * FROM read_parquet([{', '.join(files)}], hive_partitioning = false)"
        for files in layouts.values()
    ]
    every = " UNION ALL BY NAME ".join(["SELECT * FROM tail", *scans])
    bounds = [f"time >= make_timestamp({start_us})"] if start_us is not None else []
    bounds += [f"time < make_timestamp({end_us})"] if end_us is not None else []
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    return f"SELECT {_COLUMNS} FROM ({every}){where}"
