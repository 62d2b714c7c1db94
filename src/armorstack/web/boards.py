"""The overview, the pages of policies, pods, namespaces and nodes, and the lists of them.

    /            /policies  /pods  /namespaces  /nodes
                 /policy?policy=…   /pod?namespace=…&pod=…   /namespace?namespace=…   /node?node=…

Invariant: a page of an entity is its board with the entity picked, so what else its URL asks holds
too: `/policy?policy=x&pod=y` is one policy in one pod. Must not go here: how a panel looks.
"""

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from armorstack.core import boards
from armorstack.core.panels import Board, Panel
from armorstack.core.query.asked import Asked
from armorstack.core.text import printable
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore
from armorstack.web import board_notes, listings, panels
from armorstack.web.charts.element import joined
from armorstack.web.desk import Desk, answer, asked_of, grant_of, store_for
from armorstack.web.links import EVENTS, Links
from armorstack.web.panel_answers import Answers
from armorstack.web.render import page

ALSO = ("refresh",)
NAME_LIMIT = 120
SECONDS = 30.0
"""What one page may take: a board asks a dozen questions or two."""
Heard = tuple[tuple[str, str, int], ...]
"""What `View.nodes` tells."""
Endpoint = Callable[[Request], Awaitable[Response]]


class Site(Struct, frozen=True):
    """A board and where it is."""

    path: str
    board: Board
    above: str = ""
    """Of an entity: the list that it stands in, which is shown while none is named."""


OVERVIEW = Site("/", boards.OVERVIEW)
ENTITIES = (
    Site("/policy", boards.POLICY, "/policies"),
    Site("/pod", boards.POD, "/pods"),
    Site("/namespace", boards.NAMESPACE, "/namespaces"),
    Site("/node", boards.NODE, "/nodes"),
)
LISTS = tuple(Site(f"/{board.id}", board) for board in boards.LISTS.values())


class Shown(Struct, frozen=True):
    """What a page was answered."""

    drawn: tuple[panels.Drawn, ...]
    note: Markup
    nothing: board_notes.Nothing | None


def routes(desk: Desk) -> list[Route]:
    """The routes of all boards and lists."""
    overview = [Route(OVERVIEW.path, _board(desk, OVERVIEW), name="overview")]
    entities = [Route(site.path, _entity(desk, site)) for site in ENTITIES]
    return overview + entities + [Route(site.path, _list(desk, site)) for site in LISTS]


def _board(desk: Desk, site: Site) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return await _answered(request, desk, site, asked_of(request, desk, ALSO))

    return endpoint


def _entity(desk: Desk, site: Site) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        asked = asked_of(request, desk, ALSO)
        if not named(asked, site.board.id):
            return RedirectResponse(asked.url(site.above), status_code=307)
        return await _answered(request, desk, site, asked)

    return endpoint


async def _answered(request: Request, desk: Desk, site: Site, asked: Asked) -> Response:
    store, links = store_for(request, desk), Links(asked, site.path)
    # When a node was heard says something of namespaces that not everybody may read.
    sees_all = site.board is boards.NODE and grant_of(request).namespaces is None
    nodes = desk.view.nodes if sees_all else tuple
    shown = await answer(request, lambda budget: _shown(site, links, store, nodes, budget), SECONDS)
    name = named(asked, site.board.id)
    return page(
        request, "board.html", asked=asked, shown=shown, board=site.board, name=name,
        heading=f"{site.board.title} {name}".rstrip(), events_href=_plain(asked).url(EVENTS),
        above=_without(asked, site.board.id).url(site.above) if site.above else "",
        above_title=site.above.strip("/").capitalize(),
    )  # fmt: skip


def _shown(
    site: Site, links: Links, store: EventStore, nodes: Callable[[], Heard], budget: Budget
) -> Shown:  # fmt: skip
    with store.at_one_moment() as moment:
        answers = Answers(site.board, links.asked, moment, budget)
        drawn = panels.draw(site.board, answers, links)
        note = joined([board_notes.posture(answers, links), board_notes.heard(nodes(), links)])
        return Shown(drawn, note, board_notes.nothing(answers, links, moment))


def _list(desk: Desk, site: Site) -> Endpoint:
    panel = site.board.panels[0]

    async def endpoint(request: Request) -> Response:
        asked = asked_of(request, desk, (*ALSO, *listings.ALSO))
        store, links = store_for(request, desk), Links(asked, site.path)
        listings.sorting(asked, panel)
        shown = await answer(
            request, lambda budget: _listed(site, panel, links, store, budget), SECONDS
        )
        return page(request, "board_list.html", asked=asked, board=site.board, shown=shown,
                    panel=panel)  # fmt: skip

    return endpoint


def _listed(site: Site, panel: Panel, links: Links, store: EventStore, budget: Budget) -> Shown:
    with store.at_one_moment() as moment:
        answers = Answers(site.board, links.asked, moment, budget)
        drawn = (panels.Drawn(panel, listings.draw(panel, answers, links)),)
        return Shown(drawn, Markup(), board_notes.nothing(answers, links, moment))


def named(asked: Asked, entity: str) -> str:
    """The name, or names, of the entity that a page is about; empty: the URL names none."""
    for pick in asked.picks:
        if pick.field == entity:
            return printable(", ".join(value or "(none)" for value in pick.include), NAME_LIMIT)
    return ""


def _plain(asked: Asked) -> Asked:
    return replace(asked, more=())


def _without(asked: Asked, entity: str) -> Asked:
    """What the list above is asked: the same, but the entity (of a pod also its namespace)."""
    kept = asked.without_pick(entity)
    return _plain(kept.without_pick("namespace") if entity == "pod" else kept)
