"""A panel becomes markup: what is asked, by its kind, and how the answer is drawn.

Invariant: a panel whose answer takes too long says so in its place; the others are shown. Whoever
draws a board gives all its panels one thread and one budget. Must not go here: pages, requests.
"""

from collections.abc import Callable, Sequence

from markupsafe import Markup
from msgspec import Struct

from armorstack.core.boards import ALERTS
from armorstack.core.gap import Gap
from armorstack.core.panels import Board, Panel
from armorstack.core.query.asked import Asked
from armorstack.errors import QueryStopped
from armorstack.store.contract import Facet, Histogram
from armorstack.web.charts import bars, count, events, gaps, heatmap, palette, table, timechart
from armorstack.web.charts.element import element, joined, linked, said
from armorstack.web.charts.legend import Layer
from armorstack.web.charts.times import time_element
from armorstack.web.links import Links
from armorstack.web.panel_answers import MOST_CELLS, Answers

HEAT_COLUMNS = 8
HEADS = {
    "node": "Node", "namespace": "Namespace", "pod": "Pod", "policy": "Policy",
    "process": "Process", "parent": "Parent", "resource": "Resource", "action": "Action",
}  # fmt: skip


class Drawn(Struct, frozen=True):
    """A panel and its picture."""

    panel: Panel
    body: Markup
    href: str = ""
    """The events that it counts."""


class Easel:
    """Draws the panels of one board, and remembers what the board has to say in common."""

    def __init__(self, answers: Answers, links: Links) -> None:
        self.answers, self.links = answers, links
        self._gaps_told = False

    @property
    def asked(self) -> Asked:
        """What is asked."""
        return self.links.asked

    def tell_gaps(self, found: Sequence[Gap]) -> Markup:
        """The list of gaps, once per board: below the first chart of time."""
        told, self._gaps_told = self._gaps_told, True
        on_paper = not self.links.path
        return Markup() if told else gaps.listing(found, self.asked.zone, opened=on_paper)


def draw(board: Board, answers: Answers, links: Links) -> tuple[Drawn, ...]:
    """All panels of the board, in its order. Raises StoreError."""
    easel = Easel(answers, links)
    # A store that counts by time can count all else on the way.
    order = sorted(board.panels, key=lambda panel: panel.kind != "time")
    drawn = {panel.id: draw_panel(panel, easel) for panel in order}
    return tuple(drawn[panel.id] for panel in board.panels)


def draw_panel(panel: Panel, easel: Easel) -> Drawn:
    """One panel; where its time is up, the sentence that says so."""
    try:
        body = _KINDS[panel.kind](panel, easel)
    except QueryStopped as error:
        body = element("p", f"Not shown: {said(str(error), 300)}; {error.hint}.", class_="rest")
    return Drawn(panel, body, easel.links.events(panel))


def _count(panel: Panel, easel: Easel) -> Markup:
    answers = easel.answers
    found = answers.groups_count(panel) if panel.fields else answers.count(panel.select)
    return count.draw(found, easel.links.events(panel))


def _time(panel: Panel, easel: Easel) -> Markup:
    found = easel.answers.histogram(panel)
    known = _of_nodes(found.gaps, easel.asked)
    chart = timechart.TimeChart(
        id=panel.id, title=panel.title, start_us=found.start_us, interval_us=found.interval_us,
        buckets=found.buckets, layers=_layers(panel, found, easel.links), gaps=known,
        zone=easel.asked.zone, link=easel.links.span if easel.links.path else None,
    )  # fmt: skip
    return joined([timechart.draw(chart), easel.tell_gaps(known)])


def _of_nodes(found: Sequence[Gap], asked: Asked) -> tuple[Gap, ...]:
    """The gaps that concern what is asked: of picked nodes those that name no other one."""
    nodes = {value for pick in asked.picks if pick.field == "node" for value in pick.include}
    return tuple(gap for gap in found if not nodes or not gap.node or gap.node in nodes)


def _layers(panel: Panel, found: Histogram, links: Links) -> tuple[Layer, ...]:
    if panel.colours == "severity":
        return _bands(panel, found, links)
    field = next(iter(panel.fields), "")
    layers = []
    for place, series in enumerate(found.series):
        style = palette.REST if series.is_rest else palette.series_style(place)
        if panel.colours == "action" and not series.is_rest:
            style = palette.action_style(series.value)
        name = "all others" if series.is_rest else series.value if field else "events"
        href = links.pick(panel, field, series.value) if field and not series.is_rest else ""
        layers.append(Layer(name, style, series.counts, href))
    return tuple(layers)


def _bands(panel: Panel, found: Histogram, links: Links) -> tuple[Layer, ...]:
    """Severities put together in bands, the gravest at the bottom, where its height is plainest."""
    layers = []
    for band in (*palette.BANDS, palette.NO_SEVERITY):
        members = [series.counts for series in found.series if palette.band(series.value) is band]
        if members:
            counts = tuple(map(sum, zip(*members, strict=True)))
            href = links.pick(panel, panel.fields[0], band.range)
            layers.append(Layer(band.label, band.style, counts, href, band.sign))
    return tuple(layers)


def _bars(panel: Panel, easel: Easel) -> Markup:
    if len(panel.fields) > 1:
        return _group_bars(panel, easel)
    facet = easel.answers.facet(panel)
    absent = _absent(facet)
    shown = [value for value in facet.values if value.value][: panel.size]
    made = [_bar(panel, place, (value.value,), value.count, easel.links)
            for place, value in enumerate(shown)]  # fmt: skip
    rest = bars.Rest(
        others=max(0, facet.distinct - len(shown) - bool(absent)),
        others_href=easel.links.all_of(panel), absent=absent,
        absent_href=easel.links.events(panel, ("",)),
    )  # fmt: skip
    whole = sum(value.count for value in facet.values) + facet.rest
    return bars.draw(panel.title, made, whole, rest)


def _absent(facet: Facet) -> int:
    return sum(value.count for value in facet.values if not value.value)


def _group_bars(panel: Panel, easel: Easel) -> Markup:
    top = easel.answers.groups(panel, panel.size + 1)
    absent = [group for group in top.groups if not group.values[-1]]
    shown = [group for group in top.groups if group.values[-1]][: panel.size]
    made = [_bar(panel, place, group.values, group.count, easel.links)
            for place, group in enumerate(shown)]  # fmt: skip
    rest = bars.Rest(
        others=max(0, top.distinct - len(shown) - len(absent)),
        others_href=easel.links.all_of(panel), absent=sum(group.count for group in absent),
    )  # fmt: skip
    return bars.draw(panel.title, made, top.total, rest)


def _bar(panel: Panel, place: int, values: Sequence[str], events: int, links: Links) -> bars.Bar:
    href, names = links.of(panel, values), tuple(values)
    if panel.colours == "severity":
        band = palette.band(values[0])
        return bars.Bar(names, events, href, band.style, band.sign)
    if panel.colours == "action":
        return bars.Bar(names, events, href, palette.action_style(values[0]))
    del place
    return bars.Bar(names, events, href)


def _table(panel: Panel, easel: Easel) -> Markup:
    top = easel.answers.groups(panel)
    heads = [table.Head(HEADS.get(field, field)) for field in panel.fields]
    heads += [table.Head(counted(panel), is_number=True), table.Head("First"), table.Head("Last")]
    made = table.Table(
        panel.title, tuple(heads), top.groups, easel.asked.zone,
        lambda values: easel.links.of(panel, values),
        lambda values: easel.links.events(panel, values),
    )  # fmt: skip
    more = top.distinct - len(top.groups)
    note = element("p", f"{more:,} more", class_="rest") if more > 0 else Markup()
    return joined([table.draw(made), note])


def counted(panel: Panel) -> str:
    """What the panel counts, as the head of a column."""
    return "Alerts" if panel.select == ALERTS else "Events"


def _heatmap(panel: Panel, easel: Easel) -> Markup:
    top = easel.answers.groups(panel, MOST_CELLS)
    cells = {(group.values[0], group.values[1]): group.count for group in top.groups}
    rows, columns = heatmap.largest(cells, 0, panel.size), heatmap.largest(cells, 1, HEAT_COLUMNS)
    if panel.fields[1] == "severity":
        columns = tuple(sorted(columns, key=lambda text: (len(text), text), reverse=True))
    links = easel.links
    return heatmap.draw(heatmap.Heatmap(
        panel.title, HEADS.get(panel.fields[0], panel.fields[0]),
        HEADS.get(panel.fields[1], panel.fields[1].capitalize()), rows, columns, cells,
        lambda row, column: links.events(panel, (row, column)),
        lambda row: links.of(panel, (row,)),
    ))  # fmt: skip


def _events(panel: Panel, easel: Easel) -> Markup:
    page = easel.answers.events(panel)
    return events.draw(panel.title, page.rows, easel.asked.zone, easel.links.event)


def _seen(panel: Panel, easel: Easel) -> Markup:
    seen = easel.answers.seen(panel)
    if seen.first is None or seen.last is None:
        return element("p", "Not seen in this time.", class_="rest")
    told = []
    for name, row in (("first", seen.first), ("last", seen.last)):
        when = linked(easel.links.event(row), time_element(row["time"], easel.asked.zone))
        told += [element("dt", name), element("dd", when)]
    return element("dl", *told, class_="seen")


_KINDS: dict[str, Callable[[Panel, Easel], Markup]] = {
    "count": _count, "time": _time, "bars": _bars, "table": _table, "heatmap": _heatmap,
    "events": _events, "seen": _seen,
}  # fmt: skip
