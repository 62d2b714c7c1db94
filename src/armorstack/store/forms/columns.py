"""Columns of `SCHEMA` as an export shows them: names of queries, times and ids as text."""

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.batch import SCHEMA
from armorstack.store.cursor import encode_id
from armorstack.store.event_json import COLUMNS

TIME, LIST, MAP = pa.timestamp("us"), pa.list_(pa.string()), pa.map_(pa.string(), pa.string())
NUMBERS = (pa.int32(), pa.int64())


def type_of(name: str) -> pa.DataType:
    """The type of the column behind this name."""
    return SCHEMA.field(COLUMNS[name]).type


def column_of(rows: pa.RecordBatch, name: str) -> pa.Array:
    """The column behind this name."""
    return rows.column(COLUMNS[name])


def time_texts(column: pa.Array) -> pa.Array:
    """Timestamps as ISO 8601 with six fraction digits and a Z."""
    texts = pc.replace_substring(column.cast(TIME).cast(pa.string()), " ", "T")
    return pc.binary_join_element_wise(texts, "Z", "")


def id_texts(column: pa.Array) -> pa.Array:
    """Ids as URLs and answers have them."""
    texts = [None if id_ is None else encode_id(id_) for id_ in column.to_pylist()]
    return pa.array(texts, pa.string())
