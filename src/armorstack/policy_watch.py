"""The watch over policies and the store put together: what each policy reported.

Counted are an hour, a day, a week, and all. Invariant: one store, one moment; alerts alone count,
and of those none of the default posture. Must not go here: which policies there are.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from armorstack.config import Config, changes_file
from armorstack.core.query.parse import parse
from armorstack.core.query.question import Question
from armorstack.policies.book import Book
from armorstack.policies.document import Counts
from armorstack.policies.watch import FileWatch
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, Group

ALERTS = "stream:alert and policy:* and not policy:DefaultPosture and not type:SystemEvent"
HOUR_US = 3_600 * 1_000_000
SPANS = {"hour": HOUR_US, "day": 24 * HOUR_US, "week": 7 * 24 * HOUR_US, "all": 0}
BUDGET_S = 120.0
MOST = 10_000
"""Policies whose alerts are counted."""
HOST_TYPE = "MatchedHostPolicy"

Key = tuple[str, str, str]


@contextmanager
def watched(
    config: Config, store: Callable[[], EventStore], now_us: Callable[[], int]
) -> Iterator[Book | None]:
    """What is known of policies, kept up to date; None where the settings name none."""
    if not config.policies.files:
        yield None
        return
    watch = FileWatch(config.policies, changes_file(config), counted(store), now_us)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def counted(store: Callable[[], EventStore]) -> Callable[[int], Mapping[Key, Counts]]:
    """The function that counts until a moment. Raises StoreError."""

    def count(now_us: int) -> Mapping[Key, Counts]:
        budget = Budget(BUDGET_S)
        with store().at_one_moment() as moment:
            found: dict[Key, dict[str, int]] = {}
            for name, span_us in SPANS.items():
                for group in _groups(moment, now_us, span_us, budget):
                    _add(found, name, group)
            for group in _groups(moment, now_us, SPANS["day"], budget, "action"):
                _add(found, _verdict(group.values[3]), group)
        return {key: Counts(**each) for key, each in found.items()}

    return count


def _groups(
    store: EventStore, now_us: int, span_us: int, budget: Budget, *more: str
) -> tuple[Group, ...]:
    question = Question(parse(ALERTS, now_us), start_us=now_us - span_us if span_us else None)
    fields = ("type", "namespace", "policy", *more)
    return store.top(question, budget, fields=fields, size=MOST).groups


def _add(found: dict[Key, dict[str, int]], name: str, group: Group) -> None:
    if not name:
        return
    type_, namespace, policy = group.values[:3]
    is_host = type_ == HOST_TYPE
    key = ("KubeArmorHostPolicy", "", policy) if is_host else ("KubeArmorPolicy", namespace, policy)
    counts: dict[str, Any] = found.setdefault(key, {})
    counts[name] = counts.get(name, 0) + group.count
    counts["last_us"] = max(counts.get("last_us", 0), group.last_us)


def _verdict(action: str) -> str:
    done = action.partition(" (")[0]
    return {"Block": "blocked_day", "Audit": "audited_day"}.get(done, "")
