"""The explorer: `/events`.

    cols=  size=  before=  after=   the table (`events_table.py`) and the place in it
    by=  wide=                      histogram (`events_chart.py`) and facets (`events_facets.py`)
    fold=1                          repeats folded into one line each (`events_fold.py`)
    live=1                          a script adds what arrives; without one it changes nothing

Invariant: all parts of the page answer the same question under one budget, the events first; a
part whose time is up says so in its place. A query that cannot be read is shown with the place
that is wrong, and the page stays usable. Must not go here: how the parts look.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from armorstack.core.query.asked import Asked, ParameterError, parse_asked
from armorstack.core.query.parse import parse
from armorstack.errors import QueryError, QueryStopped
from armorstack.store import cursor
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, Histogram, Page
from armorstack.store.cursor import Cursor
from armorstack.store.event_json import SHOWN
from armorstack.web.chrome import chips
from armorstack.web.desk import Desk, answer, asked_of, store_for
from armorstack.web.pages import events_chart, events_facets, events_fold, events_table
from armorstack.web.pages.errors import marked
from armorstack.web.pages.events_empty import Empty, why_empty
from armorstack.web.pages.events_links import (
    export_links,
    facets_url,
    pick_query,
    script_data,
    spoken,
)
from armorstack.web.pages.events_table import PATH, PLACES
from armorstack.web.render import page

ALSO = ("cols", "size", "before", "after", "fold", "by", "wide", "live")
SIZES = (50, 100, 200)


class Found(Struct, frozen=True):
    """The answers of the store; None: not asked for, or `stopped` says why not given."""

    events: Page | None
    folded: events_fold.Folded | None
    histogram: Histogram | None
    total: int | None
    facets: tuple[events_facets.Group, ...] | None
    empty: Empty | None
    stopped: str = ""


class View(Struct, frozen=True):
    """What the URL says of the page, beyond the question."""

    names: tuple[str, ...]
    size: int
    by: str
    is_folded: bool
    before: Cursor | None
    after: Cursor | None


def routes(desk: Desk) -> list[Route]:
    """The explorer."""

    async def events(request: Request) -> Response:
        try:
            asked = asked_of(request, desk, ALSO)
        except QueryError as error:
            return _unread(request, desk, error)
        view, store = view_of(asked), store_for(request, desk)

        def work(budget: Budget) -> Response:
            # The template, too: streams and probes wait in the loop meanwhile.
            with store.at_one_moment() as moment:
                found = find(asked, view, moment, budget)
            return page(request, "events.html", asked=asked, **shown(asked, view, found))

        return await answer(request, work)

    return [Route(PATH, events)]


def view_of(asked: Asked) -> View:
    """Raises ParameterError."""
    before, after = _place(asked, "before"), _place(asked, "after")
    if before and after:
        told = "before and after cannot be asked for at once"
        raise ParameterError(told, parameter="after", hint="leave one of them out")
    events_facets.wide_in(asked)
    return View(
        names=events_table.columns_in(asked), size=_size(asked), by=events_chart.field_in(asked),
        is_folded=_is_on(asked, "fold"), before=before, after=after,
    )  # fmt: skip


def find(asked: Asked, view: View, store: EventStore, budget: Budget) -> Found:
    """What the page shows. Raises StoreError; QueryStopped where not even events were found."""
    events = None if view.is_folded else _events(asked, view, store, budget)
    folded = events_fold.ask(asked, store, budget) if view.is_folded else None
    try:
        histogram = store.histogram(
            asked.question, budget, by=view.by, buckets=events_chart.BUCKETS,
            size=events_chart.SERIES.get(view.by, 8),
        )  # fmt: skip
        total = events_chart.total(histogram, view.by)
        if total is None:
            total = store.count(asked.question, budget)
        facets = events_facets.ask(asked, store, budget)
        empty = None if total else why_empty(asked, store, budget)
    except QueryStopped as error:
        return Found(events, folded, None, None, None, None, f"{error}; {error.hint}.")
    return Found(events, folded, histogram, total, facets, empty)


def shown(asked: Asked, view: View, found: Found) -> dict[str, Any]:
    """What the template is given of a question that was answered."""
    return _frame(asked, view) | {
        "columns": events_table.columns(view.names, asked),
        "lines": _lines(asked, view, found),
        "folded": found.folded,
        "newer": _turned(asked, "after", found.events.newer if found.events else None),
        "older": _turned(asked, "before", found.events.older if found.events else None),
        "newest": asked.url(PATH, **PLACES) if view.before or view.after else "",
        "chart": events_chart.draw(found.histogram, view.by, asked) if found.histogram else None,
        "gaps": found.histogram.gaps if found.histogram else (),
        "total": found.total,
        "facets": found.facets,
        "empty": found.empty,
        "stopped": found.stopped,
        "exports": export_links(asked),
        "command": spoken(asked),
        "script": script_data(asked, view.names, found.events),
    }


def _frame(asked: Asked, view: View) -> dict[str, Any]:
    """What the page shows whether or not its query could be read."""
    kept = tuple(pair for pair in asked.more if pair[0] not in (*PLACES, "cols"))
    unfolded = "" if view.is_folded else "1"
    return {
        "error": None,
        "view": view,
        "offered": SHOWN,
        "sizes": [(size, asked.url(PATH, size="" if size == SIZES[0] else str(size), **PLACES))
                  for size in SIZES],
        "by_links": [(field, asked.url(
            PATH, by="" if field == events_chart.DEFAULT else field))
            for field in dict.fromkeys((*events_chart.OFFERED, view.by))],
        "fold_url": asked.url(PATH, fold=unfolded, **PLACES),
        "default_columns": events_table.with_columns(asked, events_table.DEFAULT),
        "column_form": replace(asked, more=kept).pairs(),
        "chips": chips(asked, PATH),
        "pick_query": pick_query(asked),
        "facets_url": facets_url(asked),
    }  # fmt: skip


def _unread(request: Request, desk: Desk, error: QueryError) -> Response:
    """The page without answers: what is wrong with the query, all else that was asked kept."""
    pairs = [(name, text) for name, text in request.query_params.multi_items() if name != "q"]
    query = request.query_params.get("q", "").strip()
    asked = parse_asked(pairs, desk.now_us(), parse, (*ALSO, "refresh"))
    view, asked = view_of(asked), replace(asked, q=query)
    told = {"sentence": str(error), "hint": error.hint,
            "marked": marked(query, error.column, error.length)}  # fmt: skip
    return page(
        request, "events.html", status_code=400, asked=asked, **_frame(asked, view) | {
            "error": told, "columns": (), "lines": None, "folded": None, "newer": "", "older": "",
            "newest": "", "chart": None, "gaps": (), "total": None, "facets": None, "empty": None,
            "stopped": "", "exports": (), "command": "", "script": None,
        },
    )  # fmt: skip


def _events(asked: Asked, view: View, store: EventStore, budget: Budget) -> Page:
    return store.events(
        asked.question, budget, size=view.size, before=view.before, after=view.after,
        columns=events_table.stored(view.names),
    )  # fmt: skip


def _lines(asked: Asked, view: View, found: Found) -> tuple[events_table.Line, ...] | None:
    if found.events is None:
        return None
    lines = events_table.Lines(asked, view.names)
    return tuple(map(lines.line, found.events.rows))


def _turned(asked: Asked, name: str, to: Cursor | None) -> str:
    return asked.url(PATH, **(PLACES | {name: str(to)})) if to else ""


def _place(asked: Asked, name: str) -> Cursor | None:
    text = asked.get(name)
    try:
        return cursor.parse(text) if text else None
    except ValueError as error:
        told = f"{name}: {text[:80]!r} is no place in the list"
        hint = "take a link of another page"
        raise ParameterError(told, parameter=name, hint=hint) from error


def _size(asked: Asked) -> int:
    text = asked.get("size") or str(SIZES[0])
    if text not in map(str, SIZES):
        hint = f"say one of {', '.join(map(str, SIZES))}"
        raise ParameterError(f"size: {text[:20]!r} does not fit", parameter="size", hint=hint)
    return int(text)


def _is_on(asked: Asked, name: str) -> bool:
    text = asked.get(name)
    if text not in ("", "0", "1"):
        raise ParameterError(f"{name}: {text[:20]!r} does not fit", parameter=name, hint="1 or 0")
    return text == "1"
