"""What is known of one part, and the ten-second buckets by which parts are found.

The same id implies the same event time, hence the same bucket: an event can only be stored
already in a part that covers its bucket. Buckets and not a span, so that a node whose clock is a
day off does not make every part look as if it might hold everything in between.

Must not go here: files.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

DAY_US = 86_400_000_000
BUCKET_US = 10_000_000
LATE = "late"
"""The day of events that are dated outside the retention or more than a day ahead."""

Kind = Literal["full", "timed", "merged"]
"""Why a part was written: the tail was full, time was up, or small parts became one."""


class Part(Struct, frozen=True):
    """One file of rows. Times are microseconds since 1970."""

    name: str
    """Path below `parts`."""
    day: str
    """`2026-11-23`, or `late`."""
    kind: Kind
    layout: str
    """Digest of the columns' names and types."""
    cursor: int
    """The spool position up to which its rows may reach."""
    rows: int
    bytes: int
    min_time_us: int
    max_time_us: int
    min_received_us: int
    max_received_us: int
    runs: tuple[int, ...]
    """The buckets of its rows, as ascending half-open runs: start, end, start, end, …"""
    sources: tuple[str, ...] = ()
    """The parts that a merged one replaced."""

    def covers(self, bucket: int) -> bool:
        """Whether one of its rows may lie in this bucket."""
        return bisect_right(self.runs, bucket) % 2 == 1


def bucket_of(time_us: int) -> int:
    """The bucket of a time; division goes towards zero, as Arrow's does."""
    return time_us // BUCKET_US if time_us >= 0 else -(-time_us // BUCKET_US)


def buckets_of(times: pa.Array) -> pa.Array:
    """The bucket of each time, int64."""
    return pc.divide(times.cast(pa.int64()), BUCKET_US)


def runs_of(buckets: Iterable[int]) -> tuple[int, ...]:
    """Half-open runs of these buckets."""
    return joined((bucket, bucket + 1) for bucket in buckets)


def joined(pieces: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """The union of several runs."""
    runs: list[int] = []
    for start, end in sorted(
        pair for piece in pieces for pair in zip(piece[::2], piece[1::2], strict=True)
    ):
        if runs and start <= runs[-1]:
            runs[-1] = max(runs[-1], end)
        else:
            runs += (start, end)
    return tuple(runs)
