"""All fields of one event, in groups a person reads, each value with links that pick it.

Invariant: every column of `SCHEMA` that has a value is shown in exactly one group. A value that
cannot be asked for by a pick (a time, an id, a map, a text too long for a URL) has no links.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from msgspec import Struct

from armorstack.core.batch import OWN_COLUMNS
from armorstack.core.fields import FIELDS
from armorstack.core.query.asked import Asked
from armorstack.core.query.names import QUERY_FIELDS, canonical
from armorstack.store.cursor import encode_id
from armorstack.web.pages.told import Told, moment, told

LONGEST_PICK = 1000
"""Characters of a value that are put into a URL."""

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("What happened", (
        "time", "stream", "type", "operation", "resource", "data", "event_data", "action",
        "result", "enforcer", "level",
    )),
    ("Policy", ("policy_name", "severity", "message", "atags", "tags")),
    ("Process", (
        "process_name", "parent_process_name", "source", "host_pid", "host_ppid", "pid", "ppid",
        "uid", "user_name", "oid", "cwd", "tty", "exec_id", "exec_executable", "process_hash",
        "parent_hash", "resource_hash", "hash_algo",
    )),
    ("Where", (
        "cluster_name", "host_name", "host_ip", "node_id", "namespace_name", "pod_name",
        "owner_ref", "owner_name", "owner_namespace", "labels", "container_name",
        "container_image", "container_id",
    )),
    ("How it came here", (
        "id", "received", "timestamp", "updated_time", "from_source", "spelling",
        "kubearmor_version", "max_alerts_per_sec", "dropping_alerts_interval", "fold_count",
        "fold_first", "fold_last", "extra",
    )),
)  # fmt: skip
"""Title → columns. `original` has a part of the page of its own."""
_OWN_NAMES = {"from_source": "via", "fold_count": "folded"}
_TIMES = frozenset({"time", "received", "fold_first", "fold_last"})


class Value(Struct, frozen=True):
    """One value; links are empty where it cannot be picked."""

    told: Told
    only_url: str = ""
    not_url: str = ""
    key: str = ""
    """Of a map."""


class Entry(Struct, frozen=True):
    """One field of the event."""

    name: str
    """As it is asked for; else the column."""
    label: str
    """As KubeArmor names it; ours where it is ours."""
    doc: str
    values: tuple[Value, ...]


class Group(Struct, frozen=True):
    """Fields that belong together."""

    title: str
    entries: tuple[Entry, ...]


def _labels() -> dict[str, tuple[str, str, str]]:
    """Column → name, label, meaning."""
    ours = {name: (_OWN_NAMES.get(name, name), name, doc) for name, _, doc in OWN_COLUMNS}
    theirs = {f.column: (canonical(f.name) or f.column, f.name, f.doc) for f in FIELDS}
    # UpdatedTime is asked for as `time`; what its column keeps is an unusual spelling of it.
    return ours | theirs | {"updated_time": ("updated_time", *theirs["updated_time"][1:])}


LABELS = _labels()


def groups(row: Mapping[str, Any], asked: Asked, zone: tzinfo) -> tuple[Group, ...]:
    """What the event says. `asked` is what the links add to; times are shown in `zone`."""
    made = (Group(title, tuple(_entries(row, columns, asked, zone))) for title, columns in GROUPS)
    return tuple(group for group in made if group.entries)


def _entries(
    row: Mapping[str, Any], columns: Sequence[str], asked: Asked, zone: tzinfo
) -> Iterator[Entry]:
    for column in columns:
        value = row.get(column)
        if value is None or value == [] or value == {}:
            continue
        name, label, doc = LABELS[column]
        yield Entry(name, label, doc, tuple(_values(column, name, value, asked, zone)))


def _values(
    column: str, name: str, value: Any, asked: Asked, zone: tzinfo
) -> Iterator[Value]:  # fmt: skip
    if column == "id":
        yield Value(told(encode_id(value)))
    elif column in _TIMES:
        yield Value(told(f"{moment(value, zone)} {zone}"))
    elif isinstance(value, Mapping):
        for key, text in value.items():
            yield Value(told("" if text is None else text), key=str(told(key, 200)))
    elif isinstance(value, list):
        yield from (_picked(name, str(each), asked) for each in value)
    elif column == "labels":
        yield from (_picked(name, each, asked) for each in value.split(","))
    else:
        yield _picked(name, str(value), asked)


def _picked(name: str, text: str, asked: Asked) -> Value:
    if not _can_be_picked(name, text):
        return Value(told(text))
    return Value(
        told(text),
        asked.with_pick(name, text).url("/events"),
        asked.with_pick(name, text, exclude=True).url("/events"),
    )


def _can_be_picked(name: str, text: str) -> bool:
    field = QUERY_FIELDS.get(name)
    if field is None or len(text) > LONGEST_PICK or "\0" in text:
        return False
    if field.sort == "number":
        return text.lstrip("-").isdecimal()
    return field.sort in ("text", "word", "texts", "labels")
