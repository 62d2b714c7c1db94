"""Counts over time as stacked bars, with gaps hatched.

Shapes are placed in percent of the width, so text keeps its size on a wide screen and on a narrow
one. Every bucket is a link that narrows the span, which works without a script; a brush finds the
span in `data-start-us`, `data-interval-us` and `data-buckets`. The plot is as wide as the SVG.

Invariant: the first layer lies at the bottom. A chart without events is drawn all the same, since
its gaps are what matters then.
"""

from collections.abc import Callable, Sequence
from datetime import tzinfo

from markupsafe import Markup
from msgspec import Struct

from armorstack.core.gap import Gap
from armorstack.web.charts.axis import nice_top, ticks
from armorstack.web.charts.element import element, joined, linked, number, said, shown
from armorstack.web.charts.gaps import Band, bands
from armorstack.web.charts.legend import Layer, legend
from armorstack.web.charts.times import local, span_label

TOP, PLOT, FOOT = 16, 116, 22
"""Pixels: above the plot for the highest count, the plot, below it for the times."""
_BAR, _SPACE = 0.86, 0.07
_EDGE = 4.0
"""Percent of the width within which a label would be cut when it stood in the middle."""


class TimeChart(Struct, frozen=True):
    """What is drawn."""

    id: str
    """Of letters, digits and hyphens; the page has no other chart of this id."""
    title: str
    start_us: int
    interval_us: int
    buckets: int
    layers: tuple[Layer, ...]
    gaps: tuple[Gap, ...]
    zone: tzinfo
    link: Callable[[int, int], str] | None = None
    """The page that shows this span only; None: no links."""

    @property
    def end_us(self) -> int:
        """End of the last bucket."""
        return self.start_us + self.buckets * self.interval_us

    def bounds(self, bucket: int) -> tuple[int, int]:
        """When the bucket begins and ends."""
        start_us = self.start_us + bucket * self.interval_us
        return start_us, start_us + self.interval_us

    def total(self, bucket: int) -> int:
        """Events of all layers in the bucket."""
        return sum(layer.counts[bucket] for layer in self.layers)

    def label(self, bucket: int) -> str:
        """When the bucket is, as people read it."""
        start, end = local(self.start_us, self.zone), local(self.end_us, self.zone)
        shifts = bool(start and end and start.utcoffset() != end.utcoffset())
        return span_label(*self.bounds(bucket), self.zone, with_zone=shifts)


def draw(chart: TimeChart) -> Markup:
    """The chart, its legend and its numbers as a table."""
    return element("div", _svg(chart), legend(chart.layers), _table(chart), class_="chart")


def _svg(chart: TimeChart) -> Markup:
    top = nice_top(max((chart.total(bucket) for bucket in range(chart.buckets)), default=1))
    found = bands(chart.gaps, chart.start_us, chart.end_us)
    return element(
        "svg", _pattern(chart), _grid(top), _bars(chart, top), _hatches(chart, found),
        _axis(chart), _links(chart, found), _nothing(chart), class_="timechart", width="100%",
        height=TOP + PLOT + FOOT, data_start_us=chart.start_us,
        data_interval_us=chart.interval_us, data_buckets=chart.buckets,
    )  # fmt: skip


def _pattern(chart: TimeChart) -> Markup:
    line = element("path", d="M0 0V8", class_="hatch")
    return element("defs", element(
        "pattern", line, id=f"hatch-{chart.id}", width=6, height=8,
        patternUnits="userSpaceOnUse", patternTransform="rotate(45)",
    ))  # fmt: skip


def _grid(top: int) -> Markup:
    lines = [
        element("line", x1=0, x2="100%", y1=y, y2=y)
        for y in (TOP + 0.5, TOP + PLOT // 2 + 0.5, TOP + PLOT + 0.5)
    ]
    text = element("text", number(top), x=0, y=TOP - 4)
    return element("g", *lines, text, class_="grid", aria_hidden="true")


def _bars(chart: TimeChart, top: int) -> Markup:
    """One path per layer, in a picture of its own that is as wide as there are buckets."""
    below = [0.0] * chart.buckets
    paths = []
    for layer in chart.layers:
        steps = []
        for bucket, count in enumerate(layer.counts):
            if count:
                height = PLOT * count / top
                y = PLOT - below[bucket]
                steps.append(f"M{bucket + _SPACE:.2f} {y:.1f}v{-height:.1f}h{_BAR}v{height:.1f}z")
                below[bucket] += height
        paths.append(element("path", d="".join(steps), class_=layer.style))
    total = sum(layer.total for layer in chart.layers)
    said_of = f"{chart.title}: {number(total)} events in {chart.buckets} intervals"
    return element(
        "svg", *paths, role="img", aria_label=said_of, x=0, y=TOP, width="100%", height=PLOT,
        viewBox=f"0 0 {max(1, chart.buckets)} {PLOT}", preserveAspectRatio="none",
    )  # fmt: skip


def _hatches(chart: TimeChart, found: Sequence[Band]) -> Markup:
    shapes = []
    for band in found:
        x, width = _percent(chart, band.start_us), _percent(chart, band.end_us)
        place = {"x": f"{x:.2f}%", "width": f"{max(0.15, width - x):.2f}%"}
        shapes.append(element(
            "rect", y=TOP, height=PLOT, fill=f"url(#hatch-{chart.id})", class_="gap", **place
        ))  # fmt: skip
        shapes.append(element(
            "rect", element("title", band.told()), y=TOP + PLOT + 1, height=4, class_="k-gap",
            **place,
        ))  # fmt: skip
    return element("g", *shapes, class_="hatches", aria_hidden="true")


def _axis(chart: TimeChart) -> Markup:
    marks = []
    for place, tick in enumerate(ticks(chart.start_us, chart.end_us, chart.zone)):
        x = _percent(chart, tick.time_us)
        anchor = "start" if x < _EDGE else "end" if x > 100 - _EDGE else "middle"
        at = f"{x:.2f}%"
        line = element("line", x1=at, x2=at, y1=TOP + PLOT, y2=TOP + PLOT + 5)
        text = element("text", tick.label, x=at, y=TOP + PLOT + FOOT - 4, text_anchor=anchor)
        # Every other one makes way on a narrow screen.
        marks.append(element("g", line, text, class_="odd" if place % 2 else "even"))
    return element("g", *marks, class_="axis", aria_hidden="true")


def _links(chart: TimeChart, found: Sequence[Band]) -> Markup:
    """Over each bucket a link with what it holds; reached by keyboard through the table."""
    made = []
    for bucket in range(chart.buckets):
        title = element("title", _told(chart, bucket, found))
        area = element(
            "rect", x=f"{100 * bucket / chart.buckets:.3f}%", y=0, height=TOP + PLOT,
            width=f"{100 / chart.buckets:.3f}%",
        )  # fmt: skip
        if chart.link:
            href = chart.link(*chart.bounds(bucket))
            made.append(element("a", title, area, href=href, tabindex=-1))
        else:
            made.append(element("g", title, area))
    return element("g", *made, class_="buckets", aria_hidden="true")


def _nothing(chart: TimeChart) -> Markup:
    if any(layer.total for layer in chart.layers):
        return Markup()
    return element("text", "no events", x="50%", y=TOP + PLOT // 2, text_anchor="middle",
                   class_="nothing")  # fmt: skip


def _told(chart: TimeChart, bucket: int, found: Sequence[Band]) -> str:
    start_us, end_us = chart.bounds(bucket)
    lines = [f"{chart.label(bucket)}: {number(chart.total(bucket))} events"]
    if len(chart.layers) > 1:
        lines += [
            f"{said(layer.name, 60)}: {number(layer.counts[bucket])}"
            for layer in chart.layers
            if layer.counts[bucket]
        ]
    lines += [band.told() for band in found if band.start_us < end_us and band.end_us >= start_us]
    return "\n".join(lines)


def _percent(chart: TimeChart, time_us: int) -> float:
    whole = max(1, chart.end_us - chart.start_us)
    return min(100.0, max(0.0, 100 * (time_us - chart.start_us) / whole))


def _table(chart: TimeChart) -> Markup:
    """The same numbers; for screen readers, and for whoever wants to copy them."""
    several = len(chart.layers) > 1
    heads = [shown(layer.name, 40) for layer in chart.layers] if several else []
    cells = [element("th", head, scope="col") for head in (f"Time ({chart.zone})", "All", *heads)]
    rows = [_row(chart, bucket, several=several) for bucket in range(chart.buckets)
            if chart.total(bucket)]  # fmt: skip
    if not rows:
        return Markup()
    table = element("table", element("thead", element("tr", *cells)), element("tbody", *rows))
    wide = element("div", table, class_="scroll", tabindex=0, role="region",
                   aria_label=f"{chart.title}: numbers")  # fmt: skip
    return element("details", element("summary", "Numbers"), wide, class_="numbers")


def _row(chart: TimeChart, bucket: int, *, several: bool) -> Markup:
    href = chart.link(*chart.bounds(bucket)) if chart.link else ""
    counts = [chart.total(bucket)] + [layer.counts[bucket] for layer in chart.layers if several]
    cells = [element("td", number(count), class_="n") for count in counts]
    return element("tr", element("th", linked(href, chart.label(bucket)), scope="row"),
                   joined(cells))  # fmt: skip
