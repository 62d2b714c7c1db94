"""Times as charts and tables show them, in the zone that was asked for.

Invariant: a time that cannot be told (before 1970, beyond the year 9999) is a dash, never an error.
"""

from datetime import UTC, datetime, tzinfo

from markupsafe import Markup

from armorstack.web.charts.element import element

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


def local(time_us: int, zone: tzinfo) -> datetime | None:
    """The moment in this zone."""
    try:
        return datetime.fromtimestamp(time_us // SECOND_US, UTC).replace(
            microsecond=time_us % SECOND_US
        ).astimezone(zone)  # fmt: skip
    except (OverflowError, ValueError, OSError):
        return None


def clock(time_us: int, zone: tzinfo) -> str:
    """Such as `2026-11-23 14:00:07`."""
    moment = local(time_us, zone)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-"


def time_element(time_us: int, zone: tzinfo) -> Markup:
    """The same as `<time>`, with its microseconds, offset and zone on hover."""
    moment = local(time_us, zone)
    if moment is None:
        return element("span", "-")
    exact = moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    title = f"{moment.isoformat(sep=' ', timespec='microseconds')} {zone}"
    return element("time", clock(time_us, zone), datetime=exact, title=title)


def moment_of(time_us: int) -> str:
    """The moment as a URL says it: ISO 8601 in UTC, no digit more than needed."""
    moment = local(time_us, UTC)
    if moment is None:
        return str(time_us // 1000)
    spec = "microseconds" if time_us % SECOND_US else "seconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")


def span_label(start_us: int, end_us: int, zone: tzinfo, *, with_zone: bool = False) -> str:
    """Such as `2026-11-23 14:00 – 14:10`; `with_zone` names the zone's abbreviation, where the
    clock is put back within what is shown."""
    start, end = local(start_us, zone), local(end_us, zone)
    if start is None or end is None:
        return "-"
    form = "%H:%M" if start_us % (60 * SECOND_US) == 0 == end_us % (60 * SECOND_US) else "%H:%M:%S"
    begins, ends = f"{start:%Y-%m-%d} {start:{form}}", f"{end:{form}}"
    if start.date() != end.date():
        ends = f"{end:%Y-%m-%d} {ends}"
    return f"{begins} – {ends}" + (f" {start:%Z}" if with_zone else "")


def length(span_us: int) -> str:
    """How long, in the largest unit and the one below it: `3 d 4 h`, `250 ms`."""
    if span_us < SECOND_US:
        return f"{max(0, span_us) // 1000} ms"
    left, parts = span_us // SECOND_US, []
    for unit, seconds in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= seconds:
            parts.append(f"{left // seconds} {unit}")
            left %= seconds
    return " ".join(parts[:2])
