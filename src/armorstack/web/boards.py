"""The overview, the pages of policies, pods, namespaces and nodes, and the lists of them.

    /            /policies  /pods  /namespaces  /nodes
                 /policy?policy=…   /pod?namespace=…&pod=…   /namespace?namespace=…   /node?node=…

Invariant: a page of an entity is its board with the entity picked, so what else its URL asks holds
too: `/policy?policy=x&pod=y` is one policy in one pod. Must not go here: how a panel looks.
"""

from collections.abc import Awaitable, Callable, Sequence

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
from armorstack.web.pages import policy_deployed
from armorstack.web.pages.policy_deployed import About, Watched
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
POLICIES = Site("/policies", boards.POLICIES)
"""Whose route stands in `pages/policies.py`, which shows the deployed ones where it can."""
LISTS = tuple(Site(f"/{each.id}", each) for each in boards.LISTS.values() if each.id != "policies")


class Shown(Struct, frozen=True):
    """What a page was answered."""

    drawn: tuple[panels.Drawn, ...]
    note: Markup
    nothing: board_notes.Nothing | None
    deployed: tuple[About, ...] = ()
    """Of a policy: what is known of those of its name."""


def routes(desk: Desk) -> list[Route]:
    """The routes of all boards and lists."""
    overview = [Route(OVERVIEW.path, _board(desk, OVERVIEW), name="overview")]
    entities = [Route(site.path, _entity(desk, site)) for site in ENTITIES]
    return overview + entities + [Route(site.path, listed(desk, site)) for site in LISTS]


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
    watched = Watched(desk.book, grant_of(request).namespaces)

    def work(budget: Budget) -> Shown:
        return _shown(site, links, store, nodes, budget, watched)

    shown = await answer(request, work, SECONDS)
    name = named(asked, site.board.id)
    return page(
        request, "board.html", asked=asked, shown=shown, board=site.board, name=name,
        heading=f"{site.board.title} {name}".rstrip(), events_href=_plain(asked).url(EVENTS),
        above=_without(asked, site.board.id).url(site.above) if site.above else "",
        above_title=site.above.strip("/").capitalize(),
    )  # fmt: skip


def _shown(
    site: Site, links: Links, store: EventStore, nodes: Callable[[], Heard], budget: Budget,
    watched: Watched,
) -> Shown:  # fmt: skip
    with store.at_one_moment() as moment:
        answers = Answers(site.board, links.asked, moment, budget)
        drawn = panels.draw(site.board, answers, links)
        notes = [board_notes.posture(answers, links), board_notes.heard(nodes(), links)]
        deployed: tuple[About, ...] = ()
        if site.board is boards.POLICY:
            deployed = policy_deployed.about(watched, links, moment, budget)
            notes.append(policy_deployed.unknown(watched, links.asked, deployed))
        elif site.board is boards.POD:
            notes.append(policy_deployed.selecting(watched, links.asked))
        nothing = board_notes.nothing(answers, links, moment)
        return Shown(drawn, joined(notes), nothing, deployed)


def listed(desk: Desk, site: Site, note: str = "", also: Sequence[str] = ()) -> Endpoint:
    """The endpoint of a list of what alerts name; `note` stands above it, `also` are parameters
    that it knows besides."""
    panel = site.board.panels[0]

    async def endpoint(request: Request) -> Response:
        asked = asked_of(request, desk, (*ALSO, *listings.ALSO, *also))
        store, links = store_for(request, desk), Links(asked, site.path)
        listings.sorting(asked, panel)
        shown = await answer(
            request,
            lambda budget: _listed(site, panel, links, store, budget, joined([note])),
            SECONDS,
        )
        return page(request, "board_list.html", asked=asked, board=site.board, shown=shown,
                    panel=panel)  # fmt: skip

    return endpoint


def _listed(
    site: Site, panel: Panel, links: Links, store: EventStore, budget: Budget, note: Markup
) -> Shown:  # fmt: skip
    with store.at_one_moment() as moment:
        answers = Answers(site.board, links.asked, moment, budget)
        drawn = (panels.Drawn(panel, listings.draw(panel, answers, links)),)
        return Shown(drawn, note, board_notes.nothing(answers, links, moment))


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
