"""Repeats as one line each: how often, first and last.

Invariant: a line's link asks for exactly the events that were counted in it, absent values too.
Must not go here: the `fold` filter of the pipeline, which stores less; here nothing is lost.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from armorstack.core.query.asked import Asked
from armorstack.core.query.question import Pick
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, Group
from armorstack.web.pages.events_table import (
    LONGEST_PICK,
    PATH,
    PLACES,
    Lines,
    Value,
    values_of,
)

FIELDS = (
    "stream", "action", "policy", "namespace", "pod", "operation", "process", "resource", "result",
)  # fmt: skip
HEADS = ("action", "policy", "pod", "operation", "process", "resource", "result")
"""The columns: a pod stands behind its namespace, the stream where there is no operation."""
SIZE = 100


class Repeats(Struct, frozen=True):
    """One line."""

    cells: tuple[tuple[Value, ...], ...]
    """The values of each column of `HEADS`, without absent ones."""
    count: int
    first_us: int
    last_us: int
    url: str
    """Its events, one by one; empty where a value is too long for a URL."""


class Folded(Struct, frozen=True):
    """The most frequent ones."""

    lines: tuple[Repeats, ...]
    distinct: int
    heads: tuple[str, ...] = HEADS


def ask(asked: Asked, store: EventStore, budget: Budget) -> Folded:
    """The most frequent repeats, and how many there are in all."""
    top = store.top(asked.question, budget, fields=FIELDS, size=SIZE)
    values = Lines(asked, ())
    return Folded(tuple(_repeats(group, asked, values) for group in top.groups), top.distinct)


def _repeats(group: Group, asked: Asked, values: Lines) -> Repeats:
    event = {field: text for field, text in zip(FIELDS, group.values, strict=True) if text}
    shown = tuple(tuple(_cell(head, event, values)) for head in HEADS)
    return Repeats(shown, group.count, group.first_us, group.last_us, _url(group, asked))


def _cell(head: str, event: dict[str, str], values: Lines) -> Iterator[Value]:
    if head == "operation" and head not in event:
        head = "stream"
    for field, text in values_of(head, event):
        yield values.value(field, text)


def _url(group: Group, asked: Asked) -> str:
    """Absent values are asked for, too: a group without a pod must not show events of pods."""
    if max(map(len, group.values)) > LONGEST_PICK:
        return ""
    others = tuple(pick for pick in asked.picks if pick.field not in FIELDS)
    own = tuple(Pick(field, (value,)) for field, value in zip(FIELDS, group.values, strict=True))
    return replace(asked, picks=(*others, *own)).url(PATH, fold="", **PLACES)
