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
from armorstack.store.buckets import SECOND_US, Buckets, buckets_of
from armorstack.store.contract import Histogram, Series
from armorstack.store.duckdb.columns import dimension, raw
from armorstack.store.duckdb.counting import Counting
from armorstack.store.duckdb.inquiry import Inquiry
from armorstack.store.duckdb.partials import Key
from armorstack.store.duckdb.summing import can_sum, summed
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
    if end_us is None and start_us is not None and start_us < now_us > inquiry.view.last_us():
        # No clock runs ahead, so there is nothing to look for.
        end_us = now_us
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
    counting = Counting(inquiry, question)
    (rows,) = counting.several([Key()])
    if rows is None:
        found = counting.at_once(_whole, Key()).rows[0]
    else:
        rows = counting.tested(rows)
        ends = pc.min(rows["first_us"]), pc.max(rows["last_us"])
        found = tuple(each.as_py() for each in (pc.sum(rows["count"]), *ends))
    return Extent(*found) if found[0] else None


def _whole(source: str, parameters: Parameters) -> str:
    del parameters
    return f"SELECT sum(count)::BIGINT, min(first_us), max(last_us) FROM {source}"


def counts_of(inquiry: Inquiry, question: Question, buckets: Buckets, by: str, size: int) -> Counts:
    """Events per value and bucket; without `by` all under the empty text.

    Values beyond the `size` most frequent are counted together under None.
    """
    key = Key((raw(by),) if by else (), buckets.interval_us)
    first = buckets.start_us // buckets.interval_us
    value = dimension(by) if by else "''"

    def each(source: str, parameters: Parameters) -> str:
        put = parameters.put
        # What lies behind the last bucket was dated by a clock that runs far ahead.
        return f"""
            SELECT n, value, sum(count)::BIGINT AS count FROM (
                SELECT bucket - {put(first)} AS n, {value} AS value, count
                FROM {source} WHERE bucket < {put(first + buckets.count)}
            ) GROUP BY n, value"""

    def most(source: str, parameters: Parameters) -> str:
        return f"""
            WITH each AS ({each(source, parameters)}), ranked AS (
                SELECT value, row_number() OVER (ORDER BY sum(count) DESC, value) AS rank
                FROM each GROUP BY value
            )
            SELECT n, CASE WHEN rank <= {parameters.put(size)} THEN value END AS kept,
                sum(count)::BIGINT AS count
            FROM each JOIN ranked USING (value) GROUP BY n, kept"""

    counting = Counting(inquiry, question, key.columns)
    (table,) = counting.several([key])
    if table is None:
        return _counts(counting.at_once(most, key).rows)
    if by and can_sum(table, [by]):
        rows = summed(counting.tested(table), [by], "bucket")
        found = [(bucket - first, value, count) for value, bucket, count, *_ in rows]
        return _most(_counts(row for row in found if row[0] < buckets.count), size)
    return _most(_counts(counting.of(table, each).rows), size)


def _most(counts: Counts, size: int) -> Counts:
    """The same with the rarer values put together."""
    ranked = sorted(counts, key=lambda value: (-counts[value].total(), value or ""))
    found = {value: counts[value] for value in ranked[:size]}
    if rarer := ranked[size:]:
        found[None] = sum((counts[value] for value in rarer), Counter())
    return found


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


def _counts(rows: Iterable[tuple[int, str | None, int]]) -> Counts:
    found: Counts = {}
    for n, value, count in rows:
        found.setdefault(value, Counter())[n] += count
    return found
