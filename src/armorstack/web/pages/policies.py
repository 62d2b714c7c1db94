"""The list of deployed policies, where they are watched: `/policies`.

    state= kind= namespace= action= severity= tag= text=    which of them
    sort= order= size=                                      in which order, how many
    by=events                                               instead: the list of what alerts name

A URL that asks what only events can answer (a query, a pod, a value that is not wanted) is answered
by the list from events. Invariant: each head sorts, ties by kind, namespace and name; how many are
in a state is counted under all filters but that of the state. Must not go here: one policy.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from armorstack.core.boards import SPARK_BUCKETS
from armorstack.core.query.asked import COMMON, Asked
from armorstack.core.query.parse import parse
from armorstack.core.query.question import Question
from armorstack.core.query.tree import Match, all_of
from armorstack.core.text import UNSAFE
from armorstack.errors import StoreError
from armorstack.policies.book import Book, Trouble
from armorstack.policies.choice import Choice, chosen, states_of, visible
from armorstack.policies.document import STATES, PolicyDocument
from armorstack.policies.policy import KINDS
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore
from armorstack.web import boards, listings
from armorstack.web.charts import sparkline
from armorstack.web.charts.element import element, linked, number
from armorstack.web.charts.palette import Band, band
from armorstack.web.charts.times import DAY_US
from armorstack.web.desk import Desk, answer, asked_of, grant_of, store_for
from armorstack.web.links import EVENTS
from armorstack.web.pages.policy_deployed import Look, alerts_url, look, page_url
from armorstack.web.render import page

PATH = "/policies"
FILTERS = ("state", "kind", "namespace", "action", "severity", "tag", "text")
SIZE = 100
LONGEST = 200
"""Characters of a value that a filter offers; a URL may ask for any."""
POSTURE = "DefaultPosture"
SORTS: Mapping[str, Callable[[PolicyDocument], Any]] = {
    "state": lambda each: (STATES.index(each.state), -each.alerts_24h),
    "kind": lambda each: each.kind,
    "namespace": lambda each: each.namespace,
    "name": lambda each: each.name,
    "action": lambda each: each.action,
    "severity": lambda each: each.severity,
    "tags": lambda each: each.tags,
    "pods": lambda each: each.pods_count + each.nodes_count,
    "hour": lambda each: each.alerts_1h,
    "day": lambda each: each.alerts_24h,
    "week": lambda each: each.alerts_7d,
    "last": lambda each: each.last_alert_us,
}
HEADS = (
    ("State", "state"), ("Kind", "kind"), ("Namespace", "namespace"), ("Name", "name"),
    ("Action", "action"), ("Severity", "severity"), ("Tags", "tags"), ("Selects", "pods"),
    ("1 h", "hour"), ("24 h", "day"), ("7 d", "week"), ("Last alert", "last"),
)  # fmt: skip
TEXTS = ("state", "kind", "namespace", "name", "action", "tags")
"""These sort from A to Z first, all others by the largest."""
NUMBERS = ("severity", "pods", "hour", "day", "week")


class Head(Struct, frozen=True):
    """The head of a column."""

    text: str
    href: str
    sorted: str
    is_number: bool


class Line(Struct, frozen=True):
    """One policy."""

    document: PolicyDocument
    look: Look
    href: str
    band: Band
    alerts: tuple[tuple[int, str], ...]
    """Of an hour, a day, a week, each with its events."""
    spark: Markup


class Select(Struct, frozen=True):
    """What a filter offers."""

    name: str
    title: str
    values: tuple[str, ...]
    chosen: str


class State(Struct, frozen=True):
    """A state, how many are in it, and the page of them alone, or without that filter."""

    text: str
    look: Look
    count: int
    href: str
    is_current: bool


class Listed(Struct, frozen=True):
    """What the page shows."""

    heads: tuple[Head, ...]
    lines: tuple[Line, ...]
    count: int
    more: Markup
    states: tuple[State, ...]
    selects: tuple[Select, ...]
    troubles: tuple[Trouble, ...]
    posture: tuple[int, str] | None
    """Alerts that no policy made in a day, and where they are; None: not known now."""


def routes(desk: Desk) -> list[Route]:
    """The page."""
    of_events = boards.listed(desk, boards.POLICIES, _note(desk), ("by",))

    async def policies(request: Request) -> Response:
        if desk.book is None or _is_of_events(request):
            return await of_events(request)
        asked = _asked(request, desk)
        listings.ordered(asked, SORTS, "state", SIZE, TEXTS)
        book, namespaces = desk.book, grant_of(request).namespaces

        def work(budget: Budget) -> Listed:
            return _listed(book, namespaces, asked, _Reported(request, desk, asked, budget))

        return page(
            request, "policies.html", asked=asked, listed=await answer(request, work),
            as_of_us=book.as_of_us(), text=asked.get("text"), is_whole=namespaces is None,
            by_events=replace(asked, more=()).url(PATH, by="events"),
            plain=replace(asked, more=()).url(PATH),
        )  # fmt: skip

    return [Route(PATH, policies)]


def _note(desk: Desk) -> Markup:
    """Above the list from events: where the deployed policies are, or how they are watched."""
    if desk.book is not None:
        more = linked(PATH, "All that are deployed")
        return element("p", "A policy without alerts is not listed here. ", more, class_="hint")
    told = "One that never fires is not among them: "
    how = " shows those that are deployed, and what each did."
    return element("p", told, element("code", "armorstack run --policies PATH"), how,
                   class_="hint")  # fmt: skip


def _is_of_events(request: Request) -> bool:
    """Whether the URL asks what a list of deployed policies cannot answer."""
    said = request.query_params
    known = (*FILTERS, *listings.ALSO, *COMMON, "by", "refresh")
    wants_not = any(said.get(name, "").startswith("!") for name in FILTERS if name != "text")
    others = any(name not in known for name in said)
    return said.get("by") == "events" or bool(said.get("q")) or wants_not or others


def _asked(request: Request, desk: Desk) -> Asked:
    """What a form leaves empty was not asked."""
    asked = asked_of(request, desk, (*FILTERS, *listings.ALSO, "by"))
    return replace(asked, more=tuple(pair for pair in asked.more if pair[1]))


def _listed(
    book: Book, namespaces: Sequence[str] | None, asked: Asked, reported: "_Reported"
) -> Listed:  # fmt: skip
    how = listings.ordered(asked, SORTS, "state", SIZE, TEXTS)
    seen = visible(book.documents(), namespaces)
    stateless = _found(seen, asked, "")
    found = [each for each in stateless if asked.get("state") in ("", each.state)]
    found.sort(key=SORTS[how.by], reverse=how.is_descending)
    shown = found[: how.size]
    sparks = reported.sparks(shown, Counter(each.name for each in seen))
    return Listed(
        heads=tuple(_head(text, by, asked, how) for text, by in HEADS),
        lines=tuple(_line(each, asked, sparks) for each in shown), count=len(found),
        more=_more(asked, how, len(shown), len(found)),
        states=tuple(_states(stateless, asked)), selects=tuple(_selects(seen, asked)),
        # A fault names files, which not everybody may know of.
        troubles=book.troubles() if namespaces is None else (), posture=reported.posture(),
    )  # fmt: skip


def _found(seen: Iterable[PolicyDocument], asked: Asked, state: str) -> list[PolicyDocument]:
    severity = asked.get("severity")
    wanted = Choice(
        state=state, kind=asked.get("kind"), namespace=asked.get("namespace"),
        action=asked.get("action"), tag=asked.get("tag"), text=asked.get("text"),
    )  # fmt: skip
    return [each for each in chosen(seen, wanted) if severity in ("", str(each.severity))]


def _head(text: str, by: str, asked: Asked, how: listings.Sorting) -> Head:
    order = "ascending" if by in TEXTS else "descending"
    if how.by == by:
        order = "ascending" if how.is_descending else "descending"
    now = how.order if how.by == by else ""
    return Head(text, asked.url(PATH, sort=by, order=order), now, by in NUMBERS)


def _line(each: PolicyDocument, asked: Asked, sparks: Mapping[str, Markup]) -> Line:
    spans = (("now-1h", each.alerts_1h), ("now-24h", each.alerts_24h), ("now-7d", each.alerts_7d))
    return Line(
        each, look(each.state), page_url(each, asked.tz), band(str(each.severity or "")),
        tuple((count, alerts_url(each, asked.tz, start)) for start, count in spans),
        sparks.get(each.name, Markup()),
    )  # fmt: skip


def _more(asked: Asked, how: listings.Sorting, shown: int, count: int) -> Markup:
    if shown >= count:
        return Markup()
    size = str(min(listings.MOST, how.size * 10))
    href = asked.url(PATH, size=size) if how.size < listings.MOST else ""
    return linked(href, f"{number(shown)} of {number(count)} are shown")


def _states(found: Iterable[PolicyDocument], asked: Asked) -> Iterable[State]:
    counts = states_of(found)
    for state in STATES:
        is_current = asked.get("state") == state
        if counts.get(state) or is_current:
            href = asked.url(PATH, state="" if is_current else state)
            yield State(state, look(state), counts.get(state, 0), href, is_current)


def _selects(seen: Sequence[PolicyDocument], asked: Asked) -> Iterable[Select]:
    severities = sorted({each.severity for each in seen if each.severity}, reverse=True)
    offered: tuple[tuple[str, str, Iterable[str]], ...] = (
        ("kind", "Kind", KINDS),
        ("namespace", "Namespace", sorted({each.namespace for each in seen if each.namespace})),
        ("action", "Action", sorted({each.action for each in seen if each.action})),
        ("severity", "Severity", map(str, severities)),
        ("tag", "Tag", sorted({tag for each in seen for tag in each.tags})),
    )
    for name, title, values in offered:
        now = asked.get(name)
        fit = [value for value in values if len(value) <= LONGEST and not UNSAFE.search(value)]
        yield Select(name, title, tuple(dict.fromkeys([*fit, *([now] if now else ())])), now)


class _Reported:
    """What a store tells beside the documents; a store that cannot be asked leaves it out."""

    def __init__(self, request: Request, desk: Desk, asked: Asked, budget: Budget) -> None:
        self._open: Callable[[], EventStore] = lambda: store_for(request, desk)
        self._asked, self._budget = asked, budget
        self._start_us = desk.now_us() - DAY_US

    def sparks(
        self, shown: Iterable[PolicyDocument], times: Mapping[str, int]
    ) -> dict[str, Markup]:  # fmt: skip
        """How the policies went in the last day, by name, where a name means one of them."""
        names = tuple(each.name for each in shown if each.alerts_24h and times[each.name] == 1)
        if not names:
            return {}
        try:
            found = self._open().histogram(
                self._question(names), self._budget, by="policy", buckets=SPARK_BUCKETS,
                size=len(names),
            )  # fmt: skip
        except StoreError:
            return {}
        return {each.value: sparkline.draw(each.counts) for each in found.series}

    def posture(self) -> tuple[int, str] | None:
        """Alerts that no policy made."""
        try:
            count = self._open().count(self._question((POSTURE,)), self._budget)
        except StoreError:
            return None
        plain = replace(self._asked, q="stream:alert", picks=(), more=())
        return count, plain.with_pick("policy", POSTURE).at("now-24h", "now").url(EVENTS)

    def _question(self, names: tuple[str, ...]) -> Question:
        where = all_of([parse("stream:alert", 0), Match("policy", names, exact=True)])
        return Question(where, (), self._start_us)
