"""The recorded events, and how an event's values become protobuf.

Invariant: what lies in `data/` is what real KubeArmor nodes sent (PascalCase JSON, one a line);
nothing here changes a value. Must not go here: clocks, sockets, invented events.
"""

import gzip
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from armorstack.core.fields import Stream
from armorstack.core.proto import message_class

Values = Mapping[str, Any]
"""An event as PascalCase JSON: member name to value, `Owner` and `ExecEvent` nested."""

_FILES: dict[Stream, str] = {
    "alert": "alerts.jsonl.gz",
    "log": "logs.jsonl.gz",
    "message": "messages.jsonl.gz",
}


@cache
def events(stream: Stream) -> tuple[Values, ...]:
    """Every recorded event of a stream, in the order of the recording."""
    data = resources.files(__package__).joinpath("data", _FILES[stream]).read_bytes()
    return tuple(msgspec.json.decode(line) for line in gzip.decompress(data).splitlines())


def encode(stream: Stream, values: Values) -> bytes:
    """The event as the protobuf message of its stream, fields in the order of their numbers.

    Zeros and empty texts stay off the wire, as proto3 (which KubeArmor speaks) leaves them.
    Raises ValueError or TypeError where a member is unknown or of another type.
    """
    present = {name: value for name, value in values.items() if value not in (0, "")}
    return message_class(stream)(**present).SerializeToString(deterministic=True)
