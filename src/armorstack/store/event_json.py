"""One event as a flat JSON object, as the API, the tail and exports show it.

Members have the names that queries have, so that a value can be asked for as it was shown; those
of no query keep their column's. An absent value is an absent member. Times are ISO 8601 in UTC
with six fraction digits and a Z, ids are text, severity and every other number is a number.

Invariant: what `encode` returns is JSON that shows nothing a terminal obeys: such characters,
which whoever runs in a pod chooses, are written as JSON escapes, so values stay what they were.
Must not go here: ECS, KubeArmor's own form, files.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from armorstack.core.batch import SCHEMA
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.rebuild import canonical_time, from_micros
from armorstack.core.text import UNSAFE
from armorstack.core.times import parse_time
from armorstack.store.contract import Row
from armorstack.store.cursor import decode_id, encode_id

Document = dict[str, Any]

TIMES = ("time", "received", "fold_first", "fold_last")
_encode = msgspec.json.Encoder().encode


def _names() -> dict[str, str]:
    asked = {
        next(column for column in field.columns if column in SCHEMA.names): name
        for name, field in QUERY_FIELDS.items()
        if any(column in SCHEMA.names for column in field.columns)
    }
    return {asked.get(column, column): column for column in SCHEMA.names}


COLUMNS: dict[str, str] = {name: column for name, column in _names().items() if name != "original"}
"""Member → column of `SCHEMA`, in the order of that. The original is bytes, and has its own way."""
SHOWN: tuple[str, ...] = tuple(name for name in COLUMNS if name not in ("spelling", "extra"))
"""What is shown unless columns are chosen: all but what only rebuilding needs."""
NAMES: dict[str, str] = {column: name for name, column in COLUMNS.items()}
"""Column → member."""


def columns_of(names: Sequence[str]) -> list[str]:
    """The columns of `SCHEMA` behind these members."""
    return [COLUMNS[name] for name in names]


def plain(row: Row) -> Document:
    """The event. `row` is one of a store's, whichever columns it has."""
    return {
        NAMES[column]: _SHOWN_AS[column](value) if column in _SHOWN_AS else value
        for column, value in row.items()
        if column in NAMES
    }


def row_of(document: Mapping[str, Any]) -> Row:
    """The row that `plain` made this of. Raises ValueError where it made no such thing."""
    row = {COLUMNS[name]: value for name, value in document.items() if name in COLUMNS}
    for column in TIMES:
        if column in row:
            row[column] = _moment(row[column])
    if "id" in row:
        row["id"] = decode_id(row["id"])
    if "severity" in row:
        row["severity"] = str(row["severity"])
    return row


def encode(value: Any) -> bytes:
    """The value as JSON in UTF-8, in one line."""
    line = _encode(value)
    if line.isascii() and b"\x7f" not in line:
        return line
    return UNSAFE.sub(_escape, line.decode()).encode()


def time_text(time_us: int) -> str:
    """Microseconds since 1970 as ISO 8601."""
    return canonical_time(from_micros(time_us))


def severity_number(text: str) -> int | str:
    """The number; a text that is none, which only a strange relay sends, stays as it is."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _moment(text: str) -> int:
    time_us = parse_time(text)
    if time_us is None:
        raise ValueError(f"{text!r} is no time")
    return time_us


def _escape(match: re.Match[str]) -> str:
    """The character as JSON writes it in ASCII: one UTF-16 unit, or two beyond U+FFFF."""
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


_SHOWN_AS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(TIMES, time_text),
    "id": encode_id,
    "severity": severity_number,
    "event_data": dict,
}
