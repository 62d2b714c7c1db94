"""The values that an event has in a field.

Invariant: an empty text is no value, and neither is a severity that is no number. Must not go
here: what is asked of the values.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from armorstack.core.ecs.verdict import actions
from armorstack.core.query.event_id import encode_id
from armorstack.core.query.names import FREE_TEXT, QUERY_FIELDS

Row: TypeAlias = Mapping[str, Any]
"""One event as `store/contract.py` says: the columns of `SCHEMA` that have a value."""
Texts: TypeAlias = Callable[[Row], Sequence[str]]
Number: TypeAlias = Callable[[Row], int | None]

_DIGITS = re.compile(r"[0-9]{1,9}")


def texts_of(name: str, key: str = "") -> Texts:
    """The texts of a field of sort text, word, texts, labels, map or id; none of them empty."""
    field = QUERY_FIELDS[name]
    if field.sort == "map":
        return _of_key(field.columns[0], key) if key else _of_map(field.columns[0])
    if len(field.columns) == 1:
        return _column(field.columns[0])
    readers = [_column(column) for column in field.columns]
    return lambda row: [text for read in readers for text in read(row)]


def number_of(name: str) -> Number:
    """The number or time of a field; None where it has none."""
    (column,) = QUERY_FIELDS[name].columns
    return _severity if column == "severity" else lambda row: row.get(column)


def counted_of(name: str) -> Texts:
    """The values by which an event is counted: each once, the empty text where it has none.

    Of several columns the first counts.
    """
    field = QUERY_FIELDS[name]
    if field.sort in ("number", "time"):
        number = number_of(name)
        return lambda row: ("" if (found := number(row)) is None else str(found),)
    several = field.sort in ("texts", "labels", "map")
    read = texts_of(name) if several else _column(field.columns[0])
    return lambda row: tuple(dict.fromkeys(read(row))) or ("",)


def free_texts(row: Row) -> Sequence[str]:
    """All that free text is looked for in, a list's elements one by one, labels as they are."""
    found = [text for column in _FREE_COLUMNS if (text := row.get(column))]
    return [*found, *_tags(row)]


def _column(name: str) -> Texts:
    return _COLUMNS.get(name) or _text(name)


def _text(column: str) -> Texts:
    def read(row: Row) -> Sequence[str]:
        text = row.get(column)
        return (text,) if text else ()

    return read


def _of_key(column: str, key: str) -> Texts:
    def read(row: Row) -> Sequence[str]:
        text = (row.get(column) or {}).get(key)
        return (text,) if text else ()

    return read


def _of_map(column: str) -> Texts:
    return lambda row: [text for text in (row.get(column) or {}).values() if text]


def _tags(row: Row) -> Sequence[str]:
    return [tag for tag in row.get("atags") or () if tag]


def _labels(row: Row) -> Sequence[str]:
    return [label for label in (row.get("labels") or "").split(",") if label]


def _done(row: Row) -> Sequence[str]:
    written = row.get("action")
    return (actions(written)[0],) if written else ()


def _intended(row: Row) -> Sequence[str]:
    intended = actions(row.get("action") or "")[1]
    return (intended,) if intended else ()


def _owner_path(row: Row) -> Sequence[str]:
    kind, name = row.get("owner_ref"), row.get("owner_name")
    return (f"{kind}/{name}",) if kind and name else ()


def _id(row: Row) -> Sequence[str]:
    return (encode_id(row["id"]),)


def _severity(row: Row) -> int | None:
    written = row.get("severity")
    return int(written) if written and _DIGITS.fullmatch(written) else None


_COLUMNS: dict[str, Texts] = {
    "atags": _tags, "labels": _labels, "done": _done, "intended": _intended,
    "owner_path": _owner_path, "id": _id,
}  # fmt: skip
_FREE_COLUMNS = tuple(
    column
    for name in FREE_TEXT
    for column in QUERY_FIELDS[name].columns
    if column not in ("atags", "done", "owner_path")
)
