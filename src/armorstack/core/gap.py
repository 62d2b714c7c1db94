"""A gap: a span of time in which events were or may have been lost, told once, when it ends.

Gaps travel through the spool like events, as JSON frames of stream `gap`, so that they are as
durable as what they speak of.
"""

import contextlib
from collections.abc import Iterable
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
    "filter_throttle",
    "sink_behind",
]


OWN_LIMITS = frozenset({"filter_throttle", "sink_behind"})
"""Reasons that are settings of ours: these events were received, and not wanted any further."""


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


def decode_gaps(frames: Iterable[bytes]) -> list[Gap]:
    """The gaps in these frames; a frame that holds none is left out."""
    found = []
    for frame in frames:
        with contextlib.suppress(msgspec.MsgspecError):
            found.append(decode_gap(frame))
    return found


def covered_us(gaps: Iterable[Gap]) -> int:
    """How long they last all together; times in which they overlap count once."""
    total = end_us = 0
    for gap in sorted(gaps, key=lambda gap: gap.start_us):
        total += max(0, gap.end_us - max(gap.start_us, end_us))
        end_us = max(end_us, gap.end_us)
    return total
