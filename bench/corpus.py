"""Recorded events, varied as a cluster would vary them, serialised ahead of a run.

Names, pods, namespaces, nodes, paths, pids and exec ids differ; Owner and Labels are added, which
no recording has. Invariant: each message begins with Timestamp (a varint of five bytes) and
UpdatedTime (27 bytes of text), so that `HEAD_BYTES` from its start on can be overwritten with the
time of sending. Must not go here: sockets, the pace.
"""

import hashlib
import random
import struct
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from armorstack.core.fields import Stream
from armorstack.sample import recorded

PREFIX_BYTES = 5
"""gRPC's own prefix of each message: a flag and its length."""
HEAD_BYTES = 34
"""Tag and varint of Timestamp (6), tag and length of UpdatedTime (2), its text up to `Z` (26)."""
NUMBER = " no="
NUMBER_DIGITS = 10
PODS = 600
NODES = 20
NAMESPACES = 40


class Block(msgspec.Struct):
    """Messages of one stream, each behind its gRPC prefix, one after the other."""

    data: bytes
    starts: bytes
    """Where each message's prefix begins: native uint32; one more at the end."""
    numbers: bytes = b""
    """Where each message's running number lies, if it has one: native uint32."""

    def offsets(self) -> "array[int]":
        """`starts` as numbers."""
        return array("I", self.starts)

    def number_offsets(self) -> "array[int]":
        """`numbers` as numbers."""
        return array("I", self.numbers)


Corpus = dict[Stream, Block]


def _vary_pod(values: dict[str, Any], pod: int) -> None:
    base = values["PodName"].rsplit("-", 2)[0]
    template = f"{pod * 7919 % 1_000_003:x}"
    values["PodName"] = f"{base}-{template}-{pod * 104_729 % 100_003:05d}"
    values["NamespaceName"] = f"team-{pod % NAMESPACES}"
    values["ContainerID"] = hashlib.sha256(values["PodName"].encode()).hexdigest()
    values["ContainerName"] = base
    values["Labels"] = f"app={base},pod-template-hash={template},tier=backend"
    values["Owner"] = {
        "Ref": "Deployment",
        "Name": base,
        "Namespace": values["NamespaceName"],
    }


def _vary_process(values: dict[str, Any], chance: random.Random) -> None:
    pid = chance.randrange(2_000, 4_000_000)
    for name in ("HostPID", "HostPPID"):
        if name in values:
            values[name] = pid
            pid -= chance.randrange(1, 200)
    for name in ("PID", "PPID"):
        if name in values:
            values[name] = chance.randrange(1, 3_000)
    if "ExecEvent" in values and chance.random() < 0.7:
        exec_id = str(chance.randrange(10**12, 4 * 10**12))
        values["ExecEvent"] = {**values["ExecEvent"], "ExecID": exec_id}


def _vary_resource(values: dict[str, Any], chance: random.Random) -> None:
    if chance.random() < 0.5 or "Resource" not in values:
        return
    if values["Operation"] == "File":
        folder = chance.choice(("cache", "tmp", "data", "sess"))
        values["Resource"] += f"/{folder}/{chance.randrange(20_000)}"
    elif values["Operation"] == "Process":
        values["Resource"] += f" --job={chance.randrange(20_000)}"


def vary(values: recorded.Values, chance: random.Random, updated_us: int) -> dict[str, Any]:
    """The event as another pod, process and moment would have given it."""
    varied = dict(values)
    pod = chance.randrange(PODS)
    varied["Timestamp"] = updated_us // 1_000_000
    varied["UpdatedTime"] = time_text(updated_us)
    if "PodName" in varied:
        _vary_pod(varied, pod)
    varied["HostName"] = f"node-{pod % NODES}"
    if "NodeID" in varied:
        varied["NodeID"] = hashlib.md5(varied["HostName"].encode()).hexdigest()
    _vary_process(varied, chance)
    _vary_resource(varied, chance)
    return varied


def time_text(updated_us: int) -> str:
    """UpdatedTime as KubeArmor writes it: UTC, six fraction digits, `Z`."""
    seconds, micros = divmod(updated_us, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micros:06d}Z"


def varied_events(stream: Stream, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """`count` varied events; the same for the same seed."""
    chance = random.Random(f"{stream} {seed}")
    source = recorded.events(stream)
    updated_us = 1_795_445_000_000_000
    for _ in range(count):
        updated_us += chance.randrange(20, 180)
        yield vary(chance.choice(source), chance, updated_us)


def frames(stream: Stream, count: int, seed: int = 7) -> list[bytes]:
    """`count` varied events as protobuf."""
    return [recorded.encode(stream, values) for values in varied_events(stream, count, seed)]


def _numbered(values: dict[str, Any]) -> dict[str, Any]:
    carrier = "Message" if values["Type"] == "Message" else "Resource"
    values[carrier] = values.get(carrier, "") + NUMBER + "0" * NUMBER_DIGITS
    return values


def _lay_out(messages: list[bytes], find_number: Callable[[bytes], int] | None) -> Block:
    starts, numbers, at = array("I", [0]), array("I"), 0
    for message in messages:
        if find_number is not None:
            numbers.append(at + PREFIX_BYTES + find_number(message))
        at += PREFIX_BYTES + len(message)
        starts.append(at)
    data = b"".join(b"\0" + struct.pack(">I", len(m)) + m for m in messages)
    return Block(data=data, starts=starts.tobytes(), numbers=numbers.tobytes())


def _find_number(message: bytes) -> int:
    return message.rindex(NUMBER.encode() + b"0" * NUMBER_DIGITS) + len(NUMBER)


def _block(stream: Stream, count: int, numbered: bool, seed: int) -> Block:
    if not numbered:
        return _lay_out(frames(stream, count, seed), None)
    varied = map(_numbered, varied_events(stream, count, seed))
    return _lay_out([recorded.encode(stream, values) for values in varied], _find_number)


def build(counts: dict[Stream, int], *, numbered: bool = False, seed: int = 7) -> Corpus:
    """Messages ready to send, `counts` of each stream; with room for a running number or not."""
    return {stream: _block(stream, count, numbered, seed) for stream, count in counts.items()}


def number_of(message: bytes) -> int | None:
    """The running number that the load source put into an event, if any."""
    at = message.rfind(NUMBER.encode())
    digits = message[at + len(NUMBER) : at + len(NUMBER) + NUMBER_DIGITS]
    return int(digits) if at >= 0 and digits.isdigit() else None


def save(corpus: Corpus, path: Path) -> None:
    """Write the corpus where `load` finds it."""
    path.write_bytes(msgspec.msgpack.encode(corpus))


def load(path: Path) -> Corpus:
    """Read what `save` wrote."""
    return msgspec.msgpack.decode(path.read_bytes(), type=dict[Stream, Block])
