"""Moments and spans as options of commands, and times as commands print them.

What people may type is said in `core/moments.py`. Machines take `--json`.
"""

import re
import time
from datetime import UTC, datetime
from typing import Any

import click

from armorstack.core.moments import EXAMPLES, parse_moment, parse_span
from armorstack.core.times import parse_time


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
