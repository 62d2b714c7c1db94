"""Moments and spans as people type and read them.

A moment: `now`, an age such as `24h` or `now-24h`, ISO 8601 with a zone, or seconds or
milliseconds since 1970. A span: `90s`, `10m`, `1h30m`, `7d`, `2w`. Machines take `--json`.
"""

import re
import time
from datetime import UTC, datetime
from typing import Any

import click

from armorstack.core.times import parse_time

SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(min|[smhdw])\s*")
_SPAN = re.compile(rf"(?:{_PART.pattern})+")
_EPOCH = re.compile(r"\d+(\.\d+)?")
FIRST_MILLISECOND = 10**11
"""A larger number of seconds would lie beyond the year 5000; it is taken for milliseconds."""
LONGEST_US = 100 * 366 * 86_400 * 1_000_000
EXAMPLES = "24h, now-7d, 2026-11-23T14:00:00Z or 1795443000"


def parse_span(text: str) -> int | None:
    """The span in microseconds; None where the text is none, or longer than a century."""
    text = text.strip().lower()
    if not _SPAN.fullmatch(text):
        return None
    seconds = sum(float(count) * SECONDS[unit] for count, unit in _PART.findall(text))
    span_us = round(seconds * 1e6) if seconds < 1e12 else LONGEST_US + 1
    return span_us if span_us <= LONGEST_US else None


def parse_moment(text: str, now_us: int) -> int | None:
    """The moment in microseconds since 1970; None where the text is none."""
    text = text.strip()
    if text.lower() == "now":
        return now_us
    if (span_us := parse_span(re.sub(r"^now\s*-", "", text, flags=re.IGNORECASE))) is not None:
        return max(0, now_us - span_us)
    if _EPOCH.fullmatch(text):
        value = float(text)
        moment_us = round(value * (1e6 if value < FIRST_MILLISECOND else 1e3))
        return moment_us if moment_us < 1 << 60 else None
    return parse_time(text)


class Moment(click.ParamType[int]):
    """An option's value that is a moment: microseconds since 1970."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The moment; a usage error where it is none."""
        if isinstance(value, int):
            return value
        found = parse_moment(value, time.time_ns() // 1000)
        if found is not None:
            return found
        if parse_time(f"{value.strip()}Z") is not None or _is_day(value):
            self.fail(f"{value!r} has no zone: add Z, or an offset such as +02:00", param, ctx)
        self.fail(f"{value!r} is no time: say {EXAMPLES}", param, ctx)


class Span(click.ParamType[int]):
    """An option's value that is a span: microseconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The span; a usage error where it is none."""
        found = value if isinstance(value, int) else parse_span(value)
        if found is None:
            self.fail(f"{value!r} is no span: say 90s, 10m, 1h30m or 7d", param, ctx)
        return found


def show_time(time_us: int, *, local: bool = False) -> str:
    """The time with seconds, in UTC or here; a dash where there is none or none can be told."""
    try:
        moment = datetime.fromtimestamp(time_us // 1_000_000, UTC)
        moment = moment.astimezone() if local else moment
    except (OverflowError, ValueError, OSError):
        return "-"
    return moment.strftime("%Y-%m-%d %H:%M:%S" + ("%z" if local else "Z")) if time_us else "-"


def _is_day(text: str) -> bool:
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip()))
