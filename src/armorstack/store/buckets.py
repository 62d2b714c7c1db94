"""The buckets of a histogram: round intervals, aligned since 1970; pure.

Invariant: a bucket begins at a multiple of its interval, and there are never more than
`MAX_BUCKETS`, whatever span is asked for.
"""

from msgspec import Struct

MAX_BUCKETS = 2_000
SECOND_US = 1_000_000
_MINUTE_US = 60 * SECOND_US
_HOUR_US = 60 * _MINUTE_US
_DAY_US = 24 * _HOUR_US

ROUND_US: tuple[int, ...] = (
    *(1_000 * factor for factor in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(SECOND_US * factor for factor in (1, 2, 5, 10, 15, 30)),
    *(_MINUTE_US * factor for factor in (1, 2, 5, 10, 15, 30)),
    *(_HOUR_US * factor for factor in (1, 2, 3, 6, 12)),
    *(_DAY_US * factor for factor in (1, 2, 5, 10, 30, 100, 365)),
)
"""Intervals that people read easily."""


class Buckets(Struct, frozen=True):
    """Bucket n begins at `start_us + n * interval_us`."""

    start_us: int
    interval_us: int
    count: int

    @property
    def end_us(self) -> int:
        """Where the last one ends."""
        return self.start_us + self.interval_us * self.count


def buckets_of(start_us: int, end_us: int, wanted: int, interval_us: int | None = None) -> Buckets:
    """Buckets over this span (the end exclusive): about `wanted`, or of this interval."""
    span_us = max(1, end_us - start_us)
    if interval_us is None or interval_us <= 0:
        interval_us = round_interval(span_us / max(1, min(wanted, MAX_BUCKETS)))
    made = _aligned(start_us, start_us + span_us, interval_us)
    while made.count > MAX_BUCKETS:
        interval_us = round_interval(max(2 * interval_us, span_us / MAX_BUCKETS))
        made = _aligned(start_us, start_us + span_us, interval_us)
    return made


def round_interval(at_least_us: float) -> int:
    """The shortest round interval that is not shorter than this."""
    found = next((each for each in ROUND_US if each >= at_least_us), None)
    if found is not None:
        return found
    years = -(-int(at_least_us) // ROUND_US[-1])
    return ROUND_US[-1] * years


def _aligned(start_us: int, end_us: int, interval_us: int) -> Buckets:
    first, last = start_us // interval_us, -(-end_us // interval_us)
    return Buckets(first * interval_us, interval_us, max(1, last - first))
