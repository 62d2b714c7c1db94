"""Columns as texts of a format: each distinct value is written once, the rest is Arrow's work.

Events repeat themselves, so most of an export is spent on few values. Invariant: the arrays that
come out have one text per row and no nulls. Must not go here: what a format does to a value.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

Write = Callable[[Any], str]
BATCH_BYTES = 16 * 1024 * 1024


def written(column: pa.Array, write: Write, absent: str = "") -> pa.Array:
    """Each value as `write` has it; `absent` where there is none."""
    if column.null_count == len(column):
        return pa.repeat(pa.scalar(absent), len(column))
    encoded = column.dictionary_encode()
    texts = pa.array(map(write, encoded.dictionary.to_pylist()), pa.string())
    return pc.fill_null(texts.take(encoded.indices), absent)


def listed(column: pa.ListArray, write: Write, absent: str = "") -> pa.Array:
    """The values of each list, written and joined by commas; `absent` where there is no list."""
    compact = _compact(column)
    joined = _joined(compact, written(compact.flatten(), write))
    return pc.if_else(column.is_valid(), joined, absent)


def mapped(column: pa.MapArray, write_key: Write, write: Write, absent: str = "") -> pa.Array:
    """The same of a map: key and value follow each other."""
    compact = _compact(column)
    start, end = compact.offsets[0].as_py(), compact.offsets[-1].as_py()
    keys, items = (each.slice(start, end - start) for each in (compact.keys, compact.items))
    pairs = joined([written(keys, write_key), written(items, write, '""')])
    return pc.if_else(column.is_valid(), _joined(compact, pairs), absent)


def joined(columns: Sequence[Any], between: str = "") -> pa.Array:
    """The texts of a row, one after the other; a single text is the same in every row."""
    return pc.binary_join_element_wise(*columns, between)


def values(column: pa.Array) -> list[Any]:
    """The column for Python. A text that stands in many rows is made once, which is most of it."""
    if column.null_count == len(column):
        return [None] * len(column)
    if column.type != pa.string():
        made: list[Any] = column.to_pylist()
        return made
    encoded = column.dictionary_encode()
    texts = [*encoded.dictionary.to_pylist(), None]
    places = pc.fill_null(encoded.indices, len(texts) - 1)
    return [texts[place] for place in memoryview(places.buffers()[1]).cast("i")[: len(column)]]


def contents(texts: pa.Array) -> bytes:
    """The texts of all rows, one after the other."""
    offsets = texts.buffers()[1]
    if not len(texts) or offsets is None:
        return b""
    places = memoryview(offsets).cast("i")
    data = texts.buffers()[2]
    start, end = places[texts.offset], places[texts.offset + len(texts)]
    return data[start:end].to_pybytes() if data is not None else b""


def small(rows: pa.RecordBatch, most: int) -> list[pa.RecordBatch]:
    """The batch in pieces of so many rows, and of a size that Arrow's offsets can hold."""
    if not len(rows):
        return []
    step = max(1, min(most, len(rows) * BATCH_BYTES // max(1, rows.nbytes)))
    return [rows.slice(start, step) for start in range(0, len(rows), step)]


def _compact(column: pa.Array) -> pa.Array:
    """The same from the first value of its buffers on, without values behind nulls."""
    return column.take(pa.array(range(len(column)), pa.int64()))


def _joined(lists: pa.Array, texts: pa.Array) -> pa.Array:
    """The texts, which belong to the values of these lists, joined by commas."""
    offsets = pc.subtract(lists.offsets, lists.offsets[0])
    return pc.binary_join(pa.ListArray.from_arrays(offsets, texts), ",")
