"""Facets and groups: which values events have, and how many events have them.

Invariant: values stand in the order of their measure, then of their text, so that the same
question has the same answer. Must not go here: time.
"""

from collections.abc import Mapping, Sequence
from heapq import nsmallest
from typing import Any

import pyarrow as pa

from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.question import Question
from armorstack.store.contract import Facet, FacetValue, Group, Top
from armorstack.store.duckdb.columns import counted, dimension, is_several, raw
from armorstack.store.duckdb.counting import Counting
from armorstack.store.duckdb.inquiry import Inquiry
from armorstack.store.duckdb.partials import Key
from armorstack.store.duckdb.summing import can_sum, summed
from armorstack.store.duckdb.where import Parameters


def facets(
    inquiry: Inquiry, question: Question, fields: Sequence[str], size: int
) -> tuple[Facet, ...]:
    """See `EventStore.facets`."""
    picked = {pick.field for pick in question.picks}
    found: dict[str, Facet] = {}
    # Those without picks of their own are all counted under the same condition.
    for group in ([f for f in fields if f not in picked], *([f] for f in fields if f in picked)):
        if group:
            counting = Counting(inquiry, question, without=group[0])
            found |= _facets(inquiry, counting, group, size)
    return tuple(found[field] for field in fields)


def _facets(
    inquiry: Inquiry, counting: Counting, fields: Sequence[str], size: int
) -> dict[str, Facet]:
    keys = list(dict.fromkeys(Key((raw(field),)) for field in fields))
    rows = dict(zip(keys, counting.several(keys), strict=True))
    known = {field: table for field in fields if (table := rows[Key((raw(field),))]) is not None}
    found = _known(inquiry, counting, known, size)
    for field in fields:
        if field not in found:
            found[field] = _at_once(counting, field, size)
    return found


def _known(
    inquiry: Inquiry, counting: Counting, tables: Mapping[str, pa.Table], size: int
) -> dict[str, Facet]:
    """All facets whose groups are there."""
    few = {field: table for field, table in tables.items() if can_sum(table, [field])}
    many = {field: table for field, table in tables.items() if field not in few}
    counts = _by_statement(inquiry, counting, many) if many else {}
    for field, table in few.items():
        rows = summed(counting.tested(table), [field])
        counts[field] = {value: count for value, count, *_ in rows}
    return {
        field: _facet(field, found, len(found), sum(found.values()), size)
        for field, found in counts.items()
    }


def _by_statement(
    inquiry: Inquiry, counting: Counting, tables: Mapping[str, pa.Table]
) -> dict[str, dict[str, int]]:
    """The counts of all these fields by one statement."""
    parameters = Parameters()
    sql = " UNION ALL ".join(
        f"(SELECT {number} AS facet, value, sum(count)::BIGINT AS count FROM"
        f" {_valued(field, counting.source(f'partials{number}', parameters))} GROUP BY value)"
        for number, field in enumerate(tables)
    )
    named = {f"partials{number}": table for number, table in enumerate(tables.values())}
    counts: list[dict[str, int]] = [{} for _ in tables]
    for number, value, count in inquiry.over(named, sql, parameters).rows:
        counts[number][value] = count
    return dict(zip(tables, counts, strict=True))


def _at_once(counting: Counting, field: str, size: int) -> Facet:
    def sql_of(source: str, parameters: Parameters) -> str:
        return f"""
            SELECT value, count, count(*) OVER () AS groups, sum(count) OVER ()::BIGINT AS total
            FROM (
                SELECT value, sum(count)::BIGINT AS count FROM {_valued(field, source)}
                GROUP BY value
            ) ORDER BY count DESC, value LIMIT {parameters.put(size)}"""

    rows = counting.at_once(sql_of, Key((raw(field),))).rows
    groups, total = rows[0][2:] if rows else (0, 0)
    return _facet(field, {row[0]: row[1] for row in rows}, groups, total, size)


def _valued(field: str, source: str) -> str:
    return f"(SELECT {dimension(field)} AS value, count FROM {source})"


def _facet(field: str, counts: Mapping[str, int], groups: int, total: int, size: int) -> Facet:
    ranked = nsmallest(size, counts.items(), key=lambda each: (-each[1], each[0]))
    values = tuple(FacetValue(value, count) for value, count in ranked)
    return Facet(field, values, groups, total - sum(value.count for value in values))


def top(
    inquiry: Inquiry, question: Question, fields: Sequence[str], size: int, distinct: str,
    smallest: bool,
) -> Top:  # fmt: skip
    """See `EventStore.top`."""
    key = Key(tuple(dict.fromkeys(map(raw, (*fields, *([distinct] if distinct else []))))))

    counting = Counting(inquiry, question, key.columns)
    (table,) = counting.several([key])
    if table is not None and not distinct and can_sum(table, fields):
        rows = summed(counting.tested(table), fields)
        return _top_of([(*row, row[-3]) for row in rows], size, smallest=smallest)
    if table is not None:
        answer = counting.of(table, lambda source, _: _grouped(fields, distinct, source))
        return _top_of(answer.rows, size, smallest=smallest)

    def most(source: str, parameters: Parameters) -> str:
        places = ", ".join(str(place) for place in range(1, len(fields) + 1))
        order = f"measure {'ASC' if smallest else 'DESC'}, {places}"
        return f"""
            SELECT *, count(*) OVER () AS groups, sum(count) OVER ()::BIGINT AS total
            FROM ({_grouped(fields, distinct, source)}) ORDER BY {order}
            LIMIT {parameters.put(size)}"""

    rows = counting.at_once(most, key).rows
    groups, total = rows[0][-2:] if rows else (0, 0)
    return Top(tuple(_group(row[:-2]) for row in rows), groups, total)


def _grouped(fields: Sequence[str], distinct: str, source: str) -> str:
    """Rows of values, count, first, last and measure."""
    values = ", ".join(f"{dimension(field)} AS value{n}" for n, field in enumerate(fields))
    if distinct:
        values += f", {counted(distinct)} AS measured"
    inner = f"SELECT {values}, count, first_us, last_us FROM {source}"
    names = ", ".join(f"value{number}" for number in range(len(fields)))
    return f"""
        SELECT {names}, sum(count)::BIGINT AS count, min(first_us) AS first_us,
            max(last_us) AS last_us, {_measure(distinct)} AS measure
        FROM ({inner}) GROUP BY {names}"""


def _top_of(rows: list[tuple[Any, ...]], size: int, *, smallest: bool) -> Top:
    sign = 1 if smallest else -1
    ranked = nsmallest(size, rows, key=lambda row: (sign * row[-1], row[:-4]))
    return Top(tuple(map(_group, ranked)), len(rows), sum(row[-4] for row in rows))


def _group(row: tuple[Any, ...]) -> Group:
    *values, count, first_us, last_us, measure = row
    return Group(tuple(values), count, first_us, last_us, measure)


def _measure(distinct: str) -> str:
    if not distinct:
        return "sum(count)::BIGINT"
    if is_several(QUERY_FIELDS[distinct]):
        return "len(list_filter(list_distinct(flatten(list(measured))), lambda one: one <> ''))"
    return "count(DISTINCT measured) FILTER (measured <> '')"
