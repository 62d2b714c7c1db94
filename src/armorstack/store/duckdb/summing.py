"""Groups of fields added up by Arrow, and what their values are called by plain evaluation.

DuckDB plans a statement for longer than that takes, and a page has a dozen of them. Invariant: the
sums are those of a GROUP BY over `columns.counted`. Must not go here: groups that are measured by
another field.
"""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.batch import SCHEMA
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.row_values import counted_of
from armorstack.store.duckdb.columns import raw

MAX_LISTS = 1_000
"""Rows with lists that are added up here, which is done one by one."""
_ENDS = ("count", "first_us", "last_us")


def can_sum(table: pa.Table, fields: Sequence[str]) -> bool:
    """Whether this is sooner done here than by a statement."""
    return len(table) <= MAX_LISTS or not any(_is_nested(raw(field)) for field in fields)


def summed(table: pa.Table, fields: Sequence[str], *more: str) -> list[tuple[Any, ...]]:
    """Of each group its values, those of the columns `more`, count, first and last time.

    The table is one of `Counting`.
    """
    if all(map(_is_plain, fields)):
        return _grouped(_without_nulls(table, fields), [*map(raw, fields), *more])
    columns = list(dict.fromkeys([*map(raw, fields), *more]))
    nested = any(map(_is_nested, columns))
    rows = _rows(table, [*columns, *_ENDS]) if nested else _grouped(table, columns)
    return _named(rows, columns, fields, more)


def _is_plain(field: str) -> bool:
    """Whether the value is the text of a column."""
    is_text = QUERY_FIELDS[field].sort in ("text", "word")
    return is_text and QUERY_FIELDS[field].columns[0] in SCHEMA.names


def _is_nested(column: str) -> bool:
    return column in SCHEMA.names and pa.types.is_nested(SCHEMA.field(column).type)


def _without_nulls(table: pa.Table, fields: Sequence[str]) -> pa.Table:
    for name in dict.fromkeys(map(raw, fields)):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pc.fill_null(table[name], ""))
    return table


def _grouped(table: pa.Table, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    names = list(dict.fromkeys(columns))
    groups = table.group_by(names, use_threads=False).aggregate(
        [("count", "sum"), ("first_us", "min"), ("last_us", "max")]
    )
    return _rows(groups, [*columns, "count_sum", "first_us_min", "last_us_max"])


def _rows(table: pa.Table, names: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(_values(table, name) for name in names), strict=True))


def _values(table: pa.Table, name: str) -> list[Any]:
    column = table[name]
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    values = column.to_pylist()
    return [dict(each or ()) for each in values] if pa.types.is_map(column.type) else values


def _named(
    rows: Iterable[tuple[Any, ...]], columns: Sequence[str], fields: Sequence[str],
    more: Sequence[str],
) -> list[tuple[Any, ...]]:  # fmt: skip
    """The groups by what their values are called; several columns' values may have one name."""
    readers = [counted_of(field) for field in fields]
    found: dict[tuple[Any, ...], tuple[int, int, int]] = {}
    for *values, count, first_us, last_us in rows:
        row = dict(zip(columns, values, strict=True))
        kept = tuple(row[name] for name in more)
        for told in product(*(read(row) for read in readers)):
            old = found.get((*told, *kept), (0, first_us, last_us))
            sums = (old[0] + count, min(old[1], first_us), max(old[2], last_us))
            found[(*told, *kept)] = sums
    return [(*key, *sums) for key, sums in found.items()]
