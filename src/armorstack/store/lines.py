"""Lines of events, as a file or a pipe gives them, decoded for a reading that needs no store.

Invariant: an event counts as arrived when it happened, so that what depends on arrival (the fold)
is reckoned as in a live stream. Must not go here: following a file; keeping events.
"""

from collections.abc import Iterator
from itertools import islice
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.batch import SCHEMA
from armorstack.core.decode import decode
from armorstack.spool.rows import row_of

MAX_LINE_BYTES = 16 * 1024 * 1024
_LINES = 4096
_BATCH_BYTES = 32 * 1024 * 1024


class Lines:
    """The events of a stream of lines, and how many lines were none."""

    def __init__(
        self, stream: IO[bytes], now_us: int, start_us: int | None = None,
        end_us: int | None = None,
    ) -> None:  # fmt: skip
        """`now_us` is the time of events that tell none; the end is exclusive."""
        self._stream, self._now_us = stream, now_us
        self._start_us, self._end_us = start_us, end_us
        self.unread = 0
        """Lines that are no events: malformed, too long, or something else's log."""

        self.taken_bytes = 0
        """Bytes read so far."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The events, some thousand at a time, with the columns of `SCHEMA`."""
        cut = self._cut()
        while lines := list(_up_to(cut, _BATCH_BYTES)):
            row = row_of(
                lines, source="lines", stream="auto", encoding="json", received_us=self._now_us
            )
            decoded = decode([row])
            self.unread += len(decoded.rejected) + sum(decoded.skipped.values())
            yield self._within(_arrived_at_once(decoded.batch.rows))

    def _cut(self) -> Iterator[bytes]:
        while line := self._stream.readline(MAX_LINE_BYTES + 1):
            self.taken_bytes += len(line)
            if len(line) > MAX_LINE_BYTES:
                self.unread += 1
                while line and not line.endswith(b"\n"):
                    line = self._stream.readline(MAX_LINE_BYTES)
                    self.taken_bytes += len(line)
            elif not line.isspace():
                yield line.rstrip(b"\r\n")

    def _within(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        time = rows.column("time").cast(pa.int64())
        if self._start_us is not None:
            rows, time = _only(rows, time, pc.greater_equal(time, self._start_us))
        if self._end_us is not None:
            rows, time = _only(rows, time, pc.less(time, self._end_us))
        return rows


def _up_to(lines: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    taken = 0
    for line in islice(lines, _LINES):
        yield line
        taken += len(line)
        if taken >= max_bytes:
            return


def _arrived_at_once(rows: pa.RecordBatch) -> pa.RecordBatch:
    place = SCHEMA.get_field_index("received")
    return rows.set_column(place, SCHEMA.field(place), rows.column("time"))


def _only(
    rows: pa.RecordBatch, time: pa.Array, mask: pa.BooleanArray
) -> tuple[pa.RecordBatch, pa.Array]:
    return rows.filter(mask), time.filter(mask)
