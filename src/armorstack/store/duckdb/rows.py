"""Events as rows: answers to `Row`s. Must not go here: which events."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.engines.duckdb.snapshot import Answer
from armorstack.store.contract import Row

ALWAYS = ("id", "time", "stream")
_TIMES = {field.name for field in SCHEMA if pa.types.is_timestamp(field.type)}


def selection(columns: Sequence[str] | None) -> tuple[str, ...]:
    """The columns of `SCHEMA` that are asked for, in its order; None: all. Raises ValueError."""
    if columns is None:
        return tuple(SCHEMA.names)
    if unknown := set(columns).difference(SCHEMA.names):
        raise ValueError(f"there are no columns {sorted(unknown)}")
    wanted = {*columns, *ALWAYS}
    return tuple(name for name in SCHEMA.names if name in wanted)


def selected(columns: Sequence[str]) -> str:
    """The same as SQL; times as microseconds."""
    return ", ".join(
        f'epoch_us("{name}") AS "{name}"' if name in _TIMES else f'"{name}"' for name in columns
    )


def rows_of(answer: Answer) -> list[Row]:
    """The rows, without what has no value."""
    return [_row(each) for each in answer.dicts()]


def batch_rows(batch: pa.RecordBatch) -> list[Row]:
    """The same of rows in memory."""
    return [_row(each) for each in _as_micros(batch).to_pylist()]


def _as_micros(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _row(values: dict[str, Any]) -> Row:
    row = {name: value for name, value in values.items() if value is not None}
    if "event_data" in row:
        row["event_data"] = dict(row["event_data"])
    return row
