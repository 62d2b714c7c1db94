"""`to_ecs`: plain copies first, then the rules, then the objects put into each other.

Invariant: the result holds only paths of `ECS_TYPES`, each with a value of its type, and nothing
empty; no text of an event ever becomes a path (but for keys below a flattened one).

Must not go here: what one operation means; that is a function of its own beside this module.
"""

from binascii import b2a_base64
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

from armorstack.core.ecs.draft import ROOT, Document, Draft, Row, begin, finish
from armorstack.core.ecs.event_data import Pairs, event_data, flattened
from armorstack.core.ecs.network import network, network_firewall
from armorstack.core.ecs.operations import (
    Act,
    alert_threshold,
    capabilities,
    device,
    file,
    message,
    process,
    syscall,
    unknown,
)
from armorstack.core.ecs.paths import HASHES
from armorstack.core.ecs.policy import add_rule, add_tags
from armorstack.core.ecs.values import base_name
from armorstack.core.ecs.verdict import DATASETS, actions, classify, kind_of, stream_of
from armorstack.core.ecs.workload import add_workload

ECS_VERSION = "8.11.0"
OBSERVER = {"product": "KubeArmor", "vendor": "KubeArmor", "type": "sensor"}
EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)

OPERATIONS: dict[str, Callable[[Row, Pairs, Draft], Act]] = {
    "Process": process,
    "File": file,
    "Network": network,
    "NetworkFirewall": network_firewall,
    "Capabilities": capabilities,
    "Syscall": syscall,
    "Device": device,
    "AlertThreshold": alert_threshold,
}
"""KubeArmor's Operation → the function that knows it."""

_HASHED = (
    ("process_hash", "process"),
    ("parent_hash", "process.parent"),
    ("resource_hash", "file"),
)
_HEX_LENGTHS = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}


def _date(moment: datetime) -> str:
    return moment.isoformat("T", "microseconds") + "Z"


_remembered_date = lru_cache(maxsize=64)(_date)
"""For the receiver's clock: all events of one group commit have the same."""


def _add_times(row: Row, draft: Draft, ingested: datetime | None) -> None:
    event = draft["event"]
    if (time := row["time"]) is not None:
        draft[ROOT]["@timestamp"] = _date(time)
        event["sequence"] = (time - EPOCH) // MICROSECOND
    if (received := row["received"]) is not None:
        event["created"] = _remembered_date(received)
    if ingested is not None:
        event["ingested"] = _date(ingested)


def _original(row: Row) -> str:
    frame: bytes = row["original"]
    if row["spelling"] != "protobuf":
        try:
            return frame.decode()
        except UnicodeDecodeError:
            pass
    return b2a_base64(frame, newline=False).decode()


def _add_identity(row: Row, draft: Draft) -> None:
    """The id, the bytes it was, and how it came to us."""
    event = draft["event"]
    if digest := row["id"]:
        event["id"] = b2a_base64(digest, newline=False).decode()
    if row["original"]:
        event["original"] = _original(row)
    ours: Document = {}
    if count := row["fold_count"]:
        ours["count"] = count
    if first := row["fold_first"]:
        event["start"] = _date(first)
    if last := row["fold_last"]:
        event["end"] = _date(last)
    if source := row["from_source"]:
        ours["source"] = source
    if spelling := row["spelling"]:
        ours["spelling"] = spelling
    if extra := row["extra"]:
        ours["extra"] = extra
    if ours:
        draft[ROOT]["armorstack"] = ours


def _add_event(row: Row, draft: Draft, act: Act, pairs: Pairs) -> None:
    event, kubearmor = draft["event"], draft["kubearmor"]
    stream = stream_of(row)
    kind = event["kind"] = kind_of(row, stream)
    event["module"] = "kubearmor"
    if stream:
        event["dataset"] = DATASETS[stream]
    done = None
    if written := row["action"]:
        done, intended = actions(written)
        kubearmor["action"] = done
        if intended:
            kubearmor["intended_action"] = intended
    classify(event, row, act, done)
    if enforcer := row["enforcer"]:
        event["provider"] = enforcer
    if code := pairs.get("Syscall"):
        event["code"] = code
    if kind == "alert" and "severity" in event:
        event["risk_score"] = event["severity"] * 10


def _drop_idle_zeros(row: Row, draft: Draft, act: Act) -> None:
    """Take back zeros that are sent always and mean nothing here: else all of it is root's.

    UID and PPID come with events that have no process, the file owner's id with those that have no
    file.
    """
    if not (row["host_pid"] or row["pid"] or row["process_name"]):
        if row["uid"] == 0:
            draft["user"].pop("id", None)
        if row["ppid"] == 0:
            draft["process.parent"].pop("vpid", None)
    if row["oid"] == 0 and act.category not in ("file", "process"):
        draft["file"].pop("uid", None)


def _add_process(row: Row, draft: Draft) -> None:
    process = draft["process"]
    if name := base_name(row["process_name"] or ""):
        process["name"] = name
    if name := base_name(row["parent_process_name"] or ""):
        draft["process.parent"]["name"] = name
    if "id" in draft["user"]:
        process["user"] = {"id": draft["user"]["id"]}


def _add_hashes(row: Row, draft: Draft) -> list[str]:
    """Each hash under its algorithm; where nobody knows that one, only in related.hash."""
    algorithm = (row["hash_algo"] or "").lower().replace("-", "")
    hashes = []
    for column, owner in _HASHED:
        if value := row[column]:
            hashes.append(value)
            name = algorithm if algorithm in HASHES else _HEX_LENGTHS.get(len(value))
            if name and (algorithm in HASHES or not algorithm):
                draft[owner]["hash"] = {name: value}
    return hashes


def _peers(root: Document) -> tuple[list[str], list[str]]:
    """Addresses and names of those at the other end."""
    sides = [side for name in ("source", "destination") if (side := root.get(name))]
    addresses = [side["ip"] for side in sides if "ip" in side]
    names = [side["domain"] for side in sides if "domain" in side]
    if "dns" in root and "name" in root["dns"]["question"]:
        names.append(root["dns"]["question"]["name"])
    return addresses, names


def _add_related(draft: Draft, act: Act, hashes: list[str]) -> None:
    root, host, user = draft[ROOT], draft["host"], draft["user"]
    related: Document = {}
    addresses, names = _peers(root) if act.category == "network" else ([], [])
    if "ip" in host:
        addresses.append(host["ip"])
    if "name" in host:
        names.append(host["name"])
    if names:
        related["hosts"] = list(dict.fromkeys(names))
    if user:
        related["user"] = list(user.values())
    if addresses:
        related["ip"] = list(dict.fromkeys(addresses))
    if hashes:
        related["hash"] = list(dict.fromkeys(hashes))
    if related:
        root["related"] = related


def to_ecs(row: Row, *, ingested: datetime | None = None) -> Document:
    """The event as a nested ECS document, ready for JSON, without empty values.

    `row` has the columns of `core.batch.SCHEMA`, absent ones None or missing, maps as a dict or as
    pairs, times as naive UTC. `ingested` is the store's clock, for event.ingested.
    """
    row, draft = begin(row)
    pairs = event_data(row)
    if row["stream"] == "message":
        act = message(row, pairs, draft)
    else:
        act = OPERATIONS.get(row["operation"] or "", unknown)(row, pairs, draft)
    _add_times(row, draft, ingested)
    _add_identity(row, draft)
    _add_event(row, draft, act, pairs)
    add_tags(row, draft)
    add_rule(row, draft)
    _drop_idle_zeros(row, draft, act)
    _add_process(row, draft)
    add_workload(row, draft)
    _add_related(draft, act, _add_hashes(row, draft))
    if details := flattened(pairs):
        draft["kubearmor"]["event_data"] = details
    draft["observer"] |= OBSERVER
    draft[ROOT]["ecs"] = {"version": ECS_VERSION}
    return finish(draft)
