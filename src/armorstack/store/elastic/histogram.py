"""Counts over time, split by the values of a field.

Buckets are made of `event.sequence`, microseconds since 1970, so they begin at multiples of their
interval, as everywhere. Invariant: the counts of all series together are those of all events in
the span, except that an event with several values counts at each. Must not go here: facets.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from armorstack.core.gap import Gap
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.question import Question
from armorstack.store.buckets import SECOND_US, Buckets, buckets_of
from armorstack.store.contract import Histogram, Series
from armorstack.store.elastic.fields import TIME, Dimension, dimension
from armorstack.store.elastic.groups import AT_LEAST, ENDS, WEIGHT, number, terms
from armorstack.store.elastic.inquiry import Body, Inquiry

_AHEAD_US = 86_400_000_000
"""An open end follows nodes whose clocks run ahead no further than this."""
_RARER = 200
"""Rarer values of a field with several that are counted in each bucket."""

Counts = dict[str | None, Counter[int]]
"""Value → bucket → count; None stands for all rarer values."""


def histogram(
    inquiry: Inquiry, question: Question, now_us: int, by: str, wanted: int,
    interval_us: int | None, size: int,
) -> Histogram:  # fmt: skip
    """See `EventStore.histogram`; without gaps."""
    made = _buckets(inquiry, question, now_us, wanted, interval_us)
    counts, is_off = _counts(inquiry, question, made, by, size)
    series = tuple(_series(made, counts, by))
    return Histogram(made.start_us, made.interval_us, made.count, series, (), is_off)


def count(inquiry: Inquiry, question: Question) -> int:
    """How many events there are."""
    query = inquiry.query(question.tree(), question.start_us, question.end_us)
    return number(_aggregated(inquiry, query, WEIGHT))


def with_gaps(found: Histogram, gaps: Iterable[Gap]) -> Histogram:
    """The same with these gaps."""
    return replace(found, gaps=tuple(gaps))


def end_of(found: Histogram) -> int:
    """Where its last bucket ends."""
    return found.start_us + found.buckets * found.interval_us


def _aggregated(inquiry: Inquiry, query: Body, aggs: Body) -> Body:
    body = {"query": query, "size": 0, "track_total_hits": False, "aggs": aggs}
    answer: Body = inquiry.search(body).get("aggregations", {})
    return answer


def _buckets(
    inquiry: Inquiry, question: Question, now_us: int, wanted: int, interval_us: int | None
) -> Buckets:
    """The buckets over the question's span, or its events' where that is open; without events none.

    A span that has begun and has no end reaches to now.
    """
    start_us, end_us = question.start_us, question.end_us
    if start_us is None or end_us is None:
        query = inquiry.query(question.tree(), start_us, end_us)
        found = _aggregated(inquiry, query, ENDS)
        if found.get("first", {}).get("value") is None:
            return Buckets(now_us if start_us is None else start_us, interval_us or SECOND_US, 0)
        if end_us is None:
            end_us = number(found, "last") + 1
            if start_us is not None and start_us < now_us:
                end_us = max(now_us, min(end_us, now_us + _AHEAD_US))
        start_us = number(found, "first") if start_us is None else start_us
    return buckets_of(start_us, end_us, wanted, interval_us)


def _counts(
    inquiry: Inquiry, question: Question, made: Buckets, by: str, size: int
) -> tuple[Counts, bool]:
    """Also whether that may be off: where the field has more values than an engine counts."""
    if not made.count:
        return {}, False
    end_us = made.end_us if question.end_us is None else min(question.end_us, made.end_us)
    query = inquiry.query(question.tree(), question.start_us, end_us)
    over_time = _over_time(made)
    if not by:
        found = _bars(made, _aggregated(inquiry, query, {"bars": over_time}).get("bars", {}))
        return ({"": found} if found else {}), False
    field = dimension(by)
    values = _aggregated(inquiry, query, {"values": terms(field, max(size, AT_LEAST), WEIGHT)})
    keys = [bucket["key"] for bucket in values.get("values", {}).get("buckets", [])]
    if not keys:
        return {}, False
    others = bool(values["values"].get("sum_other_doc_count"))
    shown, rarer = keys[:size], others or len(keys) > size
    is_off = others or (field.is_several and len(keys) - size > _RARER)
    return _split(inquiry, query, made, field, shown, rarer), is_off


def _split(
    inquiry: Inquiry, query: Body, made: Buckets, field: Dimension, shown: Sequence[object],
    rarer: bool,
) -> Counts:  # fmt: skip
    """The bars of these values, and those of all others together."""
    over_time = _over_time(made)
    # Each value as a filter of its own: what an engine includes by a list is not the absent one.
    aggs: Body = {
        f"v{place}": {"filter": _has(field, key), "aggs": {"bars": over_time}}
        for place, key in enumerate(shown)
    }
    if rarer:
        aggs["rest"] = _rest(field, shown, over_time)
    found = _aggregated(inquiry, query, aggs)
    counts: Counts = {}
    for place, key in enumerate(shown):
        bars = _bars(made, found.get(f"v{place}", {}).get("bars", {}))
        counts.setdefault(field.read(key), Counter()).update(bars)
    if rarer:
        counts[None] = _bars(made, found.get("rest", {}).get("bars", {}))
    return counts


def _rest(field: Dimension, shown: Sequence[object], over_time: Body) -> Body:
    """All values that are not shown; of several in one event each counts."""
    if not field.is_several:
        none = {"bool": {"must_not": [_has(field, key) for key in shown]}}
        return {"filter": none, "aggs": {"bars": over_time}}
    others = terms(field, _RARER, WEIGHT)
    others["terms"]["exclude"] = [key for key in shown if key != field.absent]
    if field.absent in shown:
        del others["terms"]["missing"]
    bars = over_time | {"aggs": {"values": others}}
    return {"filter": {"match_all": {}}, "aggs": {"bars": bars}}


def _has(field: Dimension, key: object) -> Body:
    if key == field.absent:
        return {"bool": {"must_not": [{"exists": {"field": field.path}}]}}
    return {"term": {field.path: key}}


def _over_time(made: Buckets) -> Body:
    return {
        "histogram": {"field": TIME, "interval": made.interval_us, "min_doc_count": 1},
        "aggs": WEIGHT,
    }


def _bars(made: Buckets, answer: Body) -> Counter[int]:
    """Counts by the number of the bucket."""
    found: Counter[int] = Counter()
    for bucket in answer.get("buckets", []):
        place = (round(bucket["key"]) - made.start_us) // made.interval_us
        inner = bucket.get("values", {}).get("buckets")
        found[place] += number(bucket) if inner is None else sum(map(number, inner))
    return found


def _series(made: Buckets, counts: Counts, by: str) -> Iterable[Series]:
    """Each value as a series of its own, and all others as one."""
    shown = [value for value in counts if value is not None]
    shown.sort(key=lambda value: (-counts[value].total(), value))
    if by and QUERY_FIELDS[by].sort == "number":
        shown.sort(key=lambda value: int(value or -1), reverse=True)
    for value in shown:
        yield _one(value, counts[value], made)
    if None in counts:
        yield _one("", counts[None], made, is_rest=True)


def _one(value: str, counts: Counter[int], made: Buckets, is_rest: bool = False) -> Series:
    return Series(value, tuple(counts[n] for n in range(made.count)), is_rest)
