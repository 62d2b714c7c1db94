"""Was X ever executed? `/executed?what=…`

    what=…   a path, a name, or a glob of either

One box, one sentence: yes, no, or tried and denied, with first, last, how often and where; and
since when the answer can be known, because a "no" is worth what the store reaches.

Invariant: a program counts as executed where an event says that it ran, never where its start was
denied. All times are meant unless the URL says others.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from armorstack.core.executions import (
    Program,
    any_event,
    process_events,
    program,
    ran,
    tried,
)  # fmt: skip
from armorstack.core.gap import OWN_LIMITS, Gap, covered_us
from armorstack.core.globs import GlobFault, plan
from armorstack.core.query.asked import ALL, DEFAULT_FROM, Asked, ParameterError
from armorstack.core.query.format import format_query
from armorstack.core.query.question import Question
from armorstack.core.sentence import sentence
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, Facet, Histogram, Row, Seen, Top
from armorstack.store.cursor import encode_id
from armorstack.web.charts.legend import Layer
from armorstack.web.charts.palette import REST, action_style
from armorstack.web.charts.timechart import TimeChart, draw
from armorstack.web.charts.times import moment_of
from armorstack.web.desk import Desk, answer, asked_of, store_for
from armorstack.web.links import both
from armorstack.web.pages.told import SHORT, Told, span_of, told
from armorstack.web.render import page

ALSO = ("what",)
SECONDS = 30.0
WHERE = ("namespace", "pod", "container")
"""Fields that say together where it was."""
FACETS = {
    "node": ("Nodes", "Node"),
    "parent": ("Started by", "Parent"),
    "user": ("Users", "User"),
    "uid": ("User ids", "User id"),
    "policy": ("Policies that judged it", "Policy"),
}
"""Fields that say more about it, each by itself: title, head of the column."""
SPANS = (
    (ALL, "ever"), ("90d", "90 days"), ("30d", "30 days"), ("7d", "7 days"), ("24h", "24 hours"),
)  # fmt: skip
TOP = 8


class Found(Struct, frozen=True):
    """What the store said."""

    ran: Seen
    tried: Seen
    where: Top | None
    """None: there is nothing to place."""
    facets: tuple[Facet, ...]
    histogram: Histogram | None
    oldest_us: int | None
    newest_us: int | None
    reports: int
    """Events that tell of any program's start."""
    gaps: tuple[Gap, ...]


class End(Struct, frozen=True):
    """The first or the last event."""

    url: str
    time_us: int
    sentence: Told


class Place(Struct, frozen=True):
    """Where it was, and how often; the URL leads to these events."""

    words: tuple[Told, ...]
    count: int
    url: str


class Places(Struct, frozen=True):
    """The most frequent of them."""

    title: str
    head: str
    rows: tuple[Place, ...]
    more: int
    """How many there are besides."""


def routes(desk: Desk) -> list[Route]:
    """The page."""

    async def executed(request: Request) -> Response:
        asked = all_time(asked_of(request, desk, ALSO), request)
        store, wanted = store_for(request, desk), _program(asked)
        if wanted is None:
            return page(request, "executed.html", **_form(asked), what="", found=None)

        def work(budget: Budget) -> dict[str, Any]:
            with store.at_one_moment() as moment:
                return shown(look(moment, asked.question, wanted, budget), wanted, asked)

        return page(request, "executed.html", **await answer(request, work, SECONDS))

    return [Route("/executed", executed)]


def _program(asked: Asked) -> Program | None:
    wanted = program(asked.get("what"))
    try:
        plan(wanted.globs if wanted else ["*"])
    except GlobFault as error:
        raise ParameterError(f"what: {error}", parameter="what", hint=error.hint) from error
    return wanted


def all_time(asked: Asked, request: Request) -> Asked:
    """The same, for every event where the URL names no beginning."""
    if request.query_params.get("from"):
        return asked
    return replace(asked, start=ALL, start_us=None)


def look(store: EventStore, question: Question, wanted: Program, budget: Budget) -> Found:
    """Ask it all."""
    has_run = store.seen(question.narrowed(ran(wanted)), budget)
    was_tried = store.seen(question.narrowed(tried(wanted)), budget)
    whole = store.seen(Question(), budget)
    start_us = question.start_us if question.start_us is not None else _time(whole.first)
    about = _spanned(question.narrowed(any_event(wanted)), has_run, was_tried)
    # A store that counts by time can count all else on the way.
    histogram = store.histogram(about, budget, by="action") if about else None
    return Found(
        ran=has_run, tried=was_tried,
        where=store.top(about, budget, fields=WHERE, size=TOP) if about else None,
        facets=store.facets(about, budget, fields=tuple(FACETS), size=TOP) if about else (),
        histogram=histogram,
        oldest_us=_time(whole.first), newest_us=_time(whole.last),
        reports=store.count(question.narrowed(process_events()), budget),
        gaps=tuple(store.gaps(start_us, question.end_us)),
    )  # fmt: skip


def _spanned(question: Question, *seen: Seen) -> Question | None:
    """The same question from the first to the last of these events; None: there are none. What
    lies outside need not be read again."""
    times = [int(row["time"]) for each in seen for row in (each.first, each.last) if row]
    if not times:
        return None
    return replace(question, start_us=min(times), end_us=max(times) + 1)


def shown(found: Found, wanted: Program, asked: Asked) -> dict[str, Any]:
    """What the template shows."""
    events = replace(asked, q=both(asked.q, format_query(any_event(wanted))), more=())
    seen = found.ran if found.ran.count else found.tried
    lost = [gap for gap in found.gaps if gap.reason not in OWN_LIMITS]
    return {
        **_form(asked),
        "what": wanted.text,
        "told": told(wanted.text, SHORT),
        "found": found,
        "answer": "yes" if found.ran.count else "tried" if found.tried.count else "no",
        "first": _end(seen.first, asked),
        "last": _end(seen.last, asked),
        "places": tuple(_places(found, events)),
        "events_url": events.url("/events"),
        "oldest_us": found.oldest_us,
        "newest_us": found.newest_us,
        "gaps": len(lost),
        "gap_span": span_of(covered_us(lost)),
        "chart": _chart(found.histogram, asked),
    }


def _form(asked: Asked) -> dict[str, Any]:
    known = asked.start in [start for start, _ in SPANS]
    kept = replace(asked, start=DEFAULT_FROM, more=()).pairs()
    return {
        "asked": asked, "hidden": kept,
        "spans": SPANS if known else ((asked.start, f"since {asked.start}"), *SPANS),
    }  # fmt: skip


def _chart(histogram: Histogram | None, asked: Asked) -> Markup | None:
    if histogram is None or not histogram.series:
        return None
    layers = tuple(
        Layer(each.value or ("others" if each.is_rest else "no action"),
              REST if each.is_rest else action_style(each.value), each.counts)
        for each in histogram.series
    )  # fmt: skip
    return draw(TimeChart(
        "executed", "Events that name it", histogram.start_us, histogram.interval_us,
        histogram.buckets, layers, histogram.gaps, asked.zone,
        lambda start_us, end_us: asked.at(moment_of(start_us), moment_of(end_us)).url("/executed"),
    ))  # fmt: skip


def _time(row: Row | None) -> int | None:
    return None if row is None else int(row["time"])


def _end(row: Row | None, asked: Asked) -> End | None:
    if row is None:
        return None
    plain = replace(asked, q="", picks=(), more=())
    url = plain.url(f"/events/{encode_id(row['id'])}", near=str(row["time"]))
    return End(url, int(row["time"]), told(sentence(row), SHORT))


def _places(found: Found, events: Asked) -> Iterator[Places]:
    """Those of which an event says anything."""
    if found.where:
        groups = [(group.values, group.count) for group in found.where.groups]
        more = found.where.distinct - len(groups)
        yield from _table("Where", "Namespace / pod / container", WHERE, groups, more, events)
    for facet in found.facets:
        values = [((value.value,), value.count) for value in facet.values]
        more = facet.distinct - len(values)
        yield from _table(*FACETS[facet.field], (facet.field,), values, more, events)


def _table(
    title: str, head: str, fields: Sequence[str], groups: Sequence[tuple[tuple[str, ...], int]],
    more: int, events: Asked,
) -> Iterator[Places]:  # fmt: skip
    rows = tuple(_place(fields, *group, events) for group in groups if any(group[0]))
    if rows:
        yield Places(title, head, rows, max(0, more))


def _place(fields: Sequence[str], values: Sequence[str], count: int, events: Asked) -> Place:
    for field, value in zip(fields, values, strict=True):
        if len(value) <= SHORT:
            events = events.without_pick(field).with_pick(field, value)
    words = tuple(told(value, SHORT) for value in values if value)
    return Place(words, count, events.url("/events"))
