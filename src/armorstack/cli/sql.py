"""`armorstack query --sql`: the answer to a statement, as a table, CSV or one object a line.

The statement runs in this process; a worker is asked for no more than what it has in no part yet.
Must not go here: what a statement may do; `store/sql.py` knows that.
"""

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any, Literal

from armorstack.cli.event_table import fitted, heads, line
from armorstack.cli.interrupts import Interrupts
from armorstack.cli.paint import Paint, is_terminal, say
from armorstack.cli.reading import remark, terminal_width
from armorstack.core.text import printable

How = Literal["json", "csv", ""]
_MEASURED = 1000
"""Rows that a table's widths are taken from."""


def run(place: Any, sql: str, how: How, memory_bytes: int, seconds: float) -> None:
    """Run the statement and print its answer."""
    from armorstack.store.sql import answered

    with Interrupts() as interrupts:
        root, tail, told = place.sql()
        remark(told)
        with answered(root, sql, interrupts.budget(seconds), memory_bytes, tail) as reader:
            rows = (row for batch in reader for row in _rows(batch))
            _print(list(reader.schema.names), rows, how)


def _print(names: Sequence[str], rows: Iterator[Sequence[Any]], how: How) -> None:
    if how == "json":
        for row in rows:
            say(json.dumps(dict(zip(names, map(_plain, row), strict=True)), allow_nan=False))
    elif how == "csv":
        _csv(names, rows)
    elif is_terminal():
        _table(names, rows)
    else:
        for row in rows:
            say("\t".join(map(_cell, row)))


def _rows(batch: Any) -> Iterator[Sequence[Any]]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _table(names: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    cells = ([_cell(value) for value in row] for row in rows)
    first = [row for row, _ in zip(cells, range(_MEASURED), strict=False)]
    layout, paint = fitted([printable(name) for name in names], first, terminal_width()), Paint()
    say(heads(layout, paint), paint)
    for row in chain(first, cells):
        say(line(layout, row, paint), paint)


def _csv(names: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    from armorstack.store.forms.csv import defused

    held = io.StringIO()
    writer = csv.writer(held)
    for row in chain([names], rows):
        writer.writerow([defused(value) if isinstance(value, str) else _cell(value)
                         for value in row])  # fmt: skip
        sys.stdout.write(held.getvalue())
        held.seek(0)
        held.truncate()


def _cell(value: Any) -> str:
    """The value as printable text; an absent one is empty."""
    shown = _plain(value)
    if shown is None:
        return ""
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
    return printable(text)


def _plain(value: Any) -> Any:
    """The value as JSON has it."""
    for kinds, convert in _AS_JSON:
        if isinstance(value, kinds):
            return convert(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _bytes(value: bytes) -> str:
    from armorstack.store.cursor import ID_BYTES, encode_id

    return encode_id(value) if len(value) == ID_BYTES else value.hex()


def _decimal(value: Decimal) -> Any:
    return int(value) if value == value.to_integral_value() else float(value)


def _items(value: Sequence[Any]) -> Any:
    """A list; one of pairs is a map."""
    is_map = bool(value) and all(isinstance(each, tuple) and len(each) == 2 for each in value)
    if is_map:
        return {str(_plain(key)): _plain(each) for key, each in value}
    return [_plain(each) for each in value]


_AS_JSON: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (bytes, _bytes),
    (datetime, lambda value: value.isoformat() + ("" if value.tzinfo else "Z")),
    (date, lambda value: value.isoformat()),
    (Decimal, _decimal),
    (float, lambda value: value if math.isfinite(value) else None),
    ((list, tuple), _items),
    (dict, lambda value: {str(key): _plain(each) for key, each in value.items()}),
)
