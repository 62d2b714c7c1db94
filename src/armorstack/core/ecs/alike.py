"""Rows that agree in some columns, found column by column.

Invariant: two rows are in one group just where each column has the same value in both, an absent
one included. Groups are numbered in the order of their first rows.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

_MOST_CODES = 1 << 62
_BETWEEN = "\0"


class Alike(Struct, frozen=True):
    """Groups of rows."""

    groups: list[int]
    """The group of each row."""
    firsts: pa.Array
    """The first row of each group."""


def alike(columns: Sequence[pa.Array]) -> Alike:
    """The groups of rows with the same values in all columns, of which there is one at least."""
    codes, _ = _together(columns)
    rows = pa.table([codes, pa.array(range(len(codes)), pa.int64())], names=["group", "row"])
    firsts = rows.group_by("group", use_threads=False).aggregate([("row", "min")])
    groups: list[int] = codes.to_pylist()
    return Alike(groups, pa.array(sorted(firsts["row_min"].to_pylist()), pa.int64()))


def _together(columns: Sequence[pa.Array]) -> tuple[pa.Array, int]:
    """The group of each row, and how many there are."""
    codes, size = _coded(columns[0])
    for column in columns[1:]:
        if column.null_count == len(column):
            continue
        more, distinct = _coded(column)
        if distinct > 1:
            if size * distinct >= _MOST_CODES:
                codes, size = _coded(codes)
            codes = pc.add(pc.multiply(codes, pa.scalar(distinct, pa.int64())), more)
            size *= distinct
    return _coded(codes)


def _coded(column: pa.Array) -> tuple[pa.Array, int]:
    """Each value as the number of its first appearance, and how many values there are."""
    if pa.types.is_nested(column.type):
        return _coded_lists(column)
    coded = column.dictionary_encode(null_encoding="encode")
    return pc.cast(coded.indices, pa.int64()), len(coded.dictionary)


def _coded_lists(column: pa.Array) -> tuple[pa.Array, int]:
    """The same of lists and maps of texts: by how many they are, and their texts joined."""
    is_map = pa.types.is_map(column.type)
    texts = [column.keys, column.items] if is_map else [column.values]
    if any(each.null_count for each in texts) or any(map(_has_separator, texts)):
        return _coded_one_by_one(column)
    lists = [pa.ListArray.from_arrays(column.offsets, each) for each in texts]
    size = pc.if_else(pc.is_valid(column), pc.list_value_length(lists[0]), None)
    return _together([size, *(pc.binary_join(each, _BETWEEN) for each in lists)])


def _has_separator(texts: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring(texts, _BETWEEN)).as_py())


def _coded_one_by_one(column: pa.Array) -> tuple[pa.Array, int]:
    known: dict[Any, int] = {}
    values: Iterable[Any] = column.to_pylist()
    keys = (None if value is None else tuple(value) for value in values)
    codes = [known.setdefault(key, len(known)) for key in keys]
    return pa.array(codes, pa.int64()), len(known)
