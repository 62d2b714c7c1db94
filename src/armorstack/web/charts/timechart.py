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


class Column(Struct, frozen=True):
    """A bucket as people read it."""

    label: str
    """When it is."""
    total: int
    href: str


def draw(chart: TimeChart) -> Markup:
    """The chart, its legend and its numbers as a table."""
    columns = _columns(chart)
    return element(
        "div", _svg(chart, columns), legend(chart.layers), _table(chart, columns), class_="chart"
    )


def _columns(chart: TimeChart) -> list[Column]:
    start, end = local(chart.start_us, chart.zone), local(chart.end_us, chart.zone)
    shifts = bool(start and end and start.utcoffset() != end.utcoffset())
    found = []
    for bucket in range(chart.buckets):
        bounds = chart.bounds(bucket)
        label = span_label(*bounds, chart.zone, with_zone=shifts)
        href = chart.link(*bounds) if chart.link else ""
        found.append(Column(label, chart.total(bucket), href))
    return found


def _svg(chart: TimeChart, columns: Sequence[Column]) -> Markup:
    top = nice_top(max((column.total for column in columns), default=1))
    found = bands(chart.gaps, chart.start_us, chart.end_us)
    return element(
        "svg", _pattern(chart), _grid(top), _bars(chart, top), _hatches(chart, found),
        _axis(chart), _links(chart, columns, found), _nothing(chart), class_="timechart",
        width="100%", height=TOP + PLOT + FOOT, data_start_us=chart.start_us,
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


def _links(chart: TimeChart, columns: Sequence[Column], found: Sequence[Band]) -> Markup:
    """Over each bucket a link with what it holds; reached by keyboard through the table."""
    made = []
    for bucket, column in enumerate(columns):
        title = element("title", _told(chart, bucket, column, found))
        area = element(
            "rect", x=f"{100 * bucket / chart.buckets:.3f}%", y=0, height=TOP + PLOT,
            width=f"{100 / chart.buckets:.3f}%",
        )  # fmt: skip
        if chart.link:
            made.append(element("a", title, area, href=column.href, tabindex=-1))
        else:
            made.append(element("g", title, area))
    return element("g", *made, class_="buckets", aria_hidden="true")


def _nothing(chart: TimeChart) -> Markup:
    if any(layer.total for layer in chart.layers):
        return Markup()
    return element("text", "no events", x="50%", y=TOP + PLOT // 2, text_anchor="middle",
                   class_="nothing")  # fmt: skip


def _told(chart: TimeChart, bucket: int, column: Column, found: Sequence[Band]) -> str:
    start_us, end_us = chart.bounds(bucket)
    lines = [f"{column.label}: {number(column.total)} events"]
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


def _table(chart: TimeChart, columns: Sequence[Column]) -> Markup:
    """The same numbers; for screen readers, and for whoever wants to copy them."""
    several = len(chart.layers) > 1
    heads = [shown(layer.name, 40) for layer in chart.layers] if several else []
    cells = [element("th", head, scope="col") for head in (f"Time ({chart.zone})", "All", *heads)]
    rows = [_row(chart, bucket, column, several=several) for bucket, column in enumerate(columns)
            if column.total]  # fmt: skip
    if not rows:
        return Markup()
    table = element("table", element("thead", element("tr", *cells)), element("tbody", *rows))
    wide = element("div", table, class_="scroll", tabindex=0, role="region",
                   aria_label=f"{chart.title}: numbers")  # fmt: skip
    return element("details", element("summary", "Numbers"), wide, class_="numbers")


def _row(chart: TimeChart, bucket: int, column: Column, *, several: bool) -> Markup:
    counts = [column.total] + [layer.counts[bucket] for layer in chart.layers if several]
    cells = [element("td", number(count), class_="n") for count in counts]
    return element("tr", element("th", linked(column.href, column.label), scope="row"),
                   joined(cells))  # fmt: skip
