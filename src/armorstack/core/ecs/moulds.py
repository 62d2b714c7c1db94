"""Stored documents of events that differ in little: the rest of each is remembered as text.

A cluster's events are a few hundred kinds, times its pods, times paths and numbers. So a document
is put together of three texts that are each made once: a `Mould` of all that says what happened,
with holes for what differs each time (ids, times, process ids); the `Workload` that it happened
in; and the `Resource` of a file or a command.

Each is cut from what `to_stored` makes, with marks where a value goes. Invariant: a filled mould
is, as JSON, `to_stored` of the event (`tests/property/test_printed.py`); where two sets of marks
do not lead to the same mould, there is none. Must not go here: remembering, and batches.
"""

import re
from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from armorstack.core.ecs.document import EPOCH, MICROSECOND
from armorstack.core.ecs.draft import Document, Row, complete
from armorstack.core.ecs.event_data import event_data
from armorstack.core.ecs.exact import order_of
from armorstack.core.ecs.operations import PTRACE, process, split_line, split_path
from armorstack.core.ecs.stored import to_stored

WORKLOAD: tuple[str, ...] = (
    "cluster_name", "host_name", "host_ip", "namespace_name", "pod_name", "owner_ref",
    "owner_name", "owner_namespace", "labels", "container_id", "container_name",
    "container_image", "node_id",
)  # fmt: skip
"""Columns that say where it happened."""
NUMBERS: tuple[str, ...] = ("host_pid", "host_ppid", "pid", "ppid", "timestamp")
"""Columns of numbers that are copied as they are, if they are not 0."""
TEXTS: tuple[str, ...] = ("exec_id", "updated_time")
"""Columns of texts that are copied as they are."""
SLOTS: tuple[str, ...] = (
    "head", "date", "time", "created", "received", "order", *NUMBERS, *TEXTS, "original",
    "root", "related", "exact", "owner", "namespace", "file", "process", "resource",
)  # fmt: skip
"""What is filled into a mould, in this order: each a text as it stands in JSON."""
PLACE: Mapping[str, int] = {name: place for place, name in enumerate(SLOTS)}
NETWORK = ("Network", "NetworkFirewall")
"""Operations whose addresses stand beside those of the node, each once."""
WITH_RESOURCE = ("File", "Process")
"""Operations of which nothing but the resource's own paths follows from the resource."""

_OF_WORKLOAD = ("kubernetes", "orchestrator", "container", "host")
_encode = msgspec.json.Encoder().encode


def json_text(value: str) -> bytes:
    """A text as it stands between quotes in JSON."""
    return _encode(value)[1:-1]


class Workload(NamedTuple):
    """Where events happened, as members of JSON objects; an empty text: there are none."""

    root: bytes
    related: bytes
    exact: bytes
    owner: bytes
    namespace: bytes
    """The namespace, as it stands between quotes."""


def workload_of(row: Row) -> Workload:
    """Of a row that has no other columns than those of `WORKLOAD`."""
    document = to_stored(row)
    owner = document.get("kubearmor", {}).get("owner")
    return Workload(
        root=_members({name: document[name] for name in _OF_WORKLOAD if name in document}),
        related=_members(document.get("related", {})),
        exact=_members(document.get("armorstack", {}).get("exact", {})),
        owner=_members({"owner": owner} if owner else {}),
        namespace=json_text(row.get("namespace_name") or ""),
    )


class Resource(NamedTuple):
    """What follows from the resource of a file or a command, as members of JSON objects."""

    file: bytes = b""
    process: bytes = b""
    resource: bytes = b""


def resource_of(operation: str, resource: str) -> Resource:
    """The members for an operation of `WITH_RESOURCE`."""
    found: Document = {}
    own = b'"resource":%b' % _encode(resource)
    if operation == "File":
        split_path(resource, found)
        return Resource(_members(found), b"", own)
    split_line(resource, found)
    return Resource(b"", _members(found), own)


def _members(found: Document) -> bytes:
    return _encode(found)[1:-1]


class Mould(Struct, frozen=True):
    """A document with holes, behind a head and before the end of its line."""

    pieces: tuple[bytes, ...]
    """Every other one is a hole, and empty here."""
    holes: tuple[int, ...]
    """Which of `SLOTS` goes where; more than one."""

    def filler(self) -> Callable[[Sequence[bytes]], bytes]:
        """The function from values, one for each of `SLOTS`, to the line."""
        pieces, chosen = self.pieces, itemgetter(*self.holes)

        def filled(values: Sequence[bytes]) -> bytes:
            parts = list(pieces)
            parts[1::2] = chosen(values)
            return b"".join(parts)

        return filled


def mould_of(row: Row, workload: Workload) -> Mould | None:
    """The mould for events that differ from this one in what is filled in, and no more.

    `row` is of a stream, has an id, a time and a time of receiving, no text that is empty, too long
    to be indexed, or of folded events. None: its kind has to be made one by one.
    """
    row = complete(row)
    one, other = (_cut(row, workload, marks) for marks in _MARKS)
    return one if one == other else None


class _Marks(Struct, frozen=True):
    """Values that stand where others go."""

    number: int
    moment: datetime
    text: str

    def at(self, name: str) -> Any:
        """The value for a column, or the text of a place for members."""
        place = PLACE[name]
        if name in ("time", "received"):
            return self.moment + timedelta(days=place)
        return self.number + place if name in NUMBERS else f"{self.text}{place}{self.text}"


_MARKS = (
    _Marks(1_903_117_000, datetime(1995, 2, 3, 4, 5, 6, 700_801), "\ue0f3"),
    _Marks(1_807_223_000, datetime(1987, 6, 5, 4, 3, 2, 100_907), "\ue1f8"),
)


def _cut(row: Row, workload: Workload, marks: _Marks) -> Mould | None:
    marked, tokens = _marked(row, workload, marks)
    document = to_stored(marked)
    for name in _OF_WORKLOAD:
        document.pop(name, None)
    document["armorstack"]["exact"].pop("host_ip", None)
    for parent, name in _insertions(row, workload):
        tokens[f'"{marks.at(name)}":0'] = name
        node = document
        for step in parent:
            node = node.setdefault(step, {})
        node[marks.at(name)] = 0
    return _split(_encode(document).decode(), tokens)


def _split(text: str, tokens: Mapping[str, str]) -> Mould:
    pieces = re.split(f"({'|'.join(map(re.escape, tokens))})", text)
    holes = tuple(PLACE[tokens[token]] for token in pieces[1::2])
    pieces[1::2] = [""] * len(holes)
    made = ("", "", *pieces[:-1], f"{pieces[-1]}\n")
    return Mould(tuple(piece.encode() for piece in made), (PLACE["head"], *holes))


def _marked(row: Row, workload: Workload, marks: _Marks) -> tuple[dict[str, Any], dict[str, str]]:
    """The row with marks in place of what differs, and which text stands for what."""
    found = dict(row) | dict.fromkeys(WORKLOAD)
    if act_of(row) in NETWORK:
        found |= {name: row[name] for name in ("host_name", "host_ip")}
    time, received = marks.at("time"), marks.at("received")
    found |= {"time": time, "received": received, "id": marks.at("order").encode().ljust(32)}
    tokens = {
        _date(time): "date", str((time - EPOCH) // MICROSECOND): "time",
        _date(received): "created", str((received - EPOCH) // MICROSECOND): "received",
        str(order_of(found["id"])): "order",
    }  # fmt: skip
    for name in (*NUMBERS, *TEXTS):
        if row[name]:
            found[name] = marks.at(name)
            tokens[str(marks.at(name))] = name
    if workload.namespace:
        found["namespace_name"] = marks.at("namespace")
        tokens[marks.at("namespace")] = "namespace"
    if row["original"]:
        found["original"] = marks.at("original").encode()
        tokens[original_text(found).decode()] = "original"
    if is_apart(row):
        found["resource"] = None
    return found, tokens


def _insertions(row: Row, workload: Workload) -> list[tuple[tuple[str, ...], str]]:
    """Below which object which members are put in."""
    wanted: list[tuple[tuple[str, ...], str, object]] = [
        ((), "root", workload.root),
        (("related",), "related", act_of(row) not in NETWORK and workload.related),
        (("armorstack", "exact"), "exact", workload.exact),
        (("kubearmor",), "owner", workload.owner),
    ]
    if is_apart(row):
        is_file = row["operation"] == "File"
        wanted += [
            (("file",), "file", is_file),
            (("process",), "process", not is_file and not _is_ptrace(row)),
            (("kubearmor",), "resource", True),
        ]
    return [(parent, name) for parent, name, is_there in wanted if is_there]


def is_apart(row: Row) -> bool:
    """Whether the row's resource is no part of the mould."""
    return act_of(row) in WITH_RESOURCE and bool(row["resource"])


def act_of(row: Row) -> str | None:
    """The operation by whose rule the document is made; a message has none."""
    return None if row["stream"] == "message" else row["operation"]


def _is_ptrace(row: Row) -> bool:
    return process(row, event_data(row), {"process": {}}) is PTRACE


def original_text(row: Mapping[str, Any]) -> bytes:
    """The original as it stands between quotes. Raises UnicodeDecodeError where it is no text."""
    if row["spelling"] == "protobuf":
        return b2a_base64(row["original"], newline=False)
    return json_text(row["original"].decode())


def _date(moment: datetime) -> str:
    return moment.isoformat("T", "microseconds") + "Z"
