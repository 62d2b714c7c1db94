"""Facets and groups: which values events have, and how many events have them.

An engine counts the largest groups of each shard. Where it gave all groups there are, counts are
exact; where there were more, the answer says `approximate`. Invariant: values stand in the order
of their measure, then of their text. Must not go here: time.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import nsmallest
from typing import Any

from msgspec import Struct

from armorstack.core.query.question import Pick, Question
from armorstack.core.query.tree import all_of as all_nodes
from armorstack.store.contract import Facet, FacetValue, Group, Top
from armorstack.store.elastic.fields import COUNT, LONG, TIME, Dimension, dimension
from armorstack.store.elastic.inquiry import Body, Inquiry, compiled

WEIGHT: Body = {"n": {"sum": {"field": COUNT, "missing": 1}}}
"""Events as KubeArmor reported them: one that others were folded into counts as all of them."""
ENDS: Body = {"first": {"min": {"field": TIME}}, "last": {"max": {"field": TIME}}}
AT_LEAST = 500
"""Groups that are always asked for, so that most fields are counted exactly."""
PAGE = 2_000
MOST_GROUPS = 10_000
"""Groups by several fields that are all looked at; beyond, only the largest are."""
_WIDE = 50
"""Values of each field among which the largest groups are then looked for."""
_PRECISION = 3_000
_SURE = 100
"""Distinct values that are counted exactly, whatever the engine promises."""


def terms(dimension: Dimension, size: int, aggs: Body, *, smallest: bool = False) -> Body:
    """The aggregation that counts by the values of a field, the absent one among them."""
    way = "asc" if smallest else "desc"
    return {
        "terms": {
            "field": dimension.path, "size": size, "missing": dimension.absent,
            "order": [{"n": way}, {"_key": "asc"}], "shard_size": 2 * size,
        },
        "aggs": aggs,
    }  # fmt: skip


def cardinality(dimension: Dimension) -> Body:
    """The aggregation that counts distinct values, the absent one left out."""
    return {"cardinality": {"field": dimension.path, "precision_threshold": _PRECISION}}


def number(bucket: Body, name: str = "n") -> int:
    """A whole number of an answer, which engines give as a fraction; absent: 0."""
    value = bucket.get(name, {}).get("value")
    return 0 if value is None else round(value)


# --- facets ---


def facets(
    inquiry: Inquiry, question: Question, fields: Sequence[str], size: int
) -> tuple[Facet, ...]:
    """See `EventStore.facets`; all in one request."""
    asked = {name: dimension(name) for name in fields}
    aggs = {
        f"f{place}": _facet_aggs(question.picks, name, asked[name], max(size, AT_LEAST))
        for place, name in enumerate(asked)
    }
    query = inquiry.query(question.where, question.start_us, question.end_us)
    found = inquiry.search({"query": query, "size": 0, "track_total_hits": False, "aggs": aggs})
    answers = found.get("aggregations", {})
    made = {
        name: _facet(name, asked[name], answers.get(f"f{place}", {}), size)
        for place, name in enumerate(asked)
    }
    return tuple(made[name] for name in fields)


def _facet_aggs(picks: Sequence[Pick], name: str, by: Dimension, size: int) -> Body:
    """Counted without the field's own picks, but with those of all others."""
    others = all_nodes([pick.node() for pick in picks if pick.field != name])
    return {
        "filter": compiled(others),
        "aggs": {
            "values": terms(by, size, WEIGHT), "distinct": cardinality(by),
            "long": {"filter": {"term": {LONG: by.column}}}, **WEIGHT,
        },
    }  # fmt: skip


def _facet(name: str, by: Dimension, answer: Body, size: int) -> Facet:
    buckets = answer.get("values", {}).get("buckets", [])
    others = answer.get("values", {}).get("sum_other_doc_count", 0)
    counts: dict[str, int] = {}
    for bucket in buckets:
        value = by.read(bucket["key"])
        counts[value] = counts.get(value, 0) + number(bucket)
    ranked = nsmallest(size, counts.items(), key=lambda each: (-each[1], each[0]))
    shown = tuple(FacetValue(value, count) for value, count in ranked)
    known = sum(counts.values())
    whole = known + others if by.is_several else number(answer)
    is_long = bool(answer.get("long", {}).get("doc_count"))
    return Facet(
        name, shown, max(number(answer, "distinct"), len(counts)) if others else len(counts),
        (whole if others else known) - sum(each.count for each in shown),
        approximate=bool(others) or is_long or (by.is_merged and bool(counts)),
    )  # fmt: skip


# --- groups ---


class Found(Struct, frozen=True):
    """Groups of an engine, and whether these are all."""

    groups: list[Group]
    is_all: bool
    total: int
    """Events in all groups, where they are not all known."""
    distinct: int = 0


def top(
    inquiry: Inquiry, question: Question, fields: Sequence[str], size: int, distinct: str,
    smallest: bool,
) -> Top:  # fmt: skip
    """See `EventStore.top`."""
    by = [dimension(name) for name in fields]
    measured = dimension(distinct) if distinct else None
    query = inquiry.query(question.tree(), question.start_us, question.end_us)
    # Of one field the largest values are asked for at once, and mostly these are all.
    found = _every_group(inquiry, query, by, measured) if len(by) > 1 else None
    if found is None:
        found = _largest(inquiry, query, by, measured, smallest)
    sign = 1 if smallest else -1
    ranked = nsmallest(size, found.groups, key=lambda each: (sign * each.measure, each.values))
    unsure = not found.is_all or any(each.is_merged for each in by)
    unsure |= measured is not None and any(each.measure > _SURE for each in found.groups)
    return Top(tuple(ranked), found.distinct or len(found.groups), found.total, unsure)


def _aggs(measured: Dimension | None) -> Body:
    return WEIGHT | ENDS | ({"measure": cardinality(measured)} if measured else {})


def _every_group(
    inquiry: Inquiry, query: Body, by: Sequence[Dimension], measured: Dimension | None
) -> Found | None:
    """All groups, page by page; None where there are too many."""
    groups: dict[tuple[str, ...], Group] = {}
    sources = [
        {f"f{place}": {"terms": {"field": each.path, "missing_bucket": True}}}
        for place, each in enumerate(by)
    ]
    composite: Body = {"size": PAGE, "sources": sources}
    while len(groups) <= MOST_GROUPS:
        aggs = {"groups": {"composite": composite, "aggs": _aggs(measured)}}
        found = inquiry.search({"query": query, "size": 0, "aggs": aggs, "track_total_hits": False})
        answer = found.get("aggregations", {}).get("groups", {})
        buckets = answer.get("buckets", [])
        for bucket in buckets:
            keys = [bucket["key"][f"f{place}"] for place in range(len(by))]
            _add(groups, _group(by, keys, bucket, measured))
        if len(buckets) < PAGE or "after_key" not in answer:
            every = list(groups.values())
            return Found(every, True, sum(each.count for each in every))
        composite = composite | {"after": answer["after_key"]}
    return None


def _largest(
    inquiry: Inquiry, query: Body, by: Sequence[Dimension], measured: Dimension | None,
    smallest: bool,
) -> Found:  # fmt: skip
    """The largest groups, looked for among the most frequent values of each field."""
    aggs = _aggs(measured)
    size = _WIDE if len(by) > 1 else PAGE
    for place, each in reversed(list(enumerate(by))):
        aggs = {f"f{place}": terms(each, size, aggs | WEIGHT, smallest=smallest)}
    aggs |= WEIGHT
    if len(by) == 1:
        aggs["distinct"] = cardinality(by[0])
    found = inquiry.search({"query": query, "size": 0, "aggs": aggs, "track_total_hits": False})
    answer = found.get("aggregations", {})
    groups: dict[tuple[str, ...], Group] = {}
    for keys, bucket in _leaves(answer, 0, len(by)):
        _add(groups, _group(by, keys, bucket, measured))
    known = sum(each.count for each in groups.values())
    if len(by) == 1 and not answer.get("f0", {}).get("sum_other_doc_count"):
        return Found(list(groups.values()), True, known)
    several = any(each.is_several for each in by)
    distinct = max(number(answer, "distinct"), len(groups) if len(by) == 1 else MOST_GROUPS)
    return Found(list(groups.values()), False, known if several else number(answer), distinct)


def _leaves(answer: Body, depth: int, depths: int) -> Iterator[tuple[list[Any], Body]]:
    """The innermost buckets with the keys of all that they lie in."""
    for bucket in answer.get(f"f{depth}", {}).get("buckets", []):
        if depth + 1 == depths:
            yield [bucket["key"]], bucket
            continue
        for keys, inner in _leaves(bucket, depth + 1, depths):
            yield [bucket["key"], *keys], inner


def _group(
    by: Sequence[Dimension], keys: Iterable[Any], bucket: Body, measured: Dimension | None
) -> Group:
    values = tuple(
        "" if key is None else each.read(key) for each, key in zip(by, keys, strict=True)
    )  # fmt: skip
    count = number(bucket)
    measure = number(bucket, "measure") if measured else count
    return Group(values, count, number(bucket, "first"), number(bucket, "last"), measure)


def _add(groups: dict[tuple[str, ...], Group], new: Group) -> None:
    """One group more; where several of the engine's are one of ours, they are put together."""
    old = groups.get(new.values)
    if old is not None:
        new = Group(
            new.values, old.count + new.count, min(old.first_us, new.first_us),
            max(old.last_us, new.last_us), old.measure + new.measure,
        )  # fmt: skip
    groups[new.values] = new
