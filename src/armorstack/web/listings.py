"""The lists of policies, pods, namespaces and nodes: one table each, sorted as the URL says.

A store gives the largest groups; they are sorted here, so what is sorted otherwise is said to be
among the largest when there are more. Invariant: the list on the page is in one order for the same
events, ties by name. Must not go here: routes.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from markupsafe import Markup
from msgspec import Struct

from armorstack.core.boards import SPARK_BUCKETS
from armorstack.core.panels import Panel
from armorstack.core.query.asked import Asked, ParameterError
from armorstack.errors import QueryStopped
from armorstack.store.contract import Group, Top
from armorstack.web.charts import table
from armorstack.web.charts.element import element, joined, linked, number
from armorstack.web.links import Links
from armorstack.web.panel_answers import Answers
from armorstack.web.panels import HEADS, counted

ALSO = ("sort", "order", "size")
"""Parameters of a list besides those of every page."""
MOST = 1000
SORTS: Mapping[str, Callable[[Group], Any]] = {
    "name": lambda group: group.values,
    "count": lambda group: group.count,
    "first": lambda group: group.first_us,
    "last": lambda group: group.last_us,
}
ORDERS = ("ascending", "descending")
_DETAILS = ("Block", "Audit")
_DETAIL_HEADS = ("Blocked", "Audited")


class Sorting(Struct, frozen=True):
    """How a list is sorted, and how much of it is shown."""

    by: str
    order: str
    size: int

    @property
    def is_descending(self) -> bool:
        """The largest, the latest, or Z first."""
        return self.order == "descending"


def sorting(asked: Asked, panel: Panel) -> Sorting:
    """What the URL says. Raises ParameterError."""
    return ordered(asked, SORTS, "count", panel.size, ("name",))


def ordered(
    asked: Asked, sorts: Collection[str], by: str, size: int, texts: Sequence[str]
) -> Sorting:  # fmt: skip
    """What the URL says of a list that can be sorted so, and is by `by`, with `size` lines, unless
    it says otherwise; `texts` begin with A. Raises ParameterError."""
    by, told = asked.get("sort", by), asked.get("size", str(size))
    order = asked.get("order") or ORDERS[by not in texts]
    if by not in sorts:
        raise _wrong("sort", by, tuple(sorts))
    if order not in ORDERS:
        raise _wrong("order", order, ORDERS)
    if not (told.isascii() and told.isdigit() and 1 <= int(told[:6]) <= MOST):
        raise ParameterError(f"size: {told!r} is no number of lines", parameter="size",
                             hint=f"say 1 to {MOST}")  # fmt: skip
    return Sorting(by, order, int(told))


def draw(panel: Panel, answers: Answers, links: Links) -> Markup:
    """The table, and below it what is not in it."""
    how = sorting(links.asked, panel)
    top = answers.groups(panel, MOST)
    groups = sorted(top.groups, key=lambda group: group.values)
    groups.sort(key=SORTS[how.by], reverse=how.is_descending)
    shown = tuple(groups[: how.size])
    actions = _actions(panel, answers, shown)
    trends = _trends(panel, answers, shown)
    made = table.Table(
        panel.title, tuple(_heads(panel, links, how, has_details=actions is not None)), shown,
        links.asked.zone,
        lambda values: links.of(panel, values), lambda values: links.events(panel, values),
        actions or {}, trends,
    )  # fmt: skip
    return joined([table.draw(made), _below(top, how, len(shown), links)])


def _actions(
    panel: Panel, answers: Answers, shown: Sequence[Group]
) -> dict[tuple[str, ...], tuple[int, ...]] | None:
    """How much of each group was blocked, and how much audited; None where time was up."""
    if not shown or not panel.select:
        return None
    last = sorted({group.values[-1] for group in shown})
    try:
        split = answers.split(panel, "action", last, MOST * 4)
    except QueryStopped:
        return None
    counts: Counter[tuple[tuple[str, ...], str]] = Counter()
    for group in split.groups:
        counts[group.values[:-1], group.values[-1].partition(" ")[0]] += group.count
    return {
        group.values: tuple(counts[group.values, action] for action in _DETAILS) for group in shown
    }


def _trends(
    panel: Panel, answers: Answers, shown: Sequence[Group]
) -> dict[tuple[str, ...], tuple[int, ...]]:
    """How each group went over time, as far as its last value alone tells it from the others."""
    times = Counter(group.values[-1] for group in shown)
    known = {group.values[-1]: group.values for group in shown if times[group.values[-1]] == 1}
    if not known:
        return {}
    try:
        found = answers.trends(panel, sorted(known), SPARK_BUCKETS)
    except QueryStopped:
        return {}
    return {
        known[series.value]: series.counts
        for series in found.series
        if not series.is_rest and series.value in known
    }


def _heads(panel: Panel, links: Links, how: Sorting, *, has_details: bool) -> list[table.Head]:
    first, *others = [HEADS[field] for field in panel.fields]
    details = _DETAIL_HEADS if has_details else ()
    return [
        _head(first, "name", links, how),
        *(table.Head(other) for other in others),
        _head(counted(panel), "count", links, how, is_number=True),
        *(table.Head(detail, is_number=True) for detail in details),
        _head("First", "first", links, how),
        _head("Last", "last", links, how),
        table.Head("Over time"),
    ]


def _head(
    text: str, by: str, links: Links, how: Sorting, *, is_number: bool = False
) -> table.Head:  # fmt: skip
    is_now = how.by == by
    order = _first_order(by)
    if is_now:
        order = ORDERS[0] if how.is_descending else ORDERS[1]
    href = links.asked.url(links.path, sort=by, order=order) if links.path else ""
    return table.Head(text, href, how.order if is_now else "", is_number)


def _first_order(by: str) -> str:
    return ORDERS[0] if by == "name" else ORDERS[1]


def _below(top: Top, how: Sorting, shown: int, links: Links) -> Markup:
    told: list[str] = []
    if shown < top.distinct:
        more = links.asked.url(links.path, size=str(min(MOST, how.size * 10)))
        target = more if links.path and how.size < MOST else ""
        told.append(linked(target, f"{number(shown)} of {number(top.distinct)} are shown"))
    if top.distinct > MOST and how.by != "count":
        told.append(f"sorted among the {number(MOST)} with most events")
    return element("p", Markup(" · ").join(told), class_="rest") if told else Markup()


def _wrong(parameter: str, value: str, known: Sequence[str]) -> ParameterError:
    told = f"{parameter}: {value!r} is not known"
    return ParameterError(told, parameter=parameter, hint=f"say {', '.join(known)}")
