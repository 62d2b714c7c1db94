"""JSON lines in every spelling to rows; the spelling is told apart line by line.

PascalCase (Go's encoding of the protobuf struct: relay stdout, `karmor logs --json`, the relay
adapters' documents), camelCase (KubeArmor's own file) and protojson (`MessageToDict`: Timestamp is
a string). Members beyond the table are kept in `extra`, as is all that the rules of `rebuild`
could not give back, so that the original can always be rebuilt, equal as JSON.

Must not go here: protobuf; reading files.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from armorstack.core.batch import SCHEMA, Rejected
from armorstack.core.fields import FIELDS, STREAMS, Field, Stream
from armorstack.core.frames import Group, Part
from armorstack.core.ids import ids
from armorstack.core.rebuild import Spelling, differences, from_micros
from armorstack.core.times import is_canonical, parse_time, seconds_to_micros

_MARKS: dict[Spelling, frozenset[str]] = {
    "pascal": frozenset(("Timestamp", "UpdatedTime")),
    "camel": frozenset(("timestamp", "updatedTime")),
}
_RELAY_LOG = frozenset(("level", "ts", "caller", "msg"))
_ALERT_TYPES = frozenset(
    ("MatchedPolicy", "MatchedHostPolicy", "MatchedNativePolicy", "SystemEvent")
)
_LOG_TYPES = frozenset(("ContainerLog", "HostLog"))
_POLICY_MEMBERS = ("policy_name", "enforcer", "severity")
_LIMITS = {"int32": 1 << 31, "int64": 1 << 63}


class LineFault(ValueError):
    """Why a line is no event: `error_type` and one sentence."""

    def __init__(self, error_type: str, reason: str) -> None:
        super().__init__(reason)
        self.error_type = error_type


def spelling_of(line: Mapping[str, Any]) -> Spelling | None:
    """How the members of an event are spelled; None where it is no event."""
    if line.keys() & _MARKS["camel"]:
        return "camel"
    if line.keys() & _MARKS["pascal"] or ("Type" in line and "HostName" in line):
        return "protojson" if isinstance(line.get("Timestamp"), str) else "pascal"
    return "camel" if "type" in line and "hostName" in line else None


def stream_of(row: Mapping[str, Any]) -> Stream:
    """Alert, log or message, for a line that came without its stream.

    By Type where that decides; MatchedNetworkPolicy comes on both streams (quirk 12) and is an
    alert only with a policy's fields, as is a Type that nobody knows yet.
    """
    if row["type"] == "Message" or row["level"] is not None:
        return "message"
    if row["type"] in _ALERT_TYPES:
        return "alert"
    if row["type"] in _LOG_TYPES:
        return "log"
    return "alert" if any(row[name] is not None for name in _POLICY_MEMBERS) else "log"


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    raise TypeError("a text")


def _integer(value: Any, limit: int) -> int:
    if isinstance(value, str):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -limit <= value < limit:
        raise TypeError("an integer")
    return value


def _texts(value: Any) -> list[str] | None:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value or None
    raise TypeError("a list of texts")


def _map(value: Any) -> dict[str, str] | None:
    if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
        return value or None
    raise TypeError("an object of texts")


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "int32": lambda value: _integer(value, _LIMITS["int32"]),
    "int64": lambda value: _integer(value, _LIMITS["int64"]),
    "texts": _texts,
    "map": _map,
}


def _member(line: Mapping[str, Any], path: str) -> Any:
    parent, _, leaf = path.rpartition(".")
    if not parent:
        return line.get(leaf)
    inner = line.get(parent)
    if inner is None:
        return None
    if not isinstance(inner, dict):
        raise LineFault("wrong_type", f"member {parent} should be an object")
    return inner.get(leaf)


def _field_value(line: Mapping[str, Any], field: Field, path: str) -> Any:
    value = _member(line, path)
    if value is None:
        return None
    try:
        value = _CONVERT[field.kind](value)
    except (TypeError, ValueError) as error:
        wanted = error if isinstance(error, TypeError) else "an integer"
        raise LineFault("wrong_type", f"member {path} should be {wanted}") from error
    keeps_zero = field.always or field.column == "oid"
    return None if value == 0 and field.kind != "text" and not keeps_zero else value


def _row(line: Mapping[str, Any], spelling: Spelling) -> dict[str, Any]:
    row = {}
    for field in FIELDS:
        path = field.camel if spelling == "camel" else field.name
        row[field.column] = _field_value(line, field, path) if path else None
    return row


def _fill(row: dict[str, Any], spelling: Spelling, stream: Stream, received_us: int) -> None:
    """The columns that are ours; the digest comes later, for all rows at once."""
    row["spelling"], row["stream"] = spelling, stream
    if stream != "message":
        for field in FIELDS:
            if field.always and row[field.column] is None:
                row[field.column] = 0
    written = row["updated_time"]
    micros = parse_time(written) if written else None
    if micros is None:
        micros = seconds_to_micros(row["timestamp"])
    row["time"] = from_micros(received_us if micros is None else micros)
    row["received"] = from_micros(received_us)


def _event(line: bytes, stream: str, received_us: int) -> dict[str, Any] | str:
    """One row, or the name of what the line is when it is no event; raises LineFault."""
    try:
        members = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LineFault("malformed_json", str(error)) from error
    if not isinstance(members, dict):
        raise LineFault("not_an_event", "the line is JSON, but not an object")
    spelling = spelling_of(members)
    if spelling is None:
        if members.keys() >= _RELAY_LOG:
            return "relay_log"
        raise LineFault("not_an_event", "the object has no member that KubeArmor's events have")
    row = _row(members, spelling)
    known = next((each for each in STREAMS if each == stream), None)
    _fill(row, spelling, known or stream_of(row), received_us)
    row["seed_time"] = row["updated_time"]
    if row["updated_time"] and is_canonical(row["updated_time"]):
        row["updated_time"] = None
    row["extra"] = differences(members, row)
    return row


def _has_unknown(row: Mapping[str, Any]) -> bool:
    if row["extra"] is None:
        return False
    known = {f.camel if row["spelling"] == "camel" else f.name for f in FIELDS}
    known |= {path.partition(".")[0] for path in known}
    return bool(msgspec.json.decode(row["extra"]).get("set", {}).keys() - known)


def _digests(rows: list[dict[str, Any]]) -> list[bytes]:
    digests: list[bytes] = [b""] * len(rows)
    for stream in STREAMS:
        at = [i for i, row in enumerate(rows) if row["stream"] == stream]
        if not at:
            continue
        columns = {
            field.name: pa.array(
                [rows[i][field.column] for i in at], SCHEMA.field(field.column).type
            )
            for field in FIELDS
            if field.kind not in ("texts", "map")
        }
        columns["UpdatedTime"] = pa.array([rows[i]["seed_time"] for i in at], pa.string())
        for i, digest in zip(at, ids(columns, stream).to_pylist(), strict=True):
            digests[i] = digest
    return digests


def _batch(rows: list[dict[str, Any]], source: str) -> pa.RecordBatch:
    for row, digest in zip(rows, _digests(rows), strict=True):
        row["id"], row["from_source"] = digest, source
    arrays = []
    for field in SCHEMA:
        values = [row.get(field.name) for row in rows]
        if pa.types.is_map(field.type):
            values = [None if value is None else list(value.items()) for value in values]
        arrays.append(pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def decode_lines(frames: Group, keep_original: bool) -> Part:
    """Decode one group of lines; see `Part`."""
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    skipped: dict[str, int] = {}
    for index, line in enumerate(frames.frames):
        row = frames.row(index)
        try:
            event = _event(line, row.stream, row.received_us)
        except LineFault as fault:
            rejected.append(frames.reject(index, fault.error_type, str(fault)))
            continue
        if isinstance(event, str):
            skipped[event] = skipped.get(event, 0) + 1
            continue
        if keep_original:
            event["original"] = line
        rows.append(event)
    made = _batch(rows, frames.head.source) if rows else None
    return Part(made, tuple(rejected), skipped, sum(map(_has_unknown, rows)))
