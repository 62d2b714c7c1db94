"""Finding what a protobuf message carries beyond the field table, and which messages are whole.

Messages are parsed with protobuf's own parser only to ask it for fields it does not know; ptars,
which makes the columns, drops those without a word and fails a whole batch for one bad message.
Messages one after the other are one message in which later values replace earlier ones and fields
that nobody knows stay (Protocol Buffers, "Last One Wins"), so most are asked together. What is
malformed in a way that only the next message's bytes mend is left to ptars, which takes each alone.
"""

import base64
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from msgspec import Struct

from armorstack.core.fields import NESTED, Stream
from armorstack.core.proto import message_class

TOGETHER = 500
"""Frames that are asked at once: what is parsed is copied, so their bytes are needed twice."""


class Scan(Struct, frozen=True):
    """What a look at each frame found, by index of the frame."""

    malformed: dict[int, str]
    unknown: dict[int, list[dict[str, Any]]]


def _each(fields: Any) -> Any:
    """The set's fields; it can be walked by index alone."""
    return (fields[index] for index in range(len(fields)))


def _value(raw: Any) -> Any:
    if isinstance(raw, bytes):
        return base64.b64encode(raw).decode()
    if isinstance(raw, int):
        return raw
    return {str(f.field_number): _value(f.data) for f in _each(raw)}


def _found(message: Message, where: str) -> list[dict[str, Any]]:
    return [
        {"in": where, "number": f.field_number, "wire": f.wire_type, "value": _value(f.data)}
        for f in _each(UnknownFieldSet(message))
    ]


def unknown_fields(message: Message) -> list[dict[str, Any]]:
    """The fields that the table does not know: number, wire type, value (base64 for bytes)."""
    found = _found(message, "")
    for parent in NESTED:
        if parent in message.DESCRIPTOR.fields_by_name and message.HasField(parent):
            found += _found(getattr(message, parent), parent)
    return found


def scan(frames: Sequence[bytes], stream: Stream) -> Scan:
    """Look at all frames of one stream; never raises, whatever the bytes are."""
    found = Scan({}, {})
    for start in range(0, len(frames), TOGETHER):
        some = frames[start : start + TOGETHER]
        if not _is_known(b"".join(some), stream):
            _look(some, start, stream, found)
    return found


def _is_known(data: bytes, stream: Stream) -> bool:
    """Whether it can be parsed and has no field beyond the table."""
    try:
        message = message_class(stream).FromString(data)
    except DecodeError:
        return False
    return not any(len(UnknownFieldSet(each)) for each in (message, *_inside(message)))


def _inside(message: Message) -> list[Message]:
    """The messages in a message."""
    names = message.DESCRIPTOR.fields_by_name
    return [getattr(message, parent) for parent in NESTED if parent in names]


def _look(frames: Sequence[bytes], start: int, stream: Stream, found: Scan) -> None:
    """One by one; the first is at `start`."""
    parse = message_class(stream).FromString
    for index, frame in enumerate(frames, start):
        try:
            message = parse(frame)
        except DecodeError as error:
            found.malformed[index] = str(error)
            continue
        if fields := unknown_fields(message):
            found.unknown[index] = fields
