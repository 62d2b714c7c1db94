"""A policy from events: what they tell was done, as the policies that would mean just that.

One policy for each workload and node. Events are counted into a bounded number of different acts,
so memory does not grow with them. Invariant: whatever events say, a suggested policy has no faults
(`crd.faults`); each event is either matched by it or counted as left out, with the reason; and a
policy that blocks never means more than what was seen. Must not go here: texts, replays, applying.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from armorstack.policies.acts import Act, act_of, weight
from armorstack.policies.crd import ACTIONS, LEAST_SEVERITY, MOST_SEVERITY
from armorstack.policies.naming import NAMED, source_of, value_of
from armorstack.policies.suggested_rules import (
    MOST_RULES,
    MOST_SOURCES,
    Observed,
    Seen,
    Values,
    folded,
    most_frequent,
    sections,
)
from armorstack.policies.workloads import (
    BY_CONTAINER,
    BY_NOTHING,
    CONTAINERS,
    Workload,
    container_of,
    heading,
    labels_of,
    selector,
    short_name,
    workload_of,
)

MOST_WORKLOADS, MOST_VALUES, MOST_LEFT_OUT = 1000, 50_000, 1000
"""Different ones that are told apart; events of further ones are left out."""
SIBLINGS = 10
_MOST_NOTES = 3
_LONGEST = 200
"""Characters of a value that is left out."""


class Options(Struct, frozen=True):
    """How the policies are to be."""

    action: str = "Audit"
    severity: int = 5
    name: str = ""
    """Of the policies; further ones get a number. Empty: by workload."""
    siblings: int = SIBLINGS
    """So many files of one folder become the folder; 0: never."""

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"an action is one of {', '.join(ACTIONS)}")
        if not LEAST_SEVERITY <= self.severity <= MOST_SEVERITY:
            raise ValueError(f"a severity is from {LEAST_SEVERITY} to {MOST_SEVERITY}")


class LeftOut(Struct, frozen=True):
    """Events that no rule of a suggestion means."""

    workload: str
    what: str
    """The value as the event has it, or its operation."""
    reason: str
    events: int


class Suggested(Struct, frozen=True):
    """One policy."""

    policy: dict[str, Any]
    workload: str
    events: int
    """How many of those that were read it means."""
    notes: tuple[str, ...] = ()
    """What a person should know of it, a sentence each."""


class Suggestion(Struct, frozen=True):
    """All that follows from the events."""

    policies: tuple[Suggested, ...]
    left_out: tuple[LeftOut, ...]
    """Most events first."""
    events: int
    """How many were read."""


def suggest(rows: Iterable[Mapping[str, Any]], options: Options | None = None) -> Suggestion:
    """The policies for these events: rows with (at least) the columns `acts.COLUMNS`."""
    gathering = Gathering(options or Options())
    for row in rows:
        gathering.take(row)
    return gathering.suggestion()


class Gathering:
    """Events that are still coming."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._groups: dict[Workload, Observed] = {}
        self._left_out: dict[tuple[str, str, str], int] = {}
        self._events = 0
        self._values = 0

    def take(self, row: Mapping[str, Any]) -> None:
        """One event, or what was folded into one."""
        count = weight(row)
        self._events += count
        act = act_of(row)
        labels = labels_of(row.get("labels"))
        workload = workload_of(row, labels)
        if act is None:
            what = str(row.get("operation") or row.get("stream") or "event")
            self._leave("", what, "no rule of a policy is about it", count)
        elif isinstance(workload, str):
            self._leave("", act.value or act.section, workload, count)
        else:
            self._take(workload, act, labels, container_of(row), count)

    def _take(
        self, workload: Workload, act: Act, labels: Mapping[str, str], container: str, count: int
    ) -> None:
        value, reason = value_of(act, self._options.action)
        source, foreign = source_of(act, on_node=workload.is_node)
        reason = reason or foreign or self._full(workload, act, value, source)
        if reason:
            self._leave(workload.text, value or act.section, reason, count)
            return
        group = self._groups.setdefault(workload, Observed())
        group.belongs(labels, container)
        seen = group.values.setdefault((act.section, value), Seen())
        self._values += seen.add(source, count, is_read=act.is_read)

    def _full(self, workload: Workload, act: Act, value: str, source: str) -> str:
        """Why no more can be told apart; empty: it can."""
        group = self._groups.get(workload)
        if group is None and len(self._groups) >= MOST_WORKLOADS:
            return f"more than {MOST_WORKLOADS:,} workloads are not told apart"
        seen = group.values.get((act.section, value)) if group else None
        if seen is None and self._values >= MOST_VALUES:
            return f"more than {MOST_VALUES:,} different acts are not told apart"
        must = workload.is_node and act.section in NAMED
        if must and seen and source not in seen.sources and len(seen.sources) >= MOST_SOURCES:
            return f"a rule names at most {MOST_SOURCES} programs"
        return ""

    def _leave(self, workload: str, what: str, reason: str, count: int) -> None:
        key = (workload, what[:_LONGEST], reason)
        if key not in self._left_out and len(self._left_out) >= MOST_LEFT_OUT:
            key = ("", "others", "too many different ones to list")
        self._left_out[key] = self._left_out.get(key, 0) + count

    def suggestion(self) -> Suggestion:
        """What follows from all that was taken. To be asked for once."""
        names: set[tuple[str, str]] = set()
        found = [
            made
            for workload, group in sorted(self._groups.items(), key=lambda each: each[0].text)
            if (made := self._policy(workload, group, names))
        ]
        left_out = [LeftOut(*key, count) for key, count in self._left_out.items()]
        left_out.sort(key=lambda each: (-each.events, each.workload, each.what))
        return Suggestion(tuple(found), tuple(left_out), self._events)

    def _policy(
        self, workload: Workload, group: Observed, names: set[tuple[str, str]]
    ) -> Suggested | None:
        labels = group.labels or {}
        containers = frozenset(() if group.is_bare else group.containers)
        selected = selector(workload, labels, containers)
        if selected is None:
            self._leave(workload.text, workload.name, BY_NOTHING, _events(group.values))
            return None
        kept = self._kept(workload, group.values)
        spec = self._spec(workload, selected, kept)
        name = _unused(names, workload, self._options.name or self._name(workload, labels))
        notes = self._notes(workload, selected)
        return Suggested(
            heading(workload, name) | {"spec": spec}, workload.text, _events(kept), notes
        )

    def _kept(self, workload: Workload, values: Values) -> Values:
        """What becomes rules."""
        # A folder that is blocked would block files that nobody has seen.
        siblings = 0 if self._options.action == "Block" else self._options.siblings
        kept, rest = most_frequent(folded(values, siblings))
        if rest:
            reason = f"a policy gets at most {MOST_RULES} rules, of what is most frequent"
            self._leave(workload.text, "rarer acts", reason, _events(rest))
        return kept

    def _spec(self, workload: Workload, selected: dict[str, str], kept: Values) -> dict[str, Any]:
        action = self._options.action
        return {
            "severity": self._options.severity,
            "nodeSelector" if workload.is_node else "selector": {"matchLabels": selected},
            **sections(kept, allows=action == "Allow", on_node=workload.is_node),
            "action": action,
        }

    def _notes(self, workload: Workload, selected: Mapping[str, str]) -> tuple[str, ...]:
        if CONTAINERS in selected:
            return (BY_CONTAINER,)
        others = sorted(
            other.text
            for other, group in self._groups.items()
            if other.namespace == workload.namespace != ""
            and other != workload
            and selected.items() <= (group.labels or {}).items()
        )
        return tuple(f"its labels select {other}, too" for other in others[:_MOST_NOTES])

    def _name(self, workload: Workload, labels: Mapping[str, str]) -> str:
        return f"suggested-{self._options.action.lower()}-{short_name(workload, labels)}"


def _events(values: Values) -> int:
    return sum(seen.events for seen in values.values())


def _unused(names: set[tuple[str, str]], workload: Workload, name: str) -> str:
    """The name, with a number where another policy of the namespace has it; notes it."""
    number, tried = 1, name
    while (workload.namespace, tried) in names:
        number += 1
        tried = f"{name}-{number}"
    names.add((workload.namespace, tried))
    return tried
