"""Groups of fields whose values are counted as they stand in their column, added up by Arrow.

DuckDB plans a statement for longer than that takes, and a page has a dozen of them. Invariant: the
sums are those of a GROUP BY over `columns.counted`. Must not go here: fields whose value has to be
made first.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.batch import SCHEMA
from armorstack.core.query.names import QUERY_FIELDS


def is_plain(field: str) -> bool:
    """Whether the value is the text of a column."""
    column = QUERY_FIELDS[field].columns[0]
    is_text = column in SCHEMA.names and pa.types.is_string(SCHEMA.field(column).type)
    return is_text and QUERY_FIELDS[field].sort in ("text", "word")


def summed(table: pa.Table, fields: Sequence[str], *more: str) -> list[tuple[Any, ...]]:
    """Of each group its values, those of the columns `more`, count, first and last time.

    The table is one of `Counting`; all fields are plain.
    """
    columns = [pc.fill_null(table[QUERY_FIELDS[field].columns[0]], "") for field in fields]
    names = [*(f"value{place}" for place in range(len(fields))), *more]
    ends = ("count", "first_us", "last_us")
    told = pa.table(
        [*columns, *(table[name] for name in (*more, *ends))], names=[*names, *ends]
    )  # fmt: skip
    groups = told.group_by(names, use_threads=False).aggregate(
        [("count", "sum"), ("first_us", "min"), ("last_us", "max")]
    )
    shown = [*names, "count_sum", "first_us_min", "last_us_max"]
    return list(zip(*(groups[name].to_pylist() for name in shown), strict=True))
