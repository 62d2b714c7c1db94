"""What the store holds at one moment, asked with SQL as often as needed.

Invariant: all questions to one snapshot see the same rows. It belongs to one thread; `interrupt`
alone may be called from others. Must not go here: which SQL; how long a question may take.
"""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from msgspec import Struct

from armorstack.core.batch import SCHEMA
from armorstack.engines.duckdb.connection import first_line, quoted
from armorstack.engines.duckdb.parquet import current_layout
from armorstack.engines.duckdb.part import Part
from armorstack.engines.duckdb.recent import Recent
from armorstack.engines.duckdb.tail import Slice
from armorstack.errors import StoreError

BATCH_ROWS = 8192
CONNECTION = threading.Lock()
"""Held for a call on a connection that several threads take cursors of: it refuses a second one."""
_AGAIN_S = 0.05
OUT_OF_MEMORY = "ask for a shorter time, or for fewer values at once"

Values = Sequence[Any] | Mapping[str, Any]
"""Values of the parameters of a statement, by place or by name."""


class PartGone(StoreError):
    """A part was merged or removed while it was read: list them again and begin anew."""


class View(Struct, frozen=True):
    """What the store holds at one moment."""

    parts: tuple[Part, ...] = ()
    slices: tuple[Slice, ...] = ()
    recent: Recent = Recent()
    """What came last; part of the rows above."""

    def within(self, start_us: int | None, end_us: int | None) -> "View":
        """Without what lies wholly outside this span."""

        def touches(span: Part | Slice) -> bool:
            after = start_us is None or span.max_time_us >= start_us
            return after and (end_us is None or span.min_time_us < end_us)

        parts, slices = filter(touches, self.parts), filter(touches, self.slices)
        return View(tuple(parts), tuple(slices), self.recent)

    def last_us(self) -> int:
        """The latest time of an event; 0 without one."""
        ends = [part.max_time_us for part in self.parts]
        return max(ends + [piece.max_time_us for piece in self.slices], default=0)

    def received_since(self, received_us: int) -> "View":
        """Without parts of which every row was received before."""
        parts = (part for part in self.parts if part.max_received_us >= received_us)
        return View(tuple(parts), self.slices, self.recent)


class Answer(Struct, frozen=True):
    """Some rows."""

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows with the names of their columns."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]


class Snapshot:
    """A view, and a cursor to ask it."""

    def __init__(
        self, root: Path, view: View, cursor: duckdb.DuckDBPyConnection,
        namespaces: Sequence[str] | None = None, *, failing: str = "the store cannot answer",
    ) -> None:  # fmt: skip
        """`root` is the folder that the parts' names begin in; `failing` begins what is told of an
        error. Where `namespaces` are given,
        `events` holds their events alone, whatever is asked; see `events_sql`."""
        self.view = view
        self._root = root
        self._cursor = cursor
        self._failing = failing
        self._is_busy = self._is_stopped = self._has_tail = False
        self._is_restricted = namespaces is not None
        if namespaces is not None:
            with self._wrapped():
                cursor.execute("SET VARIABLE allowed = $1::VARCHAR[]", [list(namespaces)])

    def query(
        self, sql: str, params: Values = (), start_us: int | None = None,
        end_us: int | None = None, view: View | None = None,
        columns: Collection[str] = SCHEMA.names,
    ) -> pa.Table:  # fmt: skip
        """The answer to a SELECT over the view `events`, which has these columns of `SCHEMA`.

        With `start_us` and `end_us` (exclusive) `events` holds only events of that time, and only
        the parts that may have some are opened; with `view` only those that it names. Raises
        StoreError.
        """
        with self._wrapped():
            self._show((view or self.view).within(start_us, end_us), start_us, end_us, columns)
            return self._cursor.sql(sql, params=params or None).to_arrow_table()

    def stream(
        self, sql: str, params: Values = (), start_us: int | None = None,
        end_us: int | None = None, view: View | None = None,
        columns: Collection[str] = SCHEMA.names, rows: int = BATCH_ROWS,
    ) -> Iterator[pa.RecordBatch]:  # fmt: skip
        """The same for a large answer, `rows` at a time."""
        with self._wrapped():
            self._show((view or self.view).within(start_us, end_us), start_us, end_us, columns)
            yield from self._cursor.sql(sql, params=params or None).to_arrow_reader(rows)

    def answer(
        self, sql: str, params: Values = (), start_us: int | None = None,
        end_us: int | None = None, view: View | None = None,
        columns: Collection[str] = SCHEMA.names,
    ) -> Answer:  # fmt: skip
        """The same as `query` for a small answer of a statement that begins with SELECT or WITH.

        A third of the time: nothing is made that lasts, and the statement is planned only once.
        """
        with self._wrapped():
            seen = (view or self.view).within(start_us, end_us)
            source = self._source(seen, start_us, end_us, columns)
            return self._fetched(_with_events(source, sql), params)

    def answer_over(self, tables: Mapping[str, pa.Table], sql: str, params: Values = ()) -> Answer:
        """The answer to a SELECT over these tables, by name; none of the store's is touched."""
        with self._wrapped():
            for name, table in tables.items():
                self._cursor.register(name, table)
            return self._fetched(sql, params)

    def interrupt(self) -> None:
        """End what is asked, now and later, with StoreError; from any thread."""
        self._is_stopped = True
        # Whoever asked may have let go of the cursor already.
        with contextlib.suppress(duckdb.Error):
            self._cursor.interrupt()
        if self._is_busy:
            # A statement that was just about to begin has not noticed.
            again = threading.Timer(_AGAIN_S, self.interrupt)
            again.daemon = True
            again.start()

    def _show(
        self, view: View, start_us: int | None, end_us: int | None, columns: Collection[str]
    ) -> None:
        source = self._source(view, start_us, end_us, columns)
        self._cursor.execute(f"CREATE OR REPLACE TEMP VIEW events AS {source}")

    def _source(
        self, view: View, start_us: int | None, end_us: int | None, columns: Collection[str]
    ) -> str:
        if view.slices or not self._has_tail:
            self._cursor.register("tail", _table(view.slices))
            self._has_tail = True
        return events_sql(
            self._root, view.parts, start_us, end_us, is_restricted=self._is_restricted,
            columns=columns, has_tail=bool(view.slices),
        )  # fmt: skip

    def _fetched(self, sql: str, params: Values) -> Answer:
        found = self._cursor.execute(sql, params or None)
        names = tuple(each[0] for each in found.description or ())
        return Answer(names, found.fetchall())

    @contextlib.contextmanager
    def _wrapped(self) -> Iterator[None]:
        self._is_busy = True
        try:
            if self._is_stopped:
                raise StoreError(f"{self._failing}: it was interrupted")
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            if not all((self._root / part.name).exists() for part in self.view.parts):
                told = "a part of the store went away while it was read"
                raise PartGone(told, hint="try again") from error
            hint = OUT_OF_MEMORY if isinstance(error, duckdb.OutOfMemoryException) else ""
            told = f"{self._failing}: {first_line(error)}"
            raise StoreError(told, hint=hint) from error
        finally:
            self._is_busy = False


@contextlib.contextmanager
def opened(
    connection: duckdb.DuckDBPyConnection, root: Path, view: View,
    namespaces: Sequence[str] | None = None,
) -> Iterator[Snapshot]:  # fmt: skip
    """A snapshot with a cursor of its own; see `Snapshot`. Raises StoreError."""
    try:
        with CONNECTION:
            cursor = connection.cursor()
    except duckdb.Error as error:
        raise StoreError(f"the store cannot answer: {first_line(error)}") from error
    with cursor:
        yield Snapshot(root, view, cursor, namespaces)


def _table(slices: tuple[Slice, ...]) -> pa.Table:
    return pa.Table.from_batches([each.rows for each in slices], SCHEMA)


def events_sql(
    root: Path, parts: Sequence[Part], start_us: int | None, end_us: int | None, *,
    is_restricted: bool = False, columns: Collection[str] = SCHEMA.names,
    has_tail: bool = True,
) -> str:  # fmt: skip
    """The SELECT behind `events`, over parts and the table `tail`, if there is something in it.

    Files of one layout are one scan: only its first is bound. Restricted, it has only events of
    the namespaces in the variable `allowed`; nothing else keeps a reader inside them.
    """
    layouts: defaultdict[str, list[str]] = defaultdict(list)
    for part in parts:
        layouts[part.layout].append(quoted(str(root / part.name)))
    inside = _listed({*columns, "time", "namespace_name"})
    # What files of another layout have, only they know.
    scans = [
        f"SELECT {inside if layout == current_layout() else '*'} "
        f"FROM read_parquet([{', '.join(files)}], hive_partitioning = false)"
        for layout, files in layouts.items()
    ]
    if has_tail or set(layouts) != {current_layout()}:
        # It tells the types of columns that files may lack.
        scans.insert(0, f"SELECT {inside} FROM tail")
    every = " UNION ALL BY NAME ".join(scans)
    bounds = [f"time >= make_timestamp({start_us})"] if start_us is not None else []
    bounds += [f"time < make_timestamp({end_us})"] if end_us is not None else []
    bounds += ["list_contains(getvariable('allowed'), namespace_name)"] if is_restricted else []
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    return f"SELECT {_listed(columns)} FROM ({every}){where}"


def _with_events(source: str, sql: str) -> str:
    """The statement over a table `events` of its own."""
    events = f"WITH events AS NOT MATERIALIZED ({source})"
    rest = sql.lstrip()
    return f"{events}, {rest[5:]}" if rest.startswith("WITH ") else f"{events} {rest}"


def _listed(columns: Collection[str]) -> str:
    return ", ".join(f'"{name}"' for name in SCHEMA.names if name in columns)
