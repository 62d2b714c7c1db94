"""CSV for people and their spreadsheets: RFC 4180, UTF-8, a header, CRLF.

Invariants: one event is one line, since control and invisible characters, line breaks among them,
are written as `\\x0a`. No cell is a formula to a spreadsheet: a text whose first character, spaces,
quotes and separators left aside, is one of `=`, `+`, `-`, `@` (or their wide forms), or that begins
with a control character, gets a `'` in front. So CSV does not give every text back as it was; JSON,
NDJSON and Parquet do. Numbers are left as they are. Lists are joined with commas, maps are JSON.
"""

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.text import UNSAFE, printable
from armorstack.store.event_json import encode
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

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"
_FORMULA = re.compile(
    "[\x00-\x1f\x7f-\x9f]|[\\s\"'`,;\ufeff\u200b-\u200f]*[=+\\-@\uff1d\uff0b\uff0d\uff20]"
)
_PLAIN = re.compile(r"[\w/.:\[\](){}$%&#!?<>~^|* =+@;`'-]*", re.ASCII)
"""What needs no quotes."""


def header(names: Sequence[str]) -> bytes:
    """The first line."""
    return ",".join(names).encode() + b"\r\n"


def lines(rows: pa.RecordBatch, names: Sequence[str]) -> bytes:
    """The rows, one line each."""
    cells = [_cells(column_of(rows, name), name) for name in names]
    return contents(joined([joined(cells, ","), "\r\n"]))


def defused(text: str) -> str:
    """The text as a cell shows it, before quoting."""
    guarded = f"'{text}" if _FORMULA.match(text) else text
    return printable(guarded) if UNSAFE.search(guarded) else guarded


def cell(text: str) -> str:
    """The text as a cell."""
    shown = defused(text)
    return shown if _PLAIN.fullmatch(shown) else '"' + shown.replace('"', '""') + '"'


def _cells(column: pa.Array, name: str) -> pa.Array:
    """The column as cells; an absent value is an empty cell."""
    type_ = type_of(name)
    if column.null_count == len(column):
        return pa.repeat("", len(column))
    if type_ == TIME:
        return pc.fill_null(time_texts(column), "")
    if type_ in NUMBERS:
        return pc.fill_null(column.cast(pa.string()), "")
    if name == "id":
        return written(id_texts(column), cell)
    if type_ == LIST:
        return written(listed(column, str), cell)
    if type_ == MAP:
        return written(_objects(column), cell)
    return written(column, cell)


def _objects(column: pa.Array) -> pa.Array:
    texts = mapped(column, _key, _json)
    return pc.if_else(column.is_valid(), joined(["{", texts, "}"]), "")


def _key(key: str) -> str:
    return f"{_json(key)}:"


def _json(text: str | None) -> str:
    return encode(text).decode()
