"""Spool rows and protobuf frames made by hand, for tests of decoding."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

from armorstack.core.fields import Stream
from armorstack.core.proto import message_class
from armorstack.spool.rows import Row

EVENTS = Path(__file__).parent.parent / "fixtures" / "events"
RECEIVED_US = 1_795_446_000_000_000
RECORDED: dict[Stream, str] = {
    "alert": "alerts-real.jsonl",
    "log": "logs-real.jsonl",
    "message": "messages-real.jsonl",
}


def lines(name: str) -> list[bytes]:
    """The lines of a file of recorded events."""
    return (EVENTS / name).read_bytes().splitlines()


def recorded(stream: Stream) -> list[dict[str, Any]]:
    """The recorded events of a stream, as KubeArmor's JSON objects."""
    return [json.loads(line) for line in lines(RECORDED[stream])]


def row(
    frames: list[bytes],
    stream: str = "auto",
    encoding: str = "json",
    *,
    seq: int = 1,
    source: str = "test",
    cluster: str = "",
) -> Row:
    """One spool row with these frames."""
    lengths = struct.pack(f"<{len(frames)}I", *map(len, frames))
    payload = b"".join(frames)
    return Row(
        seq=seq, source=source, stream=stream, encoding=encoding, cluster=cluster,
        received_us=RECEIVED_US, lengths=lengths, payload=payload,
        crc32=zlib.crc32(lengths + payload), count=len(frames),
    )  # fmt: skip


def protobuf(event: dict[str, Any], stream: Stream) -> bytes:
    """A PascalCase JSON event as the relay would send it over gRPC (zeros left out)."""
    message = message_class(stream)()
    for name, value in event.items():
        if name == "EventData":
            message.EventData.update(value)  # type: ignore[attr-defined]
        elif isinstance(value, list):
            getattr(message, name).extend(value)
        elif isinstance(value, dict):
            for inner, text in value.items():
                setattr(getattr(message, name), inner, text)
        elif value != 0:
            setattr(message, name, value)
    return message.SerializeToString()
