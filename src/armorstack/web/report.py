"""The report: the panels of the overview and the lists as one file that needs nothing else.

The file has its style within and a policy of content that allows this style alone, by its hash: no
script, no address, no picture from elsewhere. It may be mailed, put into a ticket, printed.
Invariant: what an event says can do no more there than on a page. Must not go here: options,
files.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from markupsafe import Markup
from msgspec import Struct

from armorstack.core import boards
from armorstack.core.panels import Board
from armorstack.core.query.asked import Asked
from armorstack.core.query.question import Pick
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore
from armorstack.web import board_notes, listings, panels
from armorstack.web.charts.element import ABSENT
from armorstack.web.charts.times import clock
from armorstack.web.links import Links
from armorstack.web.panel_answers import Answers
from armorstack.web.render import environment

SECONDS = 600.0
"""What one report may take."""
POLICY = "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
_STYLES = ("charts.css", "report.css")


class Section(Struct, frozen=True):
    """A board of the report."""

    board: Board
    drawn: tuple[panels.Drawn, ...]
    note: Markup


class About(Struct, frozen=True):
    """What a report says of itself."""

    title: str
    made_us: int
    origin: str
    """Where the events lie, as people say it."""
    remarks: tuple[str, ...] = ()
    """What was left out, and why."""


def render(about: About, asked: Asked, store: EventStore, budget: Budget) -> str:
    """The file's text. Raises StoreError."""
    sections = [_overview(asked, store, budget)]
    sections += [_list(board, asked, store, budget) for board in boards.LISTS.values()]
    style = style_sheet()
    return environment().get_template("report.html").render(
        about=about, style=Markup(style), policy=POLICY.format(digest=digest(style)),
        sections=sections, facts=_facts(about, asked, store, budget),
    )  # fmt: skip


@cache
def style_sheet() -> str:
    """The style that stands in the file."""
    folder = resources.files("armorstack.web") / "static"
    return "".join((folder / name).read_text(encoding="utf-8") for name in _STYLES)


def digest(style: str) -> str:
    """The hash of a style as a policy of content writes it."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _overview(asked: Asked, store: EventStore, budget: Budget) -> Section:
    links = Links(asked)
    answers = Answers(boards.OVERVIEW, asked, store, budget)
    drawn = panels.draw(boards.OVERVIEW, answers, links)
    return Section(boards.OVERVIEW, drawn, board_notes.posture(answers, links))


def _list(board: Board, asked: Asked, store: EventStore, budget: Budget) -> Section:
    panel, links = board.panels[0], Links(asked)
    answers = Answers(board, asked, store, budget)
    return Section(board, (panels.Drawn(panel, listings.draw(panel, answers, links)),), Markup())


def _facts(
    about: About, asked: Asked, store: EventStore, budget: Budget
) -> Sequence[tuple[str, str]]:  # fmt: skip
    seen = store.seen(asked.question, budget)
    facts = [("Made", f"{clock(about.made_us, asked.zone)} {asked.tz}"), ("From", about.origin)]
    facts.append(("Time", _span(asked)))
    if asked.q:
        facts.append(("Query", asked.q))
    facts += [(pick.field, said) for pick in asked.picks for said in _picked(pick)]
    facts.append(("Events", f"{seen.count:,}"))
    if seen.first and seen.last:
        first, last = (clock(row["time"], asked.zone) for row in (seen.first, seen.last))
        facts.append(("First and last", f"{first} – {last} {asked.tz}"))
    return facts


def _picked(pick: Pick) -> Sequence[str]:
    wanted = [" or ".join(value or ABSENT for value in pick.include)] if pick.include else []
    return [*wanted, *(f"not {value or ABSENT}" for value in pick.exclude)]


def _span(asked: Asked) -> str:
    if asked.start_us is None and asked.end_us is None:
        return "all"
    start = "the first event" if asked.start_us is None else clock(asked.start_us, asked.zone)
    end = "now" if asked.end_us is None else clock(asked.end_us, asked.zone)
    return f"{start} – {end} {asked.tz}"
