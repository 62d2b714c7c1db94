"""Finding what a protobuf message carries beyond the field table, and which messages are whole.

Each message is parsed once with protobuf's own parser only to ask it for fields it does not know;
ptars, which makes the columns, drops those without a word and fails a whole batch for one bad
message. Adding up the bytes that the known columns must have taken finds the same in 0.7 instead
of 1.5 µs an event, in a hundred lines more: not worth it.
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from msgspec import Struct

from armorstack.core.fields import NESTED, Stream
from armorstack.core.proto import message_class


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


def _getter(stream: Stream) -> Callable[[Message], Iterable[Message]]:
    """What gives the messages inside a message, in one call, since it runs for every event."""
    parents = [name for name, (_, numbers) in NESTED.items() if stream in numbers]
    return attrgetter(*parents) if parents else lambda message: ()


def scan(frames: Sequence[bytes], stream: Stream) -> Scan:
    """Look at every frame of one stream; never raises, whatever the bytes are."""
    malformed: dict[int, str] = {}
    unknown: dict[int, list[dict[str, Any]]] = {}
    parse, inside = message_class(stream).FromString, _getter(stream)
    for index, frame in enumerate(frames):
        try:
            message = parse(frame)
        except DecodeError as error:
            malformed[index] = str(error)
            continue
        found = len(UnknownFieldSet(message))
        for nested in inside(message):
            found += len(UnknownFieldSet(nested))
        if found:
            unknown[index] = unknown_fields(message)
    return Scan(malformed, unknown)
