"""Why the explorer shows nothing, and what would show something.

Invariant: an empty page never just says that it is empty. Must not go here: how it is said.
"""

from msgspec import Struct
from msgspec.structs import replace

from armorstack.core.query.asked import ALL, DEFAULT_TO, Asked
from armorstack.core.query.question import Question
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore
from armorstack.web.charts.times import moment_of
from armorstack.web.pages.events_table import PATH, PLACES

HOUR_US = 3_600_000_000


class Empty(Struct, frozen=True):
    """Why there is nothing."""

    newest_us: int | None
    """Time of the newest event that may be seen; None: there is none at all."""
    without_filters: int
    """Events in this span, whatever is searched for."""
    around_newest: str
    """URL of the hour that ends with the newest event."""
    all_time: str
    """URL that asks the same of all times; empty where that is asked already."""
    unfiltered: str


def why_empty(asked: Asked, store: EventStore, budget: Budget) -> Empty:
    """What was found out about a question without an event."""
    newest_us = store.newest()
    is_filtered = bool(asked.q or asked.picks)
    span = Question(start_us=asked.start_us, end_us=asked.end_us)
    others = store.count(span, budget) if is_filtered and newest_us is not None else 0
    return Empty(
        newest_us=newest_us, without_filters=others,
        around_newest=_around(asked, newest_us) if newest_us is not None else "",
        all_time="" if asked.start == ALL and asked.end == DEFAULT_TO
        else asked.at(ALL, DEFAULT_TO).url(PATH, **PLACES),
        unfiltered=replace(asked, q="", picks=()).url(PATH, **PLACES),
    )  # fmt: skip


def _around(asked: Asked, newest_us: int) -> str:
    # The end is exclusive, and the newest event is to be seen.
    start, end = moment_of(max(0, newest_us - HOUR_US)), moment_of(newest_us + 1)
    return asked.at(start, end).url(PATH, **PLACES)
