"""The axis of time: round moments in the zone that was asked for; and the axis of counts.

Invariant: a tick stands at a moment at which a clock in that zone shows a round time, also on the
days when the clock is put forward or back; ticks rise strictly.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from math import ceil, gcd

from msgspec import Struct

from armorstack.web.charts.times import SECOND_US, local

MOST_TICKS = 8
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEPS_S = (
    1, 2, 5, 10, 15, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE,
    30 * _MINUTE, _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR,
)  # fmt: skip
_STEPS_DAYS = (1, 2, 7, 14)
_STEPS_MONTHS = (1, 3, 6, 12, 24, 60, 120, 600, 1200)
_OFFSETS_S = 900
"""Offsets from UTC are multiples of this in every zone of today."""


class Tick(Struct, frozen=True):
    """A mark on the axis."""

    time_us: int
    label: str


def ticks(start_us: int, end_us: int, zone: tzinfo, most: int = MOST_TICKS) -> tuple[Tick, ...]:
    """Ticks within the span (start inclusive, end exclusive), about `most` at most."""
    first, last = local(start_us, zone), local(end_us, zone)
    if first is None or last is None or start_us >= end_us:
        return ()
    wanted_s = (end_us - start_us) / SECOND_US / most
    moments = list(_moments(start_us, end_us, first, last, wanted_s, zone))
    within = [moment for moment in moments if start_us <= moment < end_us]
    by_year = wanted_s > 200 * _DAY
    return tuple(_tick(moment, zone, wanted_s, by_year=by_year) for moment in within)


def nice_top(highest: int) -> int:
    """A round number, the smallest that is not below the highest count: 1, 2, 3, 4, 5, 6, 8, 10,
    15, 20, 25, 30, 40 …"""
    power = 1
    while power * 10 < highest:
        power *= 10
    steps = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if power > 1 else (1, 2, 3, 4, 5, 6, 8, 10)
    return next(int(power * step) for step in steps if power * step >= highest)


def _moments(
    start_us: int, end_us: int, first: datetime, last: datetime, wanted_s: float, zone: tzinfo
) -> Iterator[int]:
    for step in _STEPS_S:
        if step >= wanted_s:
            return _of_clock(start_us, end_us, step, zone)
    for days in _STEPS_DAYS:
        if days * _DAY >= wanted_s:
            return _of_days(first.date(), last.date(), days, zone)
    wanted_months = ceil(wanted_s / (30.5 * _DAY))
    months = next((each for each in _STEPS_MONTHS if each >= wanted_months), _STEPS_MONTHS[-1])
    return _of_months(first.date(), last.date(), months, zone)


def _of_clock(start_us: int, end_us: int, step_s: int, zone: tzinfo) -> Iterator[int]:
    """Steps below a day: each moment at which the time of day is a multiple of the step."""
    stride = gcd(step_s, _OFFSETS_S)
    for second in range(-(-start_us // SECOND_US // stride) * stride, -(-end_us // SECOND_US),
                        stride):  # fmt: skip
        moment = local(second * SECOND_US, zone)
        if moment and _second_of_day(moment) % step_s == 0:
            yield second * SECOND_US


def _of_days(first: date, last: date, days: int, zone: tzinfo) -> Iterator[int]:
    ordinal = -(-first.toordinal() // days) * days
    while ordinal <= last.toordinal():
        yield _midnight(date.fromordinal(ordinal), zone)
        ordinal += days


def _of_months(first: date, last: date, months: int, zone: tzinfo) -> Iterator[int]:
    number = -(-(first.year * 12 + first.month - 1) // months) * months
    while number <= last.year * 12 + last.month - 1:
        yield _midnight(date(number // 12, number % 12 + 1, 1), zone)
        number += months


def _midnight(day: date, zone: tzinfo) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=zone)
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)) * SECOND_US


def _second_of_day(moment: datetime) -> int:
    return moment.hour * _HOUR + moment.minute * _MINUTE + moment.second


def _tick(moment_us: int, zone: tzinfo, wanted_s: float, *, by_year: bool) -> Tick:
    moment = local(moment_us, zone)
    assert moment is not None
    if by_year or (wanted_s > 27 * _DAY and moment.month == 1):
        return Tick(moment_us, f"{moment:%Y}")
    if wanted_s > 27 * _DAY:
        return Tick(moment_us, f"{moment:%b}")
    if _second_of_day(moment) == 0 or wanted_s > 12 * _HOUR:
        return Tick(moment_us, f"{moment.day} {moment:%b}")
    return Tick(moment_us, f"{moment:%H:%M:%S}" if wanted_s <= 30 else f"{moment:%H:%M}")
