"""What came last, in the order in which it came, for whoever follows along.

Invariant: rows are numbered as they come, without a hole, from 0 when the store is opened; those
that are held are the last ones, bounded in rows and bytes. A `Recent` never changes.
"""

from collections.abc import Iterator

import pyarrow as pa
from msgspec import Struct

from armorstack.engines.duckdb.tail import Slice, appended

MAX_ROWS = 20_000
"""Ten seconds at 2,000 events/s: whoever follows along asks several times a second."""
MAX_BYTES = 16 * 1024 * 1024


class Recent(Struct, frozen=True):
    """The last rows; `end` is the number of the next one."""

    slices: tuple[Slice, ...] = ()
    end: int = 0

    @property
    def start(self) -> int:
        """The number of the first row that is held."""
        return self.end - sum(len(piece.rows) for piece in self.slices)

    def since(self, number: int) -> Iterator[pa.RecordBatch]:
        """The rows from this number on, which must be held."""
        at = self.start
        for piece in self.slices:
            if at + len(piece.rows) > number:
                yield piece.rows.slice(max(0, number - at))
            at += len(piece.rows)

    def joined(
        self, rows: pa.RecordBatch, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES
    ) -> "Recent":
        """The same with these rows, and without the first ones where that is too much."""
        slices = appended(self.slices, rows)
        sizes = [piece.rows.get_total_buffer_size() for piece in slices]
        counts = [len(piece.rows) for piece in slices]
        first = 0
        while first < len(slices) - 1 and (
            sum(counts[first:]) > max_rows or sum(sizes[first:]) > max_bytes
        ):
            first += 1
        return Recent(slices[first:], self.end + len(rows))
