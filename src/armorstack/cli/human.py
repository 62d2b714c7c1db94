"""Sizes, times and ages as people read them. Machines take `--json`."""

from datetime import UTC, datetime

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
SPANS = (("d", 86_400), ("h", 3600), ("min", 60))


def human_bytes(count: int) -> str:
    """Such as `640 B` or `12.3 MiB`."""
    value, unit = float(count), 0
    while value >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {UNITS[unit]}" if unit else f"{count} B"


def human_time(time_us: int) -> str:
    """The UTC time with seconds; a dash where there is none or none can be told."""
    try:
        moment = datetime.fromtimestamp(time_us / 1e6, UTC)
    except (OverflowError, ValueError, OSError):
        return "-"
    return moment.strftime("%Y-%m-%d %H:%M:%SZ") if time_us else "-"


def human_span(span_s: float) -> str:
    """The largest unit and the one below it, such as `3 d 4 h`."""
    left = max(0, int(span_s))
    parts: list[str] = []
    for unit, length in (*SPANS, ("s", 1)):
        if left >= length or (unit == "s" and not parts):
            parts.append(f"{left // length} {unit}")
            left %= length
    return " ".join(parts[:2])
