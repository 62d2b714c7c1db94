"""Moments and spans as people type them, in queries, URLs and on the command line.

A moment: `now`, an age such as `24h` or `now-24h`, ISO 8601, or seconds or milliseconds since 1970.
A span: `90s`, `10m`, `1h30m`, `7d`, `2w`. Pure: who asks says what time it is, and in which zone a
time without one is meant, if in any.
"""

import re
from datetime import datetime, tzinfo

from armorstack.core.times import parse_time

SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(min|[smhdw])\s*")
_SPAN = re.compile(rf"(?:{_PART.pattern})+")
_EPOCH = re.compile(r"\d{1,18}(\.\d{1,9})?", re.ASCII)
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


def parse_moment(text: str, now_us: int, zone: tzinfo | None = None) -> int | None:
    """The moment in microseconds since 1970; None where the text is none.

    A day or a time without a zone is meant in `zone`; None: such a text is no moment.
    """
    text = text.strip()
    if text.lower() == "now":
        return now_us
    if (span_us := parse_span(re.sub(r"^now\s*-", "", text, flags=re.IGNORECASE))) is not None:
        return max(0, now_us - span_us)
    if _EPOCH.fullmatch(text):
        value = float(text)
        moment_us = round(value * (1e6 if value < FIRST_MILLISECOND else 1e3))
        return moment_us if moment_us < 1 << 60 else None
    found = parse_time(text)
    return found if found is not None or zone is None else _in_zone(text, zone)


def _in_zone(text: str, zone: tzinfo) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parse_time(moment.replace(tzinfo=moment.tzinfo or zone).isoformat())
