"""How long events are kept: whole indices are deleted, by age and by size.

An index goes when the end of its period is older than `max_age_days`. The late index has no
period: what it holds was outside the days that are kept when it came, so there the arrival counts.
It goes as a whole when nothing in it arrived lately; before that, old arrivals are deleted in it
where the engine can delete by a query. By size, the index with the oldest end goes first, but never
one whose period is not over, which would take events that have just come.

Invariant: nothing is deleted but by its full name, and only what `periods.parse_index` takes for
ours. What was removed is counted. Must not go here: policies of the engine (ILM, ISM).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import structlog
from msgspec import Struct

from armorstack.config.sinks import ElasticSink
from armorstack.core.ecs.exact import OBJECT
from armorstack.core.text import printable
from armorstack.engines.elastic.answers import LONGEST_REASON
from armorstack.engines.elastic.connection import Engine, refusal
from armorstack.engines.elastic.periods import DAY_US, KINDS, parse_index, pattern

log = structlog.get_logger()

Reason = Literal["age", "bytes"]
RECEIVED = f"{OBJECT}.received"
MOST_LATE = 100_000
"""Late events that one pass deletes, so that it ends within the time of a request."""
_NOT_THERE = (400, 404, 405)
"""What an engine without `_delete_by_query` answers."""


class Kept(Struct, frozen=True):
    """An index of ours that is there."""

    name: str
    events: int
    """0 for an index of gaps, which are no events."""
    bytes: int
    """Of its primary shards."""
    end_us: int
    """The end of its period; of the late index the last arrival."""
    is_late: bool = False


class Doomed(Struct, frozen=True):
    """An index that goes, and why."""

    index: Kept
    reason: Reason


def retain(engine: Engine, settings: ElasticSink, now_us: int) -> dict[str, int]:
    """Delete what is not to be kept any more; events that went, by reason.

    Raises EngineError where the engine refuses, or is silent; what went before that is gone, and
    not counted. May run beside another armorstack over the same indices.
    """
    if not settings.max_age_days and not settings.max_bytes:
        return {}
    removed: dict[str, int] = {}
    kept = list_kept(engine, settings.prefix)
    doomed = choose(kept, settings, now_us)
    for each in doomed:
        answer = engine.ask("DELETE", f"/{each.index.name}")
        if answer.status == 404:
            continue
        if answer.status >= 400:
            raise refusal(answer, f"deleting {each.index.name}")
        removed[each.reason] = removed.get(each.reason, 0) + each.index.events
    gone = {each.index.name for each in doomed}
    late = [index for index in kept if index.is_late and index.name not in gone]
    if settings.max_age_days and (events := _delete_late(engine, late, settings, now_us)):
        removed["age"] = removed.get("age", 0) + events
    return removed


def choose(kept: Iterable[Kept], settings: ElasticSink, now_us: int) -> list[Doomed]:
    """Which of these go: those that are too old, then the oldest until the rest is small enough."""
    oldest_us = now_us - round(settings.max_age_days * DAY_US) if settings.max_age_days else -1
    by_end = sorted(kept, key=lambda index: (index.end_us, index.name))
    doomed = [Doomed(index, "age") for index in by_end if index.end_us <= oldest_us]
    rest = by_end[len(doomed) :]
    total = sum(index.bytes for index in rest)
    for index in rest:
        if not settings.max_bytes or total <= settings.max_bytes:
            break
        if index.end_us <= now_us:
            doomed.append(Doomed(index, "bytes"))
            total -= index.bytes
    return doomed


def list_kept(engine: Engine, prefix: str) -> list[Kept]:
    """All our indices with this prefix, in no order."""
    names = ",".join(pattern(prefix, kind) for kind in KINDS)
    answer = engine.demand(
        "GET", f"/{names}/_stats/docs,store",
        params={"level": "indices", "filter_path": "indices.*.primaries"},
    )  # fmt: skip
    found = (
        _kept(engine, name, stats["primaries"], prefix)
        for name, stats in answer.json().get("indices", {}).items()
    )
    return [index for index in found if index is not None]


def _kept(engine: Engine, name: str, stats: dict[str, Any], prefix: str) -> Kept | None:
    parsed = parse_index(name)
    if parsed is None or parsed.prefix != prefix:
        return None
    events = 0 if parsed.kind == "gaps" else stats["docs"]["count"]
    size = stats["store"]["size_in_bytes"]
    if parsed.span:
        return Kept(name, events, size, parsed.span[1])
    return Kept(name, events, size, _last_arrival(engine, name), is_late=True)


def _last_arrival(engine: Engine, name: str) -> int:
    """The last arrival in it; of one that is still empty: never too old."""
    body = {"size": 0, "aggs": {"last": {"max": {"field": RECEIVED}}}}
    answer = engine.demand("POST", f"/{name}/_search", body)
    last = answer.json()["aggregations"]["last"]["value"]
    return (1 << 62) if last is None else int(last)


def _delete_late(
    engine: Engine, late: Iterable[Kept], settings: ElasticSink, now_us: int
) -> int:  # fmt: skip
    """Delete what arrived too long ago; how many events that were."""
    events = 0
    oldest_us = now_us - round(settings.max_age_days * DAY_US)
    body = {"query": {"range": {RECEIVED: {"lt": oldest_us}}}, "max_docs": MOST_LATE}
    for index in late:
        path, params = f"/{index.name}/_delete_by_query", {"conflicts": "proceed"}
        answer = engine.ask("POST", path, body, params=params)
        if answer.status in _NOT_THERE:
            continue
        told = answer.json()
        if answer.status >= 400 and "failures" not in told:
            raise refusal(answer, f"deleting old events of {index.name}")
        events += told.get("deleted", 0)
        if failures := told.get("failures"):
            # What was deleted stays deleted; the rest comes with the next pass.
            reason = _reason(failures[0])
            log.warning("old late events are not all deleted", index=index.name, reason=reason)
    return events


def _reason(failure: Mapping[str, Any]) -> str:
    """Of a document it is said as `cause`, of a search as `reason`."""
    cause = failure.get("cause") or failure.get("reason") or {}
    return printable(f"{cause.get('type', 'error')}: {cause.get('reason', '')}", LONGEST_REASON)
