"""How everything is doing, and why a screen is empty: `/status`.

Invariant: it answers also where there is no store, no receiver and no event; then it says what to
do first. Whoever may read some namespaces only is told nothing of nodes, sources, errors or
settings, and counts of what is theirs alone. Must not go here: what is wrong (`findings.py`).
"""

from collections.abc import Callable, Iterator
from datetime import tzinfo
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from armorstack.core.gap import Gap
from armorstack.core.query.question import Question
from armorstack.errors import StoreError
from armorstack.health import Health
from armorstack.open_gaps import open_gaps
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, Row, Seen
from armorstack.web.desk import Desk, Grant, Keeping, answer, asked_of, grant_of, store_for
from armorstack.web.pages.findings import DAY_US, Finding, Step, findings, first_hour
from armorstack.web.pages.status_rows import Fact, gap_rows, tables
from armorstack.web.pages.told import moment, size_of
from armorstack.web.render import page

GAPS = 50
NODES = 200
WEEK_US = 7 * DAY_US
ASK = "ask whoever runs armorstack"


class Stored(Struct, frozen=True):
    """What the store holds of what may be seen."""

    seen: Seen
    gaps: tuple[Gap, ...]
    fault: str = ""
    """Why it could not be asked, one sentence."""

    def newest_gaps(self) -> tuple[Gap, ...]:
        """The newest first."""
        return tuple(reversed(self.gaps[-GAPS:]))


NOTHING = Seen(0, None, None)


def routes(desk: Desk) -> list[Route]:
    """The page."""

    async def status(request: Request) -> Response:
        grant = grant_of(request)
        asked = asked_of(request, desk, ())

        def work(budget: Budget) -> dict[str, Any]:
            now_us, health = desk.now_us(), desk.view.health()
            stored = _asked_of_store(lambda: store_for(request, desk), now_us, budget)
            if grant.namespaces is None:
                values = whole(desk, health, stored, now_us, asked.zone)
            else:
                values = reduced(health, stored, grant, asked.zone)
            return {"now_us": now_us, **values}

        return page(request, "status.html", asked=asked, **await answer(request, work))

    return [Route("/status", status)]


def _asked_of_store(open_: Callable[[], EventStore], now_us: int, budget: Budget) -> Stored:
    """A store that cannot be asked is one of the things this page is there to tell."""
    try:
        store = open_()
        gaps = store.gaps(now_us - WEEK_US, None)
        return Stored(store.seen(Question(), budget), tuple(gaps))
    except StoreError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return Stored(NOTHING, (), f"{error}{hint}")


def whole(desk: Desk, health: Health, stored: Stored, now_us: int, zone: tzinfo) -> dict[str, Any]:
    """For whoever may see everything."""
    found = findings(health, _time(stored.seen.last), now_us)
    if stored.fault:
        found = (Finding(f"The store cannot be asked: {stored.fault}."), *found)
    open_ = open_gaps(health.receiver, now_us)
    return {
        "findings": found,
        "steps": _steps(health, stored, now_us),
        "store": (*_facts(stored, zone), *_kept(desk.view.keeping())),
        "tables": tables(health, desk.view.nodes()[:NODES], zone, now_us),
        "gaps": (*gap_rows(open_, zone, is_open=True), *gap_rows(stored.newest_gaps(), zone)),
        "gap_count": len(stored.gaps) + len(open_),
        "is_whole": True,
        "namespaces": (),
    }


def reduced(health: Health, stored: Stored, grant: Grant, zone: tzinfo) -> dict[str, Any]:
    """For a token with named namespaces: nothing that could name another one's."""
    return {
        "findings": tuple(_reduced_findings(health, stored)),
        "steps": (),
        "store": _facts(stored, zone),
        "tables": (),
        "gaps": gap_rows(stored.newest_gaps(), zone, is_reduced=True),
        "gap_count": len(stored.gaps),
        "is_whole": False,
        "namespaces": grant.namespaces or (),
    }


def _reduced_findings(health: Health, stored: Stored) -> Iterator[Finding]:
    sources = health.receiver.sources if health.receiver else ()
    if stored.fault:
        yield Finding("The store cannot be asked just now.")
    if not all(source.finished or source.connected for source in sources) or not sources:
        yield Finding("Not every source is connected just now: newer events may be missing.", ASK)
    if not stored.seen.count and not stored.fault:
        yield Finding("There is no event of your namespaces in the store.", ASK)


def _steps(health: Health, stored: Stored, now_us: int) -> tuple[Step, ...]:
    """Of the first hour; none once there is an event."""
    is_over = stored.seen.count > 0 or bool(stored.fault)
    return () if is_over else first_hour(health, stored.seen.count, now_us)


def _time(row: Row | None) -> int | None:
    return None if row is None else int(row["time"])


def _facts(stored: Stored, zone: tzinfo) -> tuple[Fact, ...]:
    first, last = stored.seen.first, stored.seen.last
    return (
        Fact("Events", f"{stored.seen.count:,}"),
        Fact("Oldest", moment(first["time"], zone, digits=0) if first else "none"),
        Fact("Newest", moment(last["time"], zone, digits=0) if last else "none"),
    )


def _kept(keeping: Keeping | None) -> tuple[Fact, ...]:
    if keeping is None:
        return ()
    days, limit = keeping.max_age_days, keeping.max_bytes
    size = keeping.disk_bytes
    return (
        *(() if size is None else (Fact("Size on disk", size_of(size)),)),
        Fact("Events are kept", f"{days:g} days" if days else "for ever"),
        Fact("Disk limit", size_of(limit) if limit else "none"),
    )
