"""Every event that is meant, piece by piece, in constant memory.

Invariant: each piece of the store, a part or a slice of the tail, is sorted by itself, so memory
follows the size of a piece and never of the answer; what does not fit is spilled by DuckDB.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.core.query.question import Question
from armorstack.engines.duckdb.snapshot import View
from armorstack.store.duckdb.inquiry import Filter, Inquiry
from armorstack.store.duckdb.rows import selection


def batches(
    inquiry: Inquiry, question: Question, columns: Sequence[str] | None, newest_first: bool
) -> Iterator[pa.RecordBatch]:
    """See `EventStore.stream`."""
    names = selection(columns)
    schema = pa.schema([SCHEMA.field(name) for name in names])
    span = (question.start_us, question.end_us)
    for piece in _pieces(inquiry.view.within(*span), newest_first):
        asked = Filter(question.tree())
        order = "DESC" if newest_first else "ASC"
        listed = ", ".join(f'"{name}"' for name in names)
        sql = f"SELECT {listed} FROM events WHERE {asked.sql} ORDER BY time {order}, id {order}"
        for batch in inquiry.batches(sql, asked.parameters, *span, piece):
            yield batch.cast(schema)


def _pieces(view: View, newest_first: bool) -> list[View]:
    """The parts and the tail's slices, one by one, in the order of their first events."""
    pieces = [(part.min_time_us, View(parts=(part,))) for part in view.parts]
    pieces += [(piece.min_time_us, View(slices=(piece,))) for piece in view.slices]
    pieces.sort(key=lambda each: each[0], reverse=newest_first)
    return [view for _, view in pieces]
