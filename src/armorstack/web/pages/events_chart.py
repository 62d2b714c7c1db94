"""The histogram above the events: counts over time, split by a field.

    by=FIELD   the field; severity unless given, put together in bands

Invariant: the same span, query and picks as the table below it, and links keep all of the URL but
the place in the list. Must not go here: drawing, which is `web/charts`.
"""

from markupsafe import Markup

from armorstack.core.query.asked import Asked, ParameterError
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.store.contract import Histogram
from armorstack.web.charts import gaps, palette, timechart
from armorstack.web.charts.legend import Layer
from armorstack.web.charts.times import moment_of
from armorstack.web.pages.events_table import PATH, PLACES, can_pick

DEFAULT = "severity"
BUCKETS = 72
SERIES = {"severity": 100}
"""How many values are told apart; of severity all, since bands are made of them."""
OFFERED = (
    "severity", "action", "operation", "namespace", "policy", "pod", "result", "type", "node",
    "stream",
)  # fmt: skip


def field_in(asked: Asked) -> str:
    """The field that the histogram is split by. Raises ParameterError."""
    field = asked.get("by") or DEFAULT
    if field not in QUERY_FIELDS or not QUERY_FIELDS[field].facet:
        known = tuple(each.name for each in QUERY_FIELDS.values() if each.facet)
        told = f"by: events cannot be split by {field!r}"
        hint = f"known are: {', '.join(known)}"
        raise ParameterError(told, parameter="by", known=known, hint=hint)
    return field


def total(found: Histogram, field: str) -> int | None:
    """Events in all; None where an event may count several times."""
    if QUERY_FIELDS[field].sort in ("texts", "labels"):
        return None
    return sum(sum(series.counts) for series in found.series)


def draw(found: Histogram, field: str, asked: Asked) -> Markup:
    """The chart and the list of its gaps."""
    chart = timechart.TimeChart(
        id="events", title=f"Events over time by {field}", start_us=found.start_us,
        interval_us=found.interval_us, buckets=found.buckets,
        layers=_bands(found, asked) if field == "severity" else _layers(found, field, asked),
        gaps=found.gaps, zone=asked.zone, link=lambda *bounds: _span(asked, *bounds),
    )  # fmt: skip
    return timechart.draw(chart) + gaps.listing(found.gaps, asked.zone)


def _span(asked: Asked, start_us: int, end_us: int) -> str:
    start_us = max(start_us, asked.start_us or start_us)
    end_us = min(end_us, asked.end_us or end_us)
    if start_us >= end_us:
        return ""
    return asked.at(moment_of(start_us), moment_of(end_us)).url(PATH, **PLACES)


def _bands(found: Histogram, asked: Asked) -> tuple[Layer, ...]:
    layers = []
    for band in (*palette.BANDS, palette.NO_SEVERITY):
        members = [each.counts for each in found.series if palette.band(each.value) is band]
        if members:
            counts = tuple(map(sum, zip(*members, strict=True)))
            href = _pick(asked, "severity", band.range)
            layers.append(Layer(band.label, band.style, counts, href, band.sign))
    return tuple(layers)


def _layers(found: Histogram, field: str, asked: Asked) -> tuple[Layer, ...]:
    layers = []
    for place, series in enumerate(found.series):
        if series.is_rest:
            layers.append(Layer("all others", palette.REST, series.counts))
            continue
        by_action = field in ("action", "intended")
        style = palette.action_style(series.value) if by_action else palette.series_style(place)
        href = _pick(asked, field, series.value) if can_pick(field, series.value) else ""
        layers.append(Layer(series.value, style, series.counts, href))
    return tuple(layers)


def _pick(asked: Asked, field: str, value: str) -> str:
    return asked.without_pick(field).with_pick(field, value).url(PATH, **PLACES)
