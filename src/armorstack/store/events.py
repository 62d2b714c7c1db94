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
from armorstack.engines.duckdb.connection import first_line, open_reader
from armorstack.engines.duckdb.part import Part
from armorstack.engines.duckdb.snapshot import BATCH_ROWS, OUT_OF_MEMORY, Snapshot, View
from armorstack.errors import StoreError


class Events(Protocol):
    """Events as a table `events` that has the columns of `SCHEMA`."""

    def query(self, sql: str) -> pa.Table:
        """The answer to a SELECT; a small one. Raises StoreError."""

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
        self._rows = sum(part.rows for part in parts)
        self._snapshot = Snapshot(
            root / "parts", View(tuple(parts)), session.connection,
            failing="the store's parts cannot be read",
        )  # fmt: skip
        self._span = (start_us, end_us)

    def rows(self) -> int:
        """Rows of the parts, also those outside the span."""
        return self._rows

    def query(self, sql: str) -> pa.Table:
        """See `Events`; raises PartGone, too."""
        return self._snapshot.query(sql, (), *self._span)

    def stream(self, sql: str) -> Iterator[pa.RecordBatch]:
        """See `Events`; raises PartGone, too."""
        yield from self._snapshot.stream(sql, (), *self._span)


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
    return OUT_OF_MEMORY if isinstance(error, duckdb.OutOfMemoryException) else ""
