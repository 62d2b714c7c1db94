"""Names of indices: which one an event goes into, and which span of event time a name stands for.

`kubearmor-alerts-2026.11.23` is a day, `kubearmor-alerts-2026.w48` a week (ISO 8601), and
`kubearmor-alerts-2026.11` a month, all in UTC; `kubearmor-alerts-late` takes what is dated outside
the days that are kept. Names of one stream and period sort as their spans do.

Invariant: `span_of(index_of(…, time_us, …))` holds `time_us`; a name that we would not have made
has no span, so nobody else's index is ever taken for ours. Pure: who asks says what time it is.
"""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import Literal, cast, get_args

from msgspec import Struct

from armorstack.core.fields import Stream

Period = Literal["day", "week", "month"]
IndexStream = Literal["alerts", "logs", "messages"]
Kind = Literal["alerts", "logs", "messages", "gaps"]

INDEX_STREAMS: dict[Stream, IndexStream] = {
    "alert": "alerts",
    "log": "logs",
    "message": "messages",
}
"""A stream → what it is called in names of indices."""
KINDS: tuple[Kind, ...] = get_args(Kind)
LATE = "late"
DAY_US = 86_400_000_000
MOST_AHEAD_US = DAY_US
"""How far ahead of the clock an event may be dated before it counts as late."""
_EPOCH = datetime(1970, 1, 1)
_LAST_DAY = (datetime.max - _EPOCH).days
_NAME = re.compile(
    r"(?P<prefix>[a-z][a-z0-9_.]*)-(?P<kind>alerts|logs|messages|gaps)-"
    r"(?:(?P<late>late)"
    r"|(?P<year>\d{4})\.(?:w(?P<week>\d\d)|(?P<month>\d\d)(?:\.(?P<day>\d\d))?))",
    re.ASCII,
)


class IndexName(Struct, frozen=True):
    """What a name of ours says."""

    prefix: str
    kind: Kind
    span: tuple[int, int] | None
    """Microseconds since 1970, the end exclusive; None: the late index."""


def index_of(prefix: str, kind: Kind, time_us: int, period: Period) -> str:
    """The index of an event of this time (microseconds since 1970).

    Raises OverflowError where the year is beyond 9999.
    """
    return f"{prefix}-{kind}-{_label(time_us // DAY_US, period)}"


def late_index(prefix: str, kind: Kind) -> str:
    """The index of events that are dated outside the days that are kept."""
    return f"{prefix}-{kind}-{LATE}"


def kept_between(now_us: int, max_age_days: float) -> tuple[int, int]:
    """The first and the last time that an index of a period is for; all else goes into the late
    one. `max_age_days` 0 means that all is kept, but before 1970 no period has a name."""
    oldest = ceil(now_us - max_age_days * DAY_US) if max_age_days > 0 else 0
    return max(0, oldest), now_us + MOST_AHEAD_US


def pattern(prefix: str, kind: Kind) -> str:
    """The wildcard for all indices of a kind, the late one among them."""
    return f"{prefix}-{kind}-*"


def event_patterns(prefix: str) -> tuple[str, ...]:
    """The wildcards for all indices that hold events."""
    return tuple(pattern(prefix, stream) for stream in INDEX_STREAMS.values())


def policies_index(prefix: str) -> str:
    """The one index of policies, which holds a state and has no periods."""
    return f"{prefix}-policies"


def parse_index(name: str) -> IndexName | None:
    """What the name says; None where it is none of ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    parts = found.groupdict()
    kind = cast(Kind, parts["kind"])
    if parts["late"]:
        return IndexName(parts["prefix"], kind, None)
    try:
        first, following = _days(parts)
    except (ValueError, OverflowError):
        return None
    return IndexName(parts["prefix"], kind, (_midnight(first), _midnight(following)))


def span_of(name: str) -> tuple[int, int] | None:
    """Start and end (exclusive) in microseconds; None for a late index, or one not ours."""
    found = parse_index(name)
    return found.span if found else None


@lru_cache(maxsize=256)
def _label(day: int, period: Period) -> str:
    if not 0 <= day <= _LAST_DAY:
        raise OverflowError(f"day {day} has no name")
    moment = _EPOCH + timedelta(days=day)
    if period == "week":
        year, week, _ = moment.isocalendar()
        return f"{year:04}.w{week:02}"
    return f"{moment.year:04}.{moment.month:02}" + (f".{moment.day:02}" if period == "day" else "")


def _days(parts: dict[str, str]) -> tuple[date, date]:
    """The first day and the one after the last; ValueError where the calendar has none such."""
    year = int(parts["year"])
    if parts["week"]:
        first = date.fromisocalendar(year, int(parts["week"]), 1)
        return first, first + timedelta(days=7)
    if parts["day"]:
        first = date(year, int(parts["month"]), int(parts["day"]))
        return first, first + timedelta(days=1)
    first = date(year, int(parts["month"]), 1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _midnight(day: date) -> int:
    return (day - _EPOCH.date()).days * DAY_US
