"""Events as flat JSON objects, a batch at a time; the same that `event_json.plain` makes of one.

Invariant: each row is one JSON object in one line that shows nothing a terminal obeys.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.store.event_json import encode, severity_number
from armorstack.store.forms.cells import contents, joined, listed, mapped, written
from armorstack.store.forms.columns import (
    LIST,
    MAP,
    NUMBERS,
    TIME,
    column_of,
    id_texts,
    time_texts,
    type_of,
)


def flat_lines(rows: pa.RecordBatch, names: Sequence[str], between: str) -> bytes:
    """One object per row with these members, each followed by `between`."""
    kept = [name for name in names if column_of(rows, name).null_count < len(rows)]
    if not kept:
        return f"{{}}{between}".encode() * len(rows)
    members = joined([_members(column_of(rows, name), name) for name in kept])
    # Each member begins with a comma, the first of a row with the object's brace.
    opened = pc.binary_replace_slice(members, 0, 1, "{")
    return contents(joined([opened, f"}}{between}"]))


def _members(column: pa.Array, name: str) -> pa.Array:
    """The column as `,"name":value`, or nothing where there is no value."""
    type_, begin = type_of(name), f",{json_of(name)}:"
    if type_ == TIME:
        return _around(f'{begin}"', time_texts(column), '"', column)
    if name == "id":
        return _around(f'{begin}"', id_texts(column), '"', column)
    if type_ in NUMBERS:
        return _around(begin, column.cast(pa.string()), "", column)
    if type_ == LIST:
        return _around(f"{begin}[", listed(column, json_of), "]", column)
    if type_ == MAP:
        texts = mapped(column, lambda key: f"{json_of(key)}:", json_of)
        return _around(f"{begin}{{", texts, "}", column)
    write: Callable[[str], Any] = severity_number if name == "severity" else str
    return written(column, lambda text: begin + json_of(write(text)))


def json_of(value: Any) -> str:
    """The value as JSON."""
    return encode(value).decode()


def _around(before: str, texts: pa.Array, after: str, column: pa.Array) -> pa.Array:
    filled = joined([before, pc.fill_null(texts, ""), after])
    return pc.if_else(column.is_valid(), filled, "")
