"""Events that can be asked with SQL: those of parts, or those of lines that were decoded here.

Invariant: memory is bounded by DuckDB's limit and one batch; what does not fit is spilled to a
folder of this process alone, and gone afterwards. Event text in that folder is for its owner only.
Must not go here: which SQL.
"""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import duckdb
import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.engines.duckdb.connection import first_line, open_reader, quoted
from armorstack.engines.duckdb.part import Part
from armorstack.errors import StoreError

BATCH_ROWS = 8192
_COLUMNS = ", ".join(f'"{name}"' for name in SCHEMA.names)
_NARROWER = "look at a shorter time with --since and --until"


class PartGone(Exception):
    """A part was merged or removed while it was read: list again and begin anew."""


class Events(Protocol):
    """Events as a table `events` that has the columns of `SCHEMA`."""

    def query(self, sql: str) -> pa.Table:
        """The answer to a SELECT; a small one. Raises StoreError or PartGone."""

    def stream(self, sql: str) -> Iterator[pa.RecordBatch]:
        """The same for a large answer, some thousand rows at a time."""

    def rows(self) -> int:
        """About how many events there are, for showing how far a reading is."""


class Session:
    """A DuckDB connection of one reading, with its own place to spill."""

    def __init__(self, memory_bytes: int, root: Path | None = None) -> None:
        """`root` is the folder of a store whose parts are to be read."""
        self._spill = tempfile.TemporaryDirectory(prefix="armorstack-")
        try:
            self.folder = Path(self._spill.name)
            self.connection = open_reader(root or self.folder, memory_bytes, spill=self.folder)
        except BaseException:
            self._spill.cleanup()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.connection.close()
        self._spill.cleanup()


class PartEvents:
    """The events of parts; a `Session` over the same root must be open."""

    def __init__(
        self, session: Session, root: Path, parts: Sequence[Part],
        start_us: int | None = None, end_us: int | None = None,
    ) -> None:  # fmt: skip
        self._files = [root / "parts" / part.name for part in parts]
        self._rows = sum(part.rows for part in parts)
        self._connection = session.connection
        source = _source(self._files, [part.layout for part in parts], _bounds(start_us, end_us))
        with self._wrapped():
            self._connection.execute(f"CREATE OR REPLACE TEMP VIEW events AS {source}")

    def rows(self) -> int:
        """Rows of the parts, also those outside the span."""
        return self._rows

    def query(self, sql: str) -> pa.Table:
        """See `Events`."""
        with self._wrapped():
            return self._connection.sql(sql).to_arrow_table()

    def stream(self, sql: str) -> Iterator[pa.RecordBatch]:
        """See `Events`."""
        with self._wrapped():
            yield from self._connection.sql(sql).to_arrow_reader(BATCH_ROWS)

    @contextlib.contextmanager
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            if not all(file.exists() for file in self._files):
                raise PartGone from error
            told = f"the store's parts cannot be read: {first_line(error)}"
            raise StoreError(told, hint=_hint(error)) from error


class BatchEvents:
    """Events that were decoded here, kept in a file of the session."""

    def __init__(self, session: Session, batches: Iterable[pa.RecordBatch]) -> None:
        self._connection = session.connection
        self._file = str(session.folder / "events.arrow")
        self._rows = 0
        with pa.OSFile(self._file, "wb") as file, pa.ipc.new_stream(file, SCHEMA) as writer:
            for batch in batches:
                self._rows += len(batch)
                writer.write_batch(batch)

    def rows(self) -> int:
        """How many events there are."""
        return self._rows

    def query(self, sql: str) -> pa.Table:
        """See `Events`."""
        with self._asked(sql) as reader:
            return reader.read_all()

    def stream(self, sql: str) -> Iterator[pa.RecordBatch]:
        """See `Events`."""
        with self._asked(sql) as reader:
            yield from reader

    @contextlib.contextmanager
    def _asked(self, sql: str) -> Iterator[pa.RecordBatchReader]:
        try:
            # Opened for each question, since a stream is read once.
            with pa.OSFile(self._file, "rb") as file, pa.ipc.open_stream(file) as events:
                self._connection.register("events", events)
                yield self._connection.sql(sql).to_arrow_reader(BATCH_ROWS)
        except (duckdb.Error, pa.ArrowException) as error:
            told = f"the lines cannot be read: {first_line(error)}"
            raise StoreError(told, hint=_hint(error)) from error


def _hint(error: Exception) -> str:
    return _NARROWER if isinstance(error, duckdb.OutOfMemoryException) else ""


def _bounds(start_us: int | None, end_us: int | None) -> str:
    told = [f"time >= make_timestamp({start_us})"] if start_us is not None else []
    told += [f"time < make_timestamp({end_us})"] if end_us is not None else []
    return f" WHERE {' AND '.join(told)}" if told else ""


def _source(files: Sequence[Path], layouts: Sequence[str], where: str) -> str:
    """The SELECT behind `events`. Files of one layout are one scan; what one lacks is null."""
    nothing = ", ".join(f'NULL::{_TYPES[field.type]} AS "{field.name}"' for field in SCHEMA)
    scans = [f"SELECT {nothing} WHERE false"]
    for layout in sorted(set(layouts)):
        same = [quoted(str(f)) for f, each in zip(files, layouts, strict=True) if each == layout]
        names = ", ".join(same)
        scans.append(f"SELECT * FROM read_parquet([{names}], hive_partitioning = false)")
    return f"SELECT {_COLUMNS} FROM ({' UNION ALL BY NAME '.join(scans)}){where}"


_TYPES = {
    pa.binary(): "BLOB",
    pa.string(): "VARCHAR",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.timestamp("us"): "TIMESTAMP",
    pa.list_(pa.string()): "VARCHAR[]",
    pa.map_(pa.string(), pa.string()): "MAP(VARCHAR, VARCHAR)",
}
