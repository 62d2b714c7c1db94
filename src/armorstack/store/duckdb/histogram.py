"""Counts over time, split by the values of a field.

Invariant: the counts of all series together are those of all events in the span, except that an
event with several values counts at each. Must not go here: facets; how a chart looks.
"""

from collections import Counter
from collections.abc import Iterable

import pyarrow.compute as pc
from msgspec import Struct

from armorstack.core.gap import Gap
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.question import Question
from armorstack.engines.duckdb.snapshot import Answer
from armorstack.store.contract import Histogram, Series
from armorstack.store.duckdb.buckets import SECOND_US, Buckets, buckets_of
from armorstack.store.duckdb.columns import dimension, raw
from armorstack.store.duckdb.counting import Counting
from armorstack.store.duckdb.inquiry import Inquiry
from armorstack.store.duckdb.partials import Key
from armorstack.store.duckdb.where import Parameters

_AHEAD_US = 86_400_000_000
"""An open end follows nodes whose clocks run ahead no further than this."""

Counts = dict[str | None, Counter[int]]
"""Value → bucket → count; None stands for all rarer values."""


class Extent(Struct, frozen=True):
    """How many events there are, and from when to when."""

    count: int
    first_us: int
    last_us: int


def buckets_for(
    inquiry: Inquiry, question: Question, now_us: int, wanted: int, interval_us: int | None
) -> Buckets:
    """The buckets over the question's span, or its events' where that is open; without events none.

    A span that has begun and has no end reaches to now.
    """
    start_us, end_us = question.start_us, question.end_us
    if start_us is None or end_us is None:
        found = extent(inquiry, question)
        if found is None:
            return Buckets(now_us if start_us is None else start_us, interval_us or SECOND_US, 0)
        if end_us is None:
            end_us = found.last_us + 1
            if start_us is not None and start_us < now_us:
                end_us = max(now_us, min(end_us, now_us + _AHEAD_US))
        start_us = found.first_us if start_us is None else start_us
    return buckets_of(start_us, end_us, wanted, interval_us)


def extent(inquiry: Inquiry, question: Question) -> Extent | None:
    """How many events there are, and when the first and the last were; None: there are none."""
    rows = Counting(inquiry, question).rows(Key())
    if rows is None or not len(rows):
        return None
    first, last = pc.min(rows["first_us"]).as_py(), pc.max(rows["last_us"]).as_py()
    return Extent(pc.sum(rows["count"]).as_py(), first, last)


def counts_of(inquiry: Inquiry, question: Question, buckets: Buckets, by: str, size: int) -> Counts:
    """Events per value and bucket; without `by` all under the empty text.

    Values beyond the `size` most frequent are counted together under None.
    """
    key = Key((raw(by),) if by else (), buckets.interval_us)
    first = buckets.start_us // buckets.interval_us
    value = dimension(by) if by else "''"

    def sql_of(source: str, parameters: Parameters) -> str:
        put = parameters.put
        begin, end = put(first), put(first + buckets.count)
        # What lies behind the last bucket was dated by a clock that runs far ahead.
        return f"""
            WITH valued AS (
                SELECT bucket, {value} AS value, count FROM {source} WHERE bucket < {end}
            ),
            each AS (SELECT bucket, value, sum(count)::BIGINT AS count FROM valued GROUP BY ALL),
            ranked AS (
                SELECT value, row_number() OVER (ORDER BY sum(count) DESC, value) AS rank
                FROM each GROUP BY value
            )
            SELECT bucket - {begin} AS n, CASE WHEN rank <= {put(size)} THEN value END AS kept,
                sum(count)::BIGINT AS count
            FROM each JOIN ranked USING (value) GROUP BY n, kept"""

    return _counts(Counting(inquiry, question).answer(sql_of, key))


def histogram(buckets: Buckets, counts: Counts, by: str, gaps: Iterable[Gap]) -> Histogram:
    """Each value as a series of its own, and all others as one."""
    shown = [value for value in counts if value is not None]
    shown.sort(key=lambda value: (-counts[value].total(), value))
    if by and QUERY_FIELDS[by].sort == "number":
        shown.sort(key=lambda value: int(value or -1), reverse=True)
    series = [_series(value, counts[value], buckets) for value in shown]
    if None in counts:
        series.append(_series("", counts[None], buckets, is_rest=True))
    return Histogram(
        buckets.start_us, buckets.interval_us, buckets.count, tuple(series), tuple(gaps)
    )


def _series(value: str, counts: Counter[int], buckets: Buckets, is_rest: bool = False) -> Series:
    return Series(value, tuple(counts[n] for n in range(buckets.count)), is_rest)


def _counts(answer: Answer) -> Counts:
    found: Counts = {}
    for n, value, count in answer.rows:
        found.setdefault(value, Counter())[n] += count
    return found
