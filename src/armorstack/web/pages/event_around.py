"""What a store knows around one event: its neighbours, its repeats, the processes beside it.

Invariant: each question is bounded in time and rows, however busy the container is. A question that
ran out of time leaves its part of the page empty, and says so; the event itself is shown.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from armorstack.core.process_tree import Process, process_tree
from armorstack.core.query.asked import Asked
from armorstack.core.query.question import Question
from armorstack.core.query.tree import Compare, Match, Node, all_of, any_of
from armorstack.errors import QueryStopped
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, Row, Seen
from armorstack.store.cursor import Cursor

Part = TypeVar("Part")
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
NEIGHBOURS = 8
"""Events of the container before, and after."""
REPEATS_US = 12 * 3600 * SECOND_US
FAMILY_US = 3600 * SECOND_US
FAMILY_ROWS = 60
"""Events per level of the tree before, and after."""
ANCESTORS = 8
LEVELS = 2
"""Below the children of the process."""
MAX_PIDS = 40
_INIT = frozenset({0, 1})
"""Parents of whatever has none any more: no family."""

LINE = (
    "namespace_name", "pod_name", "host_name", "process_name", "parent_process_name", "source",
    "operation", "resource", "action", "result", "policy_name", "severity", "level", "message",
    "host_pid", "host_ppid", "uid", "user_name", "data", "event_data", "dropping_alerts_interval",
)  # fmt: skip
"""Columns that one line about an event needs."""
_SAME = {
    "stream": "stream", "namespace": "namespace_name", "pod": "pod_name", "node": "host_name",
    "policy": "policy_name", "process": "process_name", "operation": "operation",
    "resource": "resource", "action": "action",
}  # fmt: skip
"""Fields by which an event is a repeat of another, and their columns."""


class Around(Struct, frozen=True):
    """All of it; None: it was not asked, because the time was up."""

    newer: Row | None
    """The next event of what was asked for."""
    older: Row | None
    before: tuple[Row, ...] | None
    """Its neighbours in the container, the oldest first."""
    after: tuple[Row, ...] | None
    repeats: Seen | None
    tree: tuple[Process, ...] | None


def around(store: EventStore, row: Row, asked: Asked, budget: Budget) -> Around:
    """What there is around this event, which `asked` led to."""
    asking = _Asking(store, row, budget)
    return Around(
        newer=asking.or_none(lambda: asking.next_of(asked, newer=True)),
        older=asking.or_none(lambda: asking.next_of(asked, newer=False)),
        before=asking.or_none(lambda: asking.neighbours(newer=False)),
        after=asking.or_none(lambda: asking.neighbours(newer=True)),
        tree=asking.or_none(asking.tree),
        repeats=asking.or_none(asking.repeats),
    )


def same(row: Mapping[str, Any]) -> Node:
    """True of events that say the same of the same pod, process and resource."""
    return all_of([_is(field, row.get(column)) for field, column in _SAME.items()])


def same_place(row: Mapping[str, Any]) -> Node:
    """True of events of the same container; without one: of the same node outside of all."""
    return all_of([_is("node", row.get("host_name")), _is("container_id", row.get("container_id"))])


def _is(field: str, value: Any) -> Node:
    return Match(field, (str(value or ""),), exact=True)


class _Asking:
    """The questions about one event."""

    def __init__(self, store: EventStore, row: Row, budget: Budget) -> None:
        self._store, self._row, self._budget = store, row, budget
        self._time_us = int(row["time"])
        self._here = Cursor(self._time_us, row["id"])

    def or_none(self, work: Callable[[], Part]) -> Part | None:
        try:
            return work()
        except QueryStopped:
            return None

    def next_of(self, asked: Asked, *, newer: bool) -> Row | None:
        """The next event of what was asked for; of all times where this one is not among its."""
        found = self._events(_reaching(asked.question, self._time_us), newer=newer, size=1)
        return found[0] if found else None

    def neighbours(self, *, newer: bool) -> tuple[Row, ...]:
        """The oldest first."""
        question = self._span(same_place(self._row), DAY_US)
        return tuple(reversed(self._events(question, newer=newer, size=NEIGHBOURS)))

    def repeats(self) -> Seen:
        return self._store.seen(self._span(same(self._row), REPEATS_US), self._budget)

    def tree(self) -> tuple[Process, ...]:
        """The processes above this one, beside it and below it."""
        if not self._row.get("host_pid"):
            return ()
        rows = [self._row, *self._ancestors(), *self._family()]
        return process_tree(rows, self._row["id"])

    def _ancestors(self) -> list[Row]:
        """The newest event of each, for as long as there is one."""
        found: list[Row] = []
        known, row = {int(self._row["host_pid"])}, self._row
        while len(found) < ANCESTORS and (pid := row.get("host_ppid")) and pid not in known:
            known.add(pid)
            where = all_of([same_place(self._row), Compare("pid", "=", pid)])
            above = self._events(self._span(where, DAY_US), newer=False, size=1)
            if not above:
                break
            row = above[0]
            found.append(row)
        return found

    def _family(self) -> list[Row]:
        """Events of the parent, of all it began, of what those began, and so on."""
        pid, parent = int(self._row["host_pid"]), int(self._row.get("host_ppid") or 0)
        known = {pid, parent} - _INIT
        found = self._relatives(own={pid} if parent in _INIT else {parent}, of=known)
        for _ in range(LEVELS):
            fresh = {int(row["host_pid"]) for row in found if row.get("host_pid")} - known - _INIT
            if not fresh:
                break
            known |= fresh
            found += self._relatives(own=set(), of=fresh)
        return found

    def _relatives(self, own: set[int], of: set[int]) -> list[Row]:
        """Events of the processes `own`, and of those that the processes `of` began."""
        wanted = [Compare("pid", "=", pid) for pid in sorted(own)]
        wanted += [Compare("ppid", "=", pid) for pid in sorted(of)[:MAX_PIDS]]
        question = self._span(all_of([same_place(self._row), any_of([*wanted])]), FAMILY_US)
        sides = (self._events(question, newer=newer, size=FAMILY_ROWS) for newer in (False, True))
        return [row for side in sides for row in side]

    def _span(self, where: Node, width_us: int) -> Question:
        start_us = max(0, self._time_us - width_us)
        return Question(where=where, start_us=start_us, end_us=self._time_us + width_us)

    def _events(self, question: Question, *, newer: bool, size: int) -> tuple[Row, ...]:
        before, after = (None, self._here) if newer else (self._here, None)
        return self._store.events(
            question, self._budget, size=size, before=before, after=after, columns=LINE
        ).rows


def _reaching(question: Question, time_us: int) -> Question:
    """The same question, without its span where that leaves the time out."""
    start_us, end_us = question.start_us, question.end_us
    if (start_us is None or start_us <= time_us) and (end_us is None or time_us < end_us):
        return question
    return replace(question, start_us=None, end_us=None)
