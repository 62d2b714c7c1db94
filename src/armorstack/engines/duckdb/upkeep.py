"""Which parts to let go and which to merge: decisions only, no files.

Invariant: retention takes whole parts, the oldest first, and never the tail; merging takes parts
of one day and one layout that time, not size, made.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.engines.duckdb.part import DAY_US, LATE, Part

MERGE_AT_LEAST = 16
_MERGE_AT_MOST = 64


def day_of(time_us: int) -> str:
    """The UTC day of a time after 1970."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).date().isoformat()


def by_day(rows: pa.Table, now_us: int, max_age_us: int) -> dict[str, pa.Table]:
    """The rows of each event day; those outside the retention or over a day ahead are late."""
    if not len(rows):
        return {}
    times = rows["time"].cast(pa.int64())
    first, last = now_us - max_age_us if max_age_us else 0, now_us + DAY_US
    span = pc.min_max(times)
    low, high = span["min"].as_py(), span["max"].as_py()
    if first <= low and high <= last and low // DAY_US == high // DAY_US:
        return {day_of(low): rows}
    timely = pc.and_(pc.greater_equal(times, first), pc.less_equal(times, last))
    days = pc.if_else(timely, pc.divide(times, DAY_US), -1)
    return {
        LATE if day < 0 else day_of(day * DAY_US): rows.filter(pc.equal(days, day))
        for day in sorted(pc.unique(days).to_pylist())
    }


def newest_us(part: Part) -> int:
    """By what a part ages: its newest event, or where those are late their newest arrival."""
    return part.max_received_us if part.day == LATE else part.max_time_us


def too_old(parts: Iterable[Part], now_us: int, max_age_us: int) -> list[Part]:
    """Parts of which every row is older than the retention; 0: none."""
    return [part for part in parts if max_age_us and newest_us(part) < now_us - max_age_us]


def too_much(parts: Collection[Part], max_bytes: int) -> list[Part]:
    """The oldest parts that have to go so that the rest takes at most `max_bytes`; 0: none."""
    excess = sum(part.bytes for part in parts) - max_bytes if max_bytes else 0
    going = []
    for part in sorted(parts, key=lambda part: (newest_us(part) // DAY_US, part.cursor)):
        if excess <= 0:
            break
        going.append(part)
        excess -= part.bytes
    return going


def to_merge(parts: Iterable[Part], part_rows: int, layout: str) -> Sequence[Part]:
    """Small parts of one day that are worth one file, or none."""
    small: defaultdict[tuple[str, int], list[Part]] = defaultdict(list)
    for part in parts:
        if part.kind != "full" and part.rows * 2 < part_rows and part.layout == layout:
            # Late parts age by arrival: only those of one day of arrival belong together.
            arrived = part.max_received_us // DAY_US if part.day == LATE else 0
            small[part.day, arrived].append(part)
    return next((s[:_MERGE_AT_MOST] for s in small.values() if len(s) >= MERGE_AT_LEAST), ())
