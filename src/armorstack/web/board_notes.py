"""What stands above the panels of a board: noise that may be left out, and why nothing is shown.

Must not go here: panels.
"""

import contextlib
from collections.abc import Iterable

from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace

from armorstack.core.boards import ALERTS
from armorstack.core.query.asked import ALL
from armorstack.errors import QueryStopped
from armorstack.store.contract import EventStore
from armorstack.web.charts.element import element, joined, linked, number, said, share
from armorstack.web.charts.times import DAY_US, clock, moment_of, time_element
from armorstack.web.links import Links
from armorstack.web.panel_answers import Answers

_NAME = "DefaultPosture"
_FIELD = "policy"


class Nothing(Struct, frozen=True):
    """Why a page has no events, and what to do."""

    title: str
    sentence: str
    links: tuple[tuple[str, str], ...]
    """Text and URL."""


def posture(answers: Answers, links: Links) -> Markup:
    """How many alerts no policy made, with a link that leaves them out or takes them in again;
    nothing where time is up."""
    with contextlib.suppress(QueryStopped):
        return _posture(answers, links)
    return Markup()


def _posture(answers: Answers, links: Links) -> Markup:
    asked = links.asked
    picked = next((pick for pick in asked.picks if pick.field == _FIELD), None)
    if picked is not None and _NAME in picked.exclude:
        back = links.page(asked.without_pick(_FIELD, _NAME))
        return _note("Alerts of DefaultPosture are left out.", back, "Show them")
    if picked is not None or not (found := answers.of_value(ALERTS, _FIELD, _NAME)):
        return Markup()
    whole = answers.count(ALERTS)
    told = f"{number(found)} of {number(whole)} alerts ({share(found, whole)}) are DefaultPosture: "
    told += "no policy named them."
    without = links.page(asked.with_pick(_FIELD, _NAME, exclude=True))
    return _note(told, without, "Leave them out")


def heard(nodes: Iterable[tuple[str, str, int]], links: Links) -> Markup:
    """When the picked nodes were heard last, messages and what no span holds included; `nodes` as
    `View.nodes` tells them."""
    asked = links.asked
    picked = {value for pick in asked.picks if pick.field == "node" for value in pick.include}
    told = [
        element("p", said(name), " was heard last at ", time_element(at_us, asked.zone),
                f" (cluster {said(cluster)})", class_="hint")
        for cluster, name, at_us in nodes
        if name in picked
    ]  # fmt: skip
    return joined(told)


def nothing(answers: Answers, links: Links, store: EventStore) -> Nothing | None:
    """Why there are no events; None where there are some, or where time is up."""
    with contextlib.suppress(QueryStopped):
        return _nothing(answers, links, store)
    return None


def _nothing(answers: Answers, links: Links, store: EventStore) -> Nothing | None:
    if answers.count(ALERTS) or answers.count(""):
        return None
    newest_us = store.newest()
    asked = links.asked
    if newest_us is None:
        return Nothing("No events yet", "Nothing has been stored so far.",
                       (("Find out why", "/status"),))  # fmt: skip
    ways = []
    if asked.q or asked.picks:
        # Of an entity's page nothing is left to name, so it leads on to the list.
        plain = replace(asked, q="", picks=(), more=())
        ways.append(("Without filters", links.page(plain)))
    if asked.start != ALL:
        ways.append(("All time", links.page(asked.at(ALL, "now"))))
        around = asked.at(moment_of(newest_us - DAY_US), moment_of(newest_us + 1))
        ways.append(("The day before the newest event", links.page(around)))
    told = f"The newest event that is stored is of {clock(newest_us, asked.zone)}."
    return Nothing("No events match", told, tuple(ways))


def _note(text: str, href: str, link: str) -> Markup:
    more = [" ", linked(href, link)] if href else []
    return element("p", text, *more, class_="hint")
