"""The document that an engine keeps of an event, and the event again from the document.

It is what `to_ecs` says, and below `armorstack` two objects more: `exact`, what queries need as it
was written, and `columns`, what neither of the two could give back: a second spelling of the time,
a severity that is no number, empty texts. `columns` is not searchable; most events have none.

The event's id is the document's `_id`, and not said again in `event.id`: 32 bytes that no codec
makes smaller would be kept thrice more, a fifth of all that an event takes.

Invariant: `from_stored(to_stored(row), id)` has the columns of `row` that hold a value, exactly,
also after JSON. Must not go here: which index a document goes into, and what a query means.
"""

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

from armorstack.core.batch import SCHEMA
from armorstack.core.ecs.document import to_ecs
from armorstack.core.ecs.draft import Document, Row, complete
from armorstack.core.ecs.exact import EXACT_TYPES, LONGEST, OBJECT, has_odd_text
from armorstack.core.ecs.exact import exact as exact_of
from armorstack.core.ecs.paths import ECS_TYPES
from armorstack.core.ecs.verdict import DATASETS, stream_of
from armorstack.core.fields import FIELDS, EngineType

STORED_TYPES: dict[str, EngineType] = {
    path: engine for path, engine in (ECS_TYPES | EXACT_TYPES).items() if path != "event.id"
}
"""Path → engine type of everything in a stored document that is indexed."""
COLUMNS = "armorstack.columns"
"""Where the columns lie that no other path gives back; not indexed."""
LONGEST_PAIR = LONGEST // 2
"""Characters of key and value, each, that a flattened path takes: OpenSearch refuses a document
with a longer term there, whatever `ignore_above` says. Longer pairs are left out of the path."""

_BYTES = ("id", "original")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_STREAMS = {dataset: stream for stream, dataset in DATASETS.items()}
_BASE64 = "base64"
"""Stands in `columns.original` where event.original is base64 though the spelling is JSON."""


def to_stored(row: Row, *, ingested: datetime | None = None) -> Document:
    """The document, ready for JSON. `row` and `ingested` are as `to_ecs` takes them."""
    row = complete(row)
    document = to_ecs(row, ingested=ingested)
    document["event"].pop("id", None)
    exact = exact_of(row)
    columns = _columns(row, exact)
    for parent, leaf in (("kubearmor", "event_data"), ("kubernetes", "labels")):
        if parent in document and (pairs := document[parent].get(leaf)) and not _are_short(pairs):
            _cut(document, parent, leaf)
    if exact or columns:
        ours = document.setdefault("armorstack", {})
        if exact:
            ours["exact"] = exact
        if columns:
            ours["columns"] = columns
    return document


def _columns(row: Row, exact: Document) -> Document:
    """The columns that the rest of the document does not give back."""
    found: Document = {}
    if (written := row["updated_time"]) is not None:
        found["updated_time"] = written
    if (severity := row["severity"]) and str(exact.get("severity")) != severity:
        found["severity"] = severity
    if (stream := row["stream"]) not in DATASETS and (stream or stream_of(row)):
        found["stream"] = stream
    if (tags := row["atags"]) is not None and (not tags or len(exact.get("tag", ())) != len(tags)):
        found["atags"] = list(tags)
    if (data := row["event_data"]) is not None and not _is_plain(data := dict(data)):
        found["event_data"] = data
    _add_empty(row, found)
    if (original := row["original"]) and row["spelling"] != "protobuf":
        _add_original(original, found)
    return found


def _add_empty(row: Row, found: Document) -> None:
    """Values that are there and say nothing: a path would not show them."""
    if row["fold_count"] == 0:
        found["fold_count"] = 0
    for name in _BYTES:
        if row[name] == b"":
            found[name] = ""
    if has_odd_text(row):
        found |= {name: value for name, value in row.items() if value == ""}


def _is_plain(data: dict[str, Any]) -> bool:
    """Whether kubearmor.event_data is the same map, and known to be no derived one."""
    return (
        bool(data) and all(data.values()) and all(map(str.isidentifier, data)) and _are_short(data)
    )


def _are_short(pairs: dict[str, str]) -> bool:
    return len(max(pairs, key=len)) <= LONGEST_PAIR >= len(max(pairs.values(), key=len))


def _add_original(original: bytes, found: Document) -> None:
    try:
        original.decode()
    except UnicodeDecodeError:
        found["original"] = _BASE64


def _cut(document: Document, parent: str, leaf: str) -> None:
    above = document[parent]
    above[leaf] = {
        key: value
        for key, value in above[leaf].items()
        if len(key) <= LONGEST_PAIR and len(value) <= LONGEST_PAIR
    }
    if not above[leaf]:
        del above[leaf]
    if not above:
        del document[parent]


def _places() -> dict[str, tuple[str, ...]]:
    """Column → the path that holds it as it is, the exact one before the ECS one."""
    own = {
        "from_source": "armorstack.source", "spelling": "armorstack.spelling",
        "extra": "armorstack.extra", "fold_count": "armorstack.count", "time": "event.sequence",
        "stream": "event.dataset", "original": "event.original",
        "fold_first": "event.start", "fold_last": "event.end", "atags": f"{OBJECT}.tag",
        "action": "kubearmor.action",
    }  # fmt: skip
    own |= {field.column: field.ecs for field in FIELDS if field.ecs and field.column not in own}
    for name in SCHEMA.names:
        if f"{OBJECT}.{name}" in EXACT_TYPES and name != "action":
            own[name] = f"{OBJECT}.{name}"
    return {name: tuple(own[name].split(".")) for name in SCHEMA.names if name in own}


_PLACES = _places()


def from_stored(document: Document, id_: str = "") -> dict[str, Any]:
    """The columns that hold a value: `id` as bytes, times in microseconds, `event_data` a dict.

    `id_` is the document's `_id`, base64; raises ValueError where it is none.
    """
    row: dict[str, Any] = {"id": b64decode(id_, validate=True)} if id_ else {}
    for name, path in _PLACES.items():
        node: Any = document
        for step in path:
            node = node.get(step)
            if node is None:
                break
        else:
            row[name] = node
    ours = document.get("armorstack", {})
    _set_right(row, ours.get("exact", {}))
    _set_columns(row, ours.get("columns", {}))
    return {name: row[name] for name in SCHEMA.names if name in row}


def _set_right(row: dict[str, Any], exact: Document) -> None:
    """Give the values that a path has in another type their own."""
    if "severity" in row:
        row["severity"] = str(row["severity"])
    if "action" in exact:
        row["action"] = exact["action"]
    if "pair" not in exact:
        row.pop("event_data", None)
    if "stream" in row:
        row["stream"] = _STREAMS.get(row["stream"])
    for name in ("fold_first", "fold_last"):
        if name in row:
            row[name] = (datetime.fromisoformat(row[name]) - _EPOCH) // _MICROSECOND


def _set_columns(row: dict[str, Any], columns: Document) -> None:
    original = columns.get("original")
    if "original" in row:
        is_base64 = row.get("spelling") == "protobuf" or original == _BASE64
        row["original"] = b64decode(row["original"]) if is_base64 else row["original"].encode()
    for name, value in columns.items():
        if name == "original" and value == _BASE64:
            continue
        row[name] = value.encode() if name in _BYTES else value
    for name in [name for name, value in row.items() if value is None]:
        del row[name]
