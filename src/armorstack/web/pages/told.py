"""Texts and times of events as pages show them.

Invariant: what is shown lies on one line, holds no character that does not show, and is never
longer than its limit; whether it was changed for that is said beside it. Escaping for HTML is the
templates'. Must not go here: what a page asks.
"""

from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec
from msgspec import Struct

from armorstack.core.text import UNSAFE, printable

LONGEST = 4000
"""Characters of one value that are shown; the whole is in the API."""
SHORT = 200
"""The same within a line."""
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_SPANS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


class Told(Struct, frozen=True):
    """One text as it is shown."""

    text: str
    is_escaped: bool = False
    """Whether characters that do not show stand there as escapes."""
    left_out: int = 0
    """Characters at the end that are not shown."""

    def __str__(self) -> str:
        return f"{self.text}…" if self.left_out else self.text


def told(value: object, limit: int = LONGEST) -> Told:
    """The value as a text of at most `limit` characters, escapes aside."""
    text = str(value)
    kept = text[:limit]
    return Told(printable(kept), UNSAFE.search(kept) is not None, len(text) - len(kept))


def moment(time_us: int, zone: tzinfo = UTC, *, digits: int = 6) -> str:
    """Such as `2026-11-23 14:10:38.891126`; a dash where no such time can be told."""
    try:
        found = datetime.fromtimestamp(time_us // 1_000_000, UTC).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return "-"
    fraction = f".{time_us % 1_000_000:06d}"[: digits + 1] if digits else ""
    return found.strftime("%Y-%m-%d %H:%M:%S") + fraction


def size_of(count: int) -> str:
    """Bytes as people read them, such as `640 B` or `12.3 MiB`."""
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{count} B"


def span_of(span_us: int) -> str:
    """A span as people read it: the largest unit and the one below it, such as `3 d 4 h`."""
    left = max(0, span_us // 1_000_000)
    parts: list[str] = []
    for unit, length in _SPANS:
        if left >= length or (length == 1 and not parts):
            parts.append(f"{left // length} {unit}")
            left %= length
    return " ".join(parts[:2])


def pretty(document: Any) -> str:
    """JSON with indentation that reads back as the same, each long text clipped; characters that
    do not show are written as JSON's own escapes."""
    text = msgspec.json.format(msgspec.json.encode(_clipped(document)), indent=2).decode()
    return "\n".join(UNSAFE.sub(_json_escape, line) for line in text.split("\n"))


def is_clipped(document: Any) -> bool:
    """Whether `pretty` leaves out some of it."""
    if isinstance(document, dict):
        return any(is_clipped(value) for value in document.values())
    if isinstance(document, list):
        return any(map(is_clipped, document))
    return isinstance(document, str) and len(document) > LONGEST


def _clipped(document: Any) -> Any:
    if isinstance(document, dict):
        return {str(key)[:LONGEST]: _clipped(value) for key, value in document.items()}
    if isinstance(document, list):
        return [_clipped(value) for value in document]
    if isinstance(document, str) and len(document) > LONGEST:
        return f"{document[:LONGEST]}… ({len(document) - LONGEST} more characters)"
    return document


def _json_escape(match: Any) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(
        f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2)
    )  # fmt: skip
