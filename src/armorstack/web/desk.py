"""What every page and endpoint is given: the store, the state of the whole, the clock, the grant.

Invariant: whoever answers a request gets its store from `store_for`, which keeps a token with
named namespaces inside them; no page takes the store from anywhere else.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol, TypeVar

from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from armorstack.core.query.asked import Asked, parse_asked
from armorstack.core.query.parse import parse
from armorstack.errors import AccessError
from armorstack.health import Health
from armorstack.policies.book import Book
from armorstack.store.budget import QUESTION_S, Budget
from armorstack.store.contract import EventStore

Answer = TypeVar("Answer")


class Grant(Struct, frozen=True):
    """What the bearer of a token may do."""

    name: str
    """The token's name, for the audit."""
    namespaces: tuple[str, ...] | None = None
    """What may be read; None: everything."""
    admin: bool = False


class View(Protocol):
    """How the whole is doing; called from several threads."""

    def health(self) -> Health:
        """How the whole is doing."""

    def not_ready(self) -> str:
        """Why the work cannot be done yet; empty when it can."""

    def metrics(self) -> bytes:
        """All metrics in the Prometheus text format."""

    def nodes(self) -> tuple[tuple[str, str, int], ...]:
        """The nodes heard last: cluster, name, and when its newest event was received."""

    def keeping(self) -> "Keeping | None":
        """What the store keeps; None: there is none."""


class Keeping(Struct, frozen=True):
    """What the store was told to keep, and how much it is."""

    max_age_days: float
    """0: for ever."""
    max_bytes: int
    """0: no limit."""
    disk_bytes: int | None = None
    """What its files take now; None: nobody here knows."""


class Desk(Struct, frozen=True):
    """Handed to every module that has routes."""

    view: View
    store: Callable[[], EventStore]
    """The store; raises StoreError where there is none that can be asked, with what to do."""
    now_us: Callable[[], int]
    book: Book | None = None
    """What is known of deployed policies; None: they are not watched."""


def grant_of(request: Request) -> Grant:
    """Who asks; the access middleware has set it. Raises AccessError where nobody did."""
    grant = request.scope.get("armorstack.grant")
    if not isinstance(grant, Grant):
        raise AccessError("this needs a token")
    return grant


def store_for(request: Request, desk: Desk) -> EventStore:
    """The store as far as the bearer may see it."""
    grant = grant_of(request)
    store = desk.store()
    return store if grant.namespaces is None else store.within(grant.namespaces)


def asked_of(request: Request, desk: Desk, also: tuple[str, ...] = ()) -> Asked:
    """What the URL asks for; see `parse_asked`. Every page may be refreshed by itself."""
    if not request.url.path.startswith("/api/"):
        also = (*also, "refresh")
    return parse_asked(request.query_params.multi_items(), desk.now_us(), parse, also)


async def answer(
    request: Request, work: Callable[[Budget], Answer], seconds: float = QUESTION_S
) -> Answer:
    """Do this in a thread; it is ended when its time is up or when the caller leaves."""
    budget = Budget(seconds)
    watch = asyncio.create_task(_cancel_when_left(request, budget))
    try:
        return await run_in_threadpool(work, budget)
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


async def _cancel_when_left(request: Request, budget: Budget) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    budget.cancel()
