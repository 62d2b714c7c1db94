"""The tail: rows that are in the store but not yet in a part.

Invariant: it stays below its bounds plus one batch, whatever the size of the batches: small ones
are joined, since an Arrow batch of one row takes 25 kB, and columns without any value share one
array. Queries see it through `slices`, which never changes under them.
"""

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from armorstack.core.batch import SCHEMA

_ORIGINAL = SCHEMA.get_field_index("original")
_SMALL_ROWS = 256
_JOINED_ROWS = 8192
MAX_BYTES = 20 * 1024 * 1024
"""Bytes in memory that make the tail full: the worker's memory is bounded, `part_rows` or not."""


class Slice(Struct, frozen=True):
    """Some rows of the tail and the span of their times, microseconds since 1970."""

    rows: pa.RecordBatch
    min_time_us: int
    max_time_us: int


class Tail:
    """Rows in memory. Used from one thread; `slices` may be handed to others."""

    def __init__(self, max_rows: int, max_bytes: int = MAX_BYTES) -> None:
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._nulls: dict[pa.DataType, pa.Array] = {}
        self.slices: tuple[Slice, ...] = ()
        self.rows = 0
        self.bytes = 0
        self.taken = 0
        """Rows offered since the last flush, duplicates too: each lies in the spool until then."""
        self.since_us = 0
        """When the oldest row came in; 0: there is none."""

    def add(self, rows: pa.RecordBatch, *, now_us: int, keep_original: bool) -> pa.RecordBatch:
        """Take these rows, of which there may be none; returns them as they are kept."""
        if not len(rows):
            return rows
        self.since_us = self.since_us or now_us
        self.rows += len(rows)
        self.bytes += rows.get_total_buffer_size()
        rows = self._shared(rows, keep_original)
        self.slices = appended(self.slices, rows)
        return rows

    def is_full(self) -> bool:
        """Whether it must be flushed before it takes more."""
        return max(self.rows, self.taken) >= self._max_rows or self.bytes >= self._max_bytes

    def table(self) -> pa.Table:
        """All rows, without copying."""
        return pa.Table.from_batches([each.rows for each in self.slices], SCHEMA)

    def clear(self) -> None:
        """Forget all of it."""
        self.slices, self.rows, self.bytes, self.taken, self.since_us = (), 0, 0, 0, 0

    def _shared(self, rows: pa.RecordBatch, keep_original: bool) -> pa.RecordBatch:
        """The same rows, with one array for all columns that say nothing."""
        length = len(rows)
        columns = rows.columns
        for index, column in enumerate(columns):
            if column.null_count == length or (index == _ORIGINAL and not keep_original):
                columns[index] = self._nothing(column.type, length)
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)

    def _nothing(self, type_: pa.DataType, length: int) -> pa.Array:
        held = self._nulls.get(type_)
        if held is None or len(held) < length:
            held = self._nulls[type_] = pa.nulls(max(length, _JOINED_ROWS), type_)
        return held.slice(0, length)


def appended(slices: tuple[Slice, ...], rows: pa.RecordBatch) -> tuple[Slice, ...]:
    """One slice more, or the last ones joined with it while these are small and of like size."""
    kept = len(slices)
    pieces = [rows]
    total = len(rows)
    while kept and len(rows) < _SMALL_ROWS:
        before = len(slices[kept - 1].rows)
        if before > 2 * total or before + total > _JOINED_ROWS:
            break
        kept -= 1
        total += before
        pieces.insert(0, slices[kept].rows)
    joined = pa.concat_batches(pieces) if len(pieces) > 1 else rows
    return (*slices[:kept], _slice(joined))


def _slice(rows: pa.RecordBatch) -> Slice:
    span = pc.min_max(rows.column("time"))
    return Slice(rows, span["min"].value, span["max"].value)
