"""The original of an event, rebuilt from its columns in the spelling it came in (contract 4).

`rebuild` prints what KubeArmor prints for such values: PascalCase as the relay's stdout and
`karmor logs --json`, camelCase as KubeArmor's own file, protojson as `MessageToDict`. What these
rules cannot give back (unknown members, an explicit empty text) lies in the `extra` column, which
`differences` makes when an event is decoded, so that the result is equal as JSON, always.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from armorstack.core.fields import FIELDS, Field

Spelling = Literal["protobuf", "pascal", "camel", "protojson"]

_CAMEL_ALWAYS = frozenset(
    [
        "timestamp",
        "updated_time",
        "host_name",
        "host_ppid",
        "host_pid",
        "ppid",
        "pid",
        "uid",
        "oid",
        "parent_process_name",
        "process_name",
        "atags",
        "type",
        "source",
        "operation",
        "resource",
        "cwd",
        "data",
        "result",
    ]
)
"""Columns whose members KubeArmor's file prints even when they are empty."""


def from_micros(micros: int) -> datetime:
    """Microseconds since 1970 as a naive UTC time, which is what Arrow gives back."""
    return datetime(1970, 1, 1) + timedelta(microseconds=micros)


def canonical_time(moment: datetime) -> str:
    """A naive UTC time as KubeArmor writes UpdatedTime: six fraction digits and a Z."""
    return moment.isoformat(timespec="microseconds") + "Z"


def _value(row: Mapping[str, Any], field: Field) -> Any:
    if field.name == "UpdatedTime" and not row.get("updated_time"):
        return canonical_time(row["time"])
    value = row.get(field.column)
    if field.kind == "map" and value is not None:
        return dict(value)
    return value


def _put(out: dict[str, Any], path: str, value: Any) -> None:
    parent, _, leaf = path.rpartition(".")
    (out.setdefault(parent, {}) if parent else out)[leaf] = value


def _pascal(row: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    is_message = row["stream"] == "message"
    for field in FIELDS:
        value = _value(row, field)
        if value is None and field.always and not is_message:
            value = 0
        if value is not None:
            _put(out, field.name, value)
    return out


def _protojson(row: Mapping[str, Any]) -> dict[str, Any]:
    out = {k: v for k, v in _pascal(row).items() if v != 0}
    if "Timestamp" in out:
        out["Timestamp"] = str(out["Timestamp"])
    return out


def _empty(field: Field) -> Any:
    return {"text": "", "int32": 0, "int64": 0, "texts": None, "map": {}}[field.kind]


def _camel(row: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for field in FIELDS:
        value = _value(row, field)
        if value is None and field.column in _CAMEL_ALWAYS:
            value = _empty(field)
        elif value is None or not field.camel:
            continue
        _put(out, field.camel, value)
    if row.get("namespace_name") is not None:
        out.setdefault("owner", {})
    return out


def rebuild_plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The event by the rules of its spelling alone, without `extra`."""
    if row["spelling"] == "camel":
        return _camel(row)
    return _protojson(row) if row["spelling"] == "protojson" else _pascal(row)


def rebuild(row: Mapping[str, Any]) -> dict[str, Any]:
    """The original as a JSON object; `row` has the columns of `SCHEMA`, maps as dict or pairs.

    For an event that came as protobuf: as the relay's stdout would have printed it. Protobuf
    fields beyond the table are not in it (nor does the relay print them); they lie in `extra`.
    """
    out = rebuild_plain(row)
    if row.get("extra"):
        extra = msgspec.json.decode(row["extra"])
        for member in extra.get("unset", ()):
            out.pop(member, None)
        out.update(extra.get("set", {}))
    return out


def differences(original: Mapping[str, Any], row: Mapping[str, Any]) -> str | None:
    """The `extra` that makes `rebuild` give back `original`; None where nothing is missing.

    Works on whole top-level members: a nested member that differs is kept whole.
    """
    plain = rebuild_plain(row)
    changed = {k: v for k, v in original.items() if k not in plain or not _same(plain[k], v)}
    unset = [k for k in plain if k not in original]
    if not changed and not unset:
        return None
    extra = {"set": changed, "unset": unset}
    return msgspec.json.encode({k: v for k, v in extra.items() if v}).decode()


def _same(left: Any, right: Any) -> bool:
    """Equal as JSON: 1 and true are not, nor 1 and 1.0 written differently."""
    return type(left) is type(right) and bool(left == right)
