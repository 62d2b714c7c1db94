"""What a time means in a query: a day is the whole day, every other time a moment.

`time:` with a moment means as long as it is exact: a minute for `10:15`, a second for `10:15:20`.
A range begins with its first moment and ends before its last; a day at its end is inside. A time
without a zone is meant in the reader's. Invariant: all is in microseconds since 1970.
"""

import re
from datetime import date, timedelta, tzinfo

from msgspec import Struct

from armorstack.core.moments import EXAMPLES, FIRST_MILLISECOND, parse_moment
from armorstack.core.query.lexer import Value, fault, shown
from armorstack.core.query.tree import Compare, Node, all_of

SECOND_US = 1_000_000
LONGEST_TIME = 60
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK = re.compile(r"[0-9-]{10}[T ]([0-9]{2})(:[0-9]{2})?(:[0-9]{2})?([.,][0-9]+)?")
_EPOCH = re.compile(r"[0-9]+")
_LEAST_DIGITS = 9
"""A shorter number lies in the seventies: it is a year or a day without its dashes."""


class Moment(Struct, frozen=True):
    """A time as it was written: from where to where it reaches, the end exclusive."""

    start_us: int
    end_us: int
    is_day: bool = False
    is_age: bool = False

    @property
    def bound_us(self) -> int:
        """Where a range ends that ends with it, exclusive."""
        return self.end_us if self.is_day else self.start_us


def time_test(field: str, operator: str, value: Value, now_us: int, zone: tzinfo) -> Node:
    """The test that a time or a range of times means; raises QueryError."""
    first, dots, last = value.text.partition("..")
    if not dots:
        return _one(field, operator, value, _moment(value, value.text, now_us, zone))
    if operator != ":":
        raise fault("a range after a comparison", value.place, f"write {field}:{value.text}")
    if not first and not last:
        raise fault("a range without an end", value.place, f"write {field}:now-2h..now-1h")
    start = _moment(value, first, now_us, zone).start_us if first else None
    end = _moment(value, last, now_us, zone).bound_us if last else None
    if start is not None and end is not None and start >= end:
        raise fault("the range is upside down", value.place, "the earlier time comes first")
    return in_span(field, start, end)


def in_span(field: str, start_us: int | None, end_us: int | None) -> Node:
    """From the start on, and before the end; one of them is there."""
    bounds: list[Node] = [] if start_us is None else [Compare(field, ">=", start_us)]
    return all_of(bounds if end_us is None else [*bounds, Compare(field, "<", end_us)])


def _one(field: str, operator: str, value: Value, moment: Moment) -> Node:
    if operator == ":" and moment.is_age:
        told = f"{shown(value.text)} is a single moment"
        raise fault(told, value.place, f"write {field}>={value.text}, or name its end, too")
    if operator == ":":
        return in_span(field, moment.start_us, moment.end_us)
    if operator == ">" and moment.is_day:
        return Compare(field, ">=", moment.end_us)
    if operator == "<=" and moment.is_day:
        return Compare(field, "<", moment.end_us)
    assert operator in ("<", "<=", ">", ">=")
    return Compare(field, operator, moment.start_us)  # type: ignore[arg-type]


def _moment(value: Value, text: str, now_us: int, zone: tzinfo) -> Moment:
    is_number = _EPOCH.fullmatch(text)
    found = None
    if len(text) <= LONGEST_TIME and not (is_number and len(text) < _LEAST_DIGITS):
        found = parse_moment(text, now_us, zone)
    if found is None:
        raise fault(f"{shown(text)} is no time", value.place, f"write {EXAMPLES}")
    if _DAY.fullmatch(text):
        return Moment(found, _next_day(text, found, now_us, zone), is_day=True)
    if is_number:
        return Moment(found, found + (SECOND_US if int(text) < FIRST_MILLISECOND else 1000))
    written = _CLOCK.match(text)
    return Moment(found, found + (_width(written) if written else 1), is_age=not written)


def _next_day(text: str, start_us: int, now_us: int, zone: tzinfo) -> int:
    """When the day after begins; where clocks change, a day has 23 or 25 hours."""
    try:
        after = (date.fromisoformat(text) + timedelta(days=1)).isoformat()
    except OverflowError:
        after = ""
    found = parse_moment(after, now_us, zone)
    return start_us + 86_400 * SECOND_US if found is None else found


def _width(written: re.Match[str]) -> int:
    """How long a time of day is, by the last part that it names."""
    _, minute, second, fraction = written.groups()
    if fraction:
        return int(max(1, 10 ** (7 - len(fraction))))
    return SECOND_US if second else 60 * SECOND_US if minute else 3600 * SECOND_US
