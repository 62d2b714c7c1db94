"""What a policy would have meant of events that are stored: a replay, event by event.

An event counts as reported already where it is an alert, by the name of its policy (DefaultPosture
is named like one); what is left is new. Memory does not grow with the events. Invariant: an event
that two rules mean counts once for the policy and once for each rule; what events do not tell is
said in a remark, with how many. Must not go here: asking a store, showing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
from msgspec import Struct

from armorstack.policies.acts import Act, act_of, rows_of, weight
from armorstack.policies.matching import checks_of, matches
from armorstack.policies.objects import Node, Pod
from armorstack.policies.policy import Policy
from armorstack.policies.selector import (
    CONTAINER_KEY,
    HOST_KEY,
    containers_of,
    selects,
    selects_node,
)
from armorstack.policies.workloads import NO_NAMESPACE, NODE, pairs_of

PASSED = ("Passed", "")
MOST_REMEMBERED = 2048
MOST_POLICIES = 1000
OTHERS = "others"


class RuleCount(Struct, frozen=True):
    """One rule, and how many events it means."""

    rule: str
    action: str
    matched: int
    new: int
    """How many of them no alert has reported."""


class Count(Struct, frozen=True):
    """How many events there are of something."""

    name: str
    events: int


class Replay(Struct, frozen=True):
    """What one policy would have meant. All numbers are of events as KubeArmor reported them."""

    policy: str
    """`KIND NAMESPACE/NAME`."""
    action: str
    events: int
    """How many were read."""
    selected: int
    """Of the pods or nodes that it selects."""
    matched: int
    new: int
    """How many of the matched no alert has reported."""
    denied: int
    """How many of the matched were denied when they happened."""
    reported: tuple[Count, ...]
    """How many of the matched were alerts, by policy; the most first."""
    rules: tuple[RuleCount, ...]
    outside: tuple[Count, ...] = ()
    """By section that has a rule that allows: what none of these allows, and what would be left to
    the namespace's default posture."""
    remarks: tuple[str, ...] = ()
    """What cannot be told, a sentence each."""


def replayed(policy: Policy, batches: Iterable[pa.RecordBatch]) -> Replay:
    """The policy over events with (at least) the columns `acts.COLUMNS`."""
    return replays([policy], batches)[0]


def replays(policies: Iterable[Policy], batches: Iterable[pa.RecordBatch]) -> list[Replay]:
    """Each of the policies, over one reading of the events."""
    replaying = [Replaying(policy) for policy in policies]
    of = _by_namespace(replaying)
    everywhere = of.pop(None, [])
    events = 0
    for batch in batches:
        for row in rows_of(batch):
            events += weight(row)
            for each in (*of.get(row.get("namespace_name") or "", ()), *everywhere):
                each.take(row)
    return [each.result(events) for each in replaying]


def _by_namespace(replaying: Iterable["Replaying"]) -> dict[str | None, list["Replaying"]]:
    """Whom events of a namespace concern; of none: nodes; None: those of all namespaces."""
    found: dict[str | None, list[Replaying]] = {}
    for each in replaying:
        everywhere = each.policy.kind == "KubeArmorClusterPolicy"
        found.setdefault(None if everywhere else each.policy.namespace, []).append(each)
    return found


class Replaying:
    """A policy, and events that are still coming."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._checks = checks_of(policy)
        self._allowing = {check.section for check in self._checks if check.action == "Allow"}
        self._needs_labels = _needs_labels(policy)
        self._selected: dict[tuple[Any, ...], bool | None] = {}
        self._found: dict[Act, tuple[int, ...]] = {}
        self._counts: Counter[str] = Counter()
        self._matched: Counter[int] = Counter()
        self._new: Counter[int] = Counter()
        self._reported: Counter[str] = Counter()
        self._outside: Counter[str] = Counter()

    def take(self, row: Mapping[str, Any]) -> None:
        """One event, or what was folded into one."""
        count = weight(row)
        act = act_of(row)
        selected = self._selects(row)
        if selected is None and act:
            self._counts["unplaced"] += count
        if not selected:
            return
        self._counts["selected"] += count
        if act and (found := self._checks_for(act)):
            self._note(row, act, found, count)
        if act and act.section in self._allowing and not self._is_allowed(found):
            self._outside[act.section] += count

    def _note(self, row: Mapping[str, Any], act: Act, found: tuple[int, ...], count: int) -> None:
        reporter = _reporter(row)
        self._counts["matched"] += count
        self._counts["denied"] += count * ((row.get("result") or "") not in PASSED)
        if reporter:
            full = reporter not in self._reported and len(self._reported) >= MOST_POLICIES
            self._reported[OTHERS if full else reporter] += count
        for place in found:
            self._matched[place] += count
            self._new[place] += 0 if reporter else count
        checks = [self._checks[place] for place in found]
        if act.is_owners is None and any(check.owner_only for check in checks):
            self._counts["ownerless"] += count
        if not act.has_flags and any(check.read_only for check in checks):
            self._counts["flagless"] += count

    def _checks_for(self, act: Act) -> tuple[int, ...]:
        """Places of the rules that mean it. Acts come again and again."""
        found = self._found.get(act)
        if found is None:
            if len(self._found) >= MOST_REMEMBERED:
                self._found.clear()
            found = tuple(n for n, check in enumerate(self._checks) if matches(check, act))
            self._found[act] = found
        return found

    def _is_allowed(self, found: tuple[int, ...]) -> bool:
        return any(self._checks[place].action == "Allow" for place in found)

    def _selects(self, row: Mapping[str, Any]) -> bool | None:
        """Whether the event is of what the policy selects; None: the event does not tell."""
        key = tuple(row.get(name) or "" for name in _OF_PLACE)
        if key not in self._selected:
            if len(self._selected) >= MOST_REMEMBERED:
                self._selected.clear()
            self._selected[key] = self._decide(*key)
        return self._selected[key]

    def _decide(self, namespace: str, labels: str, container: str, host: str) -> bool | None:
        policy = self.policy
        if policy.kind == "KubeArmorHostPolicy":
            return not namespace and not container and self._is_node(host)
        if not namespace or not _is_for_container(policy, container):
            return False
        if policy.namespace == NO_NAMESPACE:
            return namespace == NO_NAMESPACE
        if self._needs_labels and not labels:
            return None if policy.namespace in ("", namespace) else False
        return selects(policy, Pod(namespace, "", labels=pairs_of(labels)))

    def _is_node(self, host: str) -> bool | None:
        """Of a node events tell nothing but its name."""
        told = {NODE: host}
        others = self.policy.selector.labels.keys() - {NODE, HOST_KEY}
        return None if others else selects_node(self.policy, Node(host, labels=told))

    def result(self, events: int) -> Replay:
        """What was counted up to now, of so many events that were read."""
        matched = self._counts["matched"]
        return Replay(
            policy=self.policy.title,
            action=self.policy.action,
            events=events,
            selected=self._counts["selected"],
            matched=matched,
            new=matched - self._reported.total(),
            denied=self._counts["denied"],
            reported=_counts(self._reported),
            rules=tuple(
                RuleCount(check.text, check.action, self._matched[n], self._new[n])
                for n, check in enumerate(self._checks)
            ),
            outside=_counts(self._outside),
            remarks=tuple(self._remarks()),
        )

    def _remarks(self) -> list[str]:
        place = "nodes" if self.policy.kind == "KubeArmorHostPolicy" else "pods"
        told = {
            "unplaced": f"{{}} events do not tell whether they are of its {place}: they have no "
            "labels; not counted",
            "ownerless": "{} events do not tell whose the file is: counted as meant by ownerOnly",
            "flagless": "{} events do not tell how the file was opened: counted as written",
        }
        found = [
            sentence.format(f"{self._counts[name]:,}")
            for name, sentence in told.items()
            if self._counts[name]
        ]
        inactive = ["it is Inactive: KubeArmor would do nothing"]
        return found + inactive * (self.policy.status == "Inactive")


_OF_PLACE = ("namespace_name", "labels", "container_name", "host_name")


def _reporter(row: Mapping[str, Any]) -> str:
    """The policy whose alert the event is; empty: it is none."""
    return (row.get("policy_name") or "?") if row.get("stream") == "alert" else ""


def _counts(counter: Counter[str]) -> tuple[Count, ...]:
    ordered = sorted(counter.items(), key=lambda each: (-each[1], each[0]))
    return tuple(Count(name, events) for name, events in ordered)


def _needs_labels(policy: Policy) -> bool:
    selector = policy.selector
    named = policy.kind == "KubeArmorPolicy" and bool(selector.labels.keys() - {CONTAINER_KEY})
    return named or any(each.key == "label" for each in selector.expressions)


def _is_for_container(policy: Policy, container: str) -> bool:
    """Where there is no Kubernetes, the key has the one bare name."""
    if policy.namespace == NO_NAMESPACE:
        return policy.selector.labels.get(CONTAINER_KEY, container) == container
    names = containers_of(policy)
    return not names or container in names
