"""A gap: a span of time in which events were or may have been lost, told once, when it ends.

Gaps travel through the spool like events, as JSON frames of stream `gap`, so that they are as
durable as what they speak of.
"""

from typing import Literal

import msgspec
from msgspec import Struct

Reason = Literal[
    "disconnect",
    "throttled",
    "spool_overflow",
    "spool_damaged",
    "stop",
    "crash",
    "oversize",
    "store_damaged",
]


class Gap(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One gap; times are microseconds since 1970, `lost` is a count or None where nobody knows."""

    reason: Reason
    source: str
    start_us: int
    end_us: int
    stream: str = ""
    node: str = ""
    lost: int | None = None
    detail: str = ""


def encode_gap(gap: Gap) -> bytes:
    """The gap as one JSON frame."""
    return msgspec.json.encode(gap)


def decode_gap(frame: bytes) -> Gap:
    """The gap in a frame; raises `msgspec.MsgspecError` where it is none."""
    return msgspec.json.decode(frame, type=Gap)
