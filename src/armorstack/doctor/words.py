"""Sizes, spans and moments in sentences."""

from datetime import UTC, datetime

_SPANS = ((86_400, "d"), (3600, "h"), (60, "min"))
_SIZES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def span(seconds: float) -> str:
    """Such as `4 s`, `12 min` or `3 d`: the largest unit that fits."""
    for length, unit in _SPANS:
        if abs(seconds) >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def ago(then_us: int, now_us: int) -> str:
    """How long before now."""
    return f"{span(max(0.0, (now_us - then_us) / 1e6))} ago"


def size(count: int) -> str:
    """Such as `640 B` or `12.3 MiB`."""
    for length, unit in _SIZES:
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count} B"


def utc(time_s: float) -> str:
    """The moment in UTC with seconds."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def number(count: int, one: str, many: str = "") -> str:
    """Such as `1 alert` or `3 alerts`."""
    return f"{count} {one if count == 1 else many or one + 's'}"
