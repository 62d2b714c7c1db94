"""Counts over time on a terminal: a line per bucket, or all of them as one row of blocks.

Gaps are marked wherever they touch a bucket: where events may be missing, a low count says little.
"""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

from armorstack.cli.human import human_span
from armorstack.cli.paint import Paint, encodes
from armorstack.cli.zones import minute, short_time
from armorstack.store.contract import Histogram
from armorstack.store.event_json import time_text

_BLOCKS, _PLAIN_BLOCKS = " ▁▂▃▄▅▆▇█", " .:-=+*#"
_BAR, _PLAIN_BAR = "█", "#"
_MARK = "!"
_GAP = "! a gap: events may be missing there; see `armorstack gaps`"


def totals(found: Histogram) -> list[int]:
    """Events per bucket, whatever they were split by."""
    counts = [0] * found.buckets
    for series in found.series:
        counts = [total + count for total, count in zip(counts, series.counts, strict=True)]
    return counts


def marked(found: Histogram) -> list[bool]:
    """Whether a gap touches the bucket."""
    marks = [False] * found.buckets
    for gap in found.gaps:
        first = (gap.start_us - found.start_us) // found.interval_us
        last = (gap.end_us - found.start_us) // found.interval_us
        for at in range(max(0, first), min(found.buckets - 1, last) + 1):
            marks[at] = True
    return marks


def rows(found: Histogram, zone: tzinfo, width: int, paint: Paint) -> Iterator[str]:
    """A line per bucket: when it begins, how many, a bar."""
    counts, marks = totals(found), marked(found)
    most = max(counts, default=0)
    digits = len(f"{most:,}")
    room = max(10, width - 24 - digits)
    bar = _BAR if encodes(_BAR) else _PLAIN_BAR
    for at, (count, mark) in enumerate(zip(counts, marks, strict=True)):
        when = short_time(found.start_us + at * found.interval_us, zone)[:16]
        filled = bar * max(1, round(count / most * room)) if count else ""
        sign = paint(_MARK, "yellow", bold=True) if mark else " "
        yield f"{paint(when, dim=True)} {sign} {count:>{digits},}  {filled}".rstrip()
    if any(marks):
        yield paint(_GAP, "yellow")


def spark(found: Histogram, zone: tzinfo, paint: Paint) -> Iterator[str]:
    """One row of blocks, marks below it, and what time it spans."""
    counts, marks = totals(found), marked(found)
    if not counts:
        return
    blocks = _BLOCKS if encodes(_BLOCKS) else _PLAIN_BLOCKS
    most = max(counts)
    yield "".join(_block(count, most, blocks) for count in counts)
    if any(marks):
        yield paint("".join(_MARK if mark else " " for mark in marks).rstrip(), "yellow")
    end_us = found.start_us + found.buckets * found.interval_us
    span = f"{minute(found.start_us, zone)} … {minute(end_us, zone)}"
    each = f"{human_span(found.interval_us / 1e6)} each, at most {most:,}"
    yield paint(f"{span}, {each}", dim=True)
    if any(marks):
        yield paint(_GAP, "yellow")


def as_object(found: Histogram) -> dict[str, Any]:
    """For programs: bucket n begins at `start` plus n intervals."""
    return {
        "start": time_text(found.start_us), "interval_us": found.interval_us,
        "counts": totals(found), "gap": marked(found),
    }  # fmt: skip


def _block(count: int, most: int, blocks: str) -> str:
    """Never empty where there is any event."""
    steps = len(blocks) - 1
    return blocks[max(1, round(count / most * steps))] if count else blocks[0]
