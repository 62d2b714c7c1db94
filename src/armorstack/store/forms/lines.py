"""JSON of whole events, one object per line: as ECS, or as KubeArmor's own relay prints them.

Invariant: a line is one JSON object in UTF-8 and shows nothing that a terminal obeys. The form
`kubearmor` is PascalCase whatever spelling an event came in; a folded event has three members more:
ArmorstackCount, ArmorstackFirst, ArmorstackLast.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec
import pyarrow as pa

from armorstack.core.ecs import to_ecs
from armorstack.core.fields import FIELDS
from armorstack.core.rebuild import canonical_time, from_micros, rebuild, rebuild_plain
from armorstack.store.contract import Row
from armorstack.store.event_json import TIMES, Document, encode
from armorstack.store.forms.cells import values

Whole = Literal["ecs", "kubearmor"]
_KNOWN_MEMBERS = {
    name.partition(".")[0] for field in FIELDS for name in (field.name, field.camel) if name
}


def whole_lines(rows: pa.RecordBatch, form: Whole, between: str) -> bytes:
    """One object per row, each followed by `between`, in a form that needs every column."""
    after = between.encode()
    return b"".join(encode(_FORMS[form](row)) + after for row in _rows(rows))


def original(row: Row) -> Document:
    """The event as KubeArmor printed it; `row` is one of a store's, with all its columns."""
    return rebuild(_dated(row))


def ecs(row: Row) -> Document:
    """The event as an ECS document; `row` as for `original`."""
    return to_ecs(_dated(row))


def kubearmor(row: Mapping[str, Any]) -> Document:
    """The event in PascalCase; `row` has every column of `SCHEMA`, times as naive UTC."""
    document = _respelled(row) if row["spelling"] in ("camel", "protojson") else rebuild(row)
    if row["fold_count"]:
        document["ArmorstackCount"] = row["fold_count"]
        for name, column in (("ArmorstackFirst", "fold_first"), ("ArmorstackLast", "fold_last")):
            if row[column] is not None:
                document[name] = canonical_time(row[column])
    return document


def _dated(row: Row) -> Row:
    moments = {column: from_micros(row[column]) for column in TIMES if column in row}
    return {"spelling": None, **row, **moments}


def _respelled(row: Mapping[str, Any]) -> Document:
    """An event of another spelling in PascalCase. Members beyond the table keep their names."""
    document = rebuild_plain({**row, "spelling": "pascal"})
    extra = msgspec.json.decode(row["extra"]) if row["extra"] else {}
    unknown = {k: v for k, v in extra.get("set", {}).items() if k not in _KNOWN_MEMBERS}
    return unknown | document


def _rows(rows: pa.RecordBatch) -> Iterator[Row]:
    """The rows with all their columns, absent values None."""
    names = rows.schema.names
    columns = [values(column) for column in rows.columns]
    return (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


_FORMS: Mapping[Whole, Callable[[Row], Document]] = {"ecs": to_ecs, "kubearmor": kubearmor}
