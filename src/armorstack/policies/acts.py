"""What an event tells of one act, in the terms in which a policy's rules name it.

The rules are those by which KubeArmor compares events with policies (`feeder/policyMatcher.go`,
main, 2026): a program by the path of its process, a file by the first word of its resource, a
protocol by words of the resource, a system call by the first word of its details.

Invariant: an act is what one row says and nothing else. Must not go here: which rule matches.
"""

import posixpath
import re
from collections.abc import Mapping
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from armorstack.policies.kernel_names import CAPABILITIES

Section = Literal["process", "file", "network", "capabilities", "syscalls"]

SECTIONS: dict[str, Section] = {
    "Process": "process",
    "File": "file",
    "Network": "network",
    "Capabilities": "capabilities",
    "Syscall": "syscalls",
}
"""Operation of an event → the section of a policy that is about it."""

COLUMNS = (
    "stream", "operation", "namespace_name", "pod_name", "owner_ref", "owner_name", "labels",
    "container_id", "container_name", "host_name", "process_name", "parent_process_name", "source",
    "resource", "data", "result", "policy_name", "uid", "oid", "fold_count",
)  # fmt: skip
"""The columns of `SCHEMA` that are read here, in suggestions and replays."""

READ = "O_RDONLY"
LONGEST = 4096
"""Characters of a text that are looked at: as long as a path can be."""
_WORDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("protocol=TCP",), "tcp"),
    (("SOCK_STREAM", "protocol=HOPOPT"), "tcp"),
    (("protocol=UDP",), "udp"),
    (("SOCK_DGRAM", "protocol=HOPOPT"), "udp"),
    (("protocol=ICMP",), "icmp"),
    (("SOCK_RAW",), "raw"),
    (("protocol=SCTP",), "sctp"),
    (("SOCK_STREAM",), "stream"),
    (("SOCK_DGRAM",), "dgram"),
    (("SOCK_RDM",), "rdm"),
    (("SOCK_SEQPACKET",), "seqpacket"),
    (("SOCK_DCCP",), "dccp"),
    (("SOCK_PACKET",), "packet"),
)
"""Texts of a resource that together mean a protocol; the first that are all there decide."""
_CALL = re.compile(r"SYS_(\w+)")


class Act(Struct, frozen=True):
    """One act. What an event does not say is empty."""

    section: Section
    value: str
    """A path, a protocol, a resource that names a capability, or a system call in small letters."""
    resource: str
    process: str
    """Path of the program that acts; of a program that begins: its own."""
    parent: str
    """Path of the program that began it."""
    source: str
    """The calling process, maybe with its arguments."""
    is_read: bool = False
    """Of a file: whether it was opened for reading only."""
    has_flags: bool = False
    """Of a file: whether the event tells how it was opened."""
    is_owners: bool | None = None
    """Whether the file is the user's own; None: the event does not say."""


def act_of(row: Mapping[str, Any]) -> Act | None:
    """The act of an event with (some of) the columns `COLUMNS`; None where no rule can mean it."""
    section = SECTIONS.get(row.get("operation") or "")
    if section is None:
        return None
    resource, data = _text(row, "resource"), _text(row, "data")
    process = _text(row, "process_name")
    return Act(
        section,
        _value(section, resource, data, process),
        resource,
        process,
        _text(row, "parent_process_name"),
        _text(row, "source"),
        READ in data,
        "flags=" in data,
        _is_owners(row),
    )


def _text(row: Mapping[str, Any], column: str) -> str:
    return (row.get(column) or "")[:LONGEST]


def _value(section: Section, resource: str, data: str, process: str) -> str:
    if section == "process":
        return process or first_word(resource)
    if section == "file":
        return first_word(resource)
    if section == "network":
        return protocol_of(resource)
    return resource if section == "capabilities" else call_of(data)


def _is_owners(row: Mapping[str, Any]) -> bool | None:
    """Only KubeArmor's own file tells a file's owner."""
    owner = row.get("oid")
    return None if owner is None else bool(owner == row.get("uid"))


def protocol_of(resource: str) -> str:
    """The protocol that KubeArmor reads from the resource of a network event; empty: none.

    A stream socket of any family without a protocol of its own is `tcp` to it.
    """
    return next((name for texts, name in _WORDS if all(text in resource for text in texts)), "")


def call_of(data: str) -> str:
    """The system call that the details name first, such as `unlinkat`; empty: none."""
    found = _CALL.search(data.split(" ", 1)[0])
    return found[1].lower() if found else ""


def capability_of(resource: str) -> str:
    """The first capability that the resource names, as policies write it; empty: none."""
    words = (word.lower().removeprefix("cap_") for word in re.findall(r"[A-Za-z_]+", resource))
    return next((word for word in words if word in CAPABILITIES), "")


def first_word(text: str) -> str:
    """What stands before the first space: a command line's program, most often."""
    return text.split(" ", 1)[0]


def folder_of(path: str) -> str:
    """The folder of an absolute path, with `/` at its end; of a folder: itself."""
    folder = posixpath.dirname(path)
    return folder if folder.endswith("/") else folder + "/"


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows of a batch with the columns `COLUMNS`; of those that are alike one, folded.

    A pod does the same again and again: putting that together here costs a tenth of looking at it
    row by row.
    """
    names = [name for name in COLUMNS if name != "fold_count"]
    each = pc.coalesce(batch.column("fold_count"), pa.scalar(1, pa.int64()))
    table = pa.Table.from_batches([batch.select(names)]).append_column("fold_count", each)
    alike = table.group_by(names, use_threads=False).aggregate([("fold_count", "sum")])
    rows: list[dict[str, Any]] = alike.rename_columns([*names, "fold_count"]).to_pylist()
    return rows


def weight(row: Mapping[str, Any]) -> int:
    """How many events the row stands for: more than one where others were folded into it."""
    folded = row.get("fold_count")
    return 1 if folded is None else int(folded)
