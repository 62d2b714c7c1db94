"""Every event that is meant, of one moment, in constant memory and in the order of (time, id).

Must not go here: forms of files.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.core.query.question import Question
from armorstack.store.contract import Row
from armorstack.store.elastic.inquiry import Inquiry
from armorstack.store.elastic.pages import fetched, hits, order, rows_of, selection

ROWS = 1_000
"""Events of one request."""


def batches(
    inquiry: Inquiry, question: Question, columns: Sequence[str] | None, newest_first: bool
) -> Iterator[pa.RecordBatch]:
    """See `EventStore.stream`. The inquiry is of a point in time."""
    names = selection(columns)
    body = {
        "query": inquiry.query(question.tree(), question.start_us, question.end_us), "size": ROWS,
        "sort": order(newest_first=newest_first), **fetched(names),
    }  # fmt: skip
    while True:
        found = inquiry.search(body)
        if rows := rows_of(found, names):
            yield batch_of(rows, names)
        if len(rows) < ROWS:
            return
        # An engine may give the point another id while it is read.
        inquiry.pit = found.get("pit_id", inquiry.pit)
        body = body | {"search_after": hits(found)[-1]["sort"][:2]}


def batch_of(rows: Sequence[Row], names: Sequence[str]) -> pa.RecordBatch:
    """The rows as a batch of these columns of `SCHEMA`."""
    schema = pa.schema([SCHEMA.field(name) for name in names])
    columns = [_column([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(values: list[Any], type_: pa.DataType) -> pa.Array:
    if pa.types.is_map(type_):
        values = [None if value is None else list(value.items()) for value in values]
    return pa.array(values, type_)
