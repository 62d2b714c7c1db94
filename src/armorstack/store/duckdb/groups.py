"""Facets and groups: which values events have, and how many events have them.

Invariant: values stand in the order of their measure, then of their text, so that the same
question has the same answer. Must not go here: time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.question import Question
from armorstack.engines.duckdb.snapshot import Answer
from armorstack.store.contract import Facet, FacetValue, Group, Top
from armorstack.store.duckdb.columns import counted, dimension, is_several, raw
from armorstack.store.duckdb.counting import Counting
from armorstack.store.duckdb.inquiry import Inquiry
from armorstack.store.duckdb.partials import Key
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
    found = _known(inquiry, known, size)
    for field in fields:
        if field not in found:
            found[field] = _facet(field, _at_once(counting, field, size))
    return found


def _known(inquiry: Inquiry, tables: Mapping[str, pa.Table], size: int) -> dict[str, Facet]:
    """All facets whose groups are there, by one statement."""
    if not tables:
        return {}
    parameters = Parameters()
    limit = parameters.put(size)
    sql = " UNION ALL ".join(
        f"(SELECT {number} AS facet, {_ranked(field, f'partials{number}', limit)})"
        for number, field in enumerate(tables)
    )
    named = {f"partials{number}": table for number, table in enumerate(tables.values())}
    answer = inquiry.over(named, sql, parameters).dicts()
    return {
        field: _facet(field, [row for row in answer if row["facet"] == number])
        for number, field in enumerate(tables)
    }


def _at_once(counting: Counting, field: str, size: int) -> list[dict[str, Any]]:
    def sql_of(source: str, parameters: Parameters) -> str:
        return f"SELECT {_ranked(field, source, parameters.put(size))}"

    return counting.at_once(sql_of, Key((raw(field),))).dicts()


def _ranked(field: str, source: str, limit: str) -> str:
    return f"""value, count, count(*) OVER () AS groups, sum(count) OVER ()::BIGINT AS total
        FROM (
            SELECT value, sum(count)::BIGINT AS count
            FROM (SELECT {dimension(field)} AS value, count FROM {source}) GROUP BY value
        ) ORDER BY count DESC, value LIMIT {limit}"""


def _facet(field: str, rows: Sequence[dict[str, Any]]) -> Facet:
    if not rows:
        return Facet(field, (), 0, 0)
    rows = sorted(rows, key=lambda row: (-row["count"], row["value"]))
    values = tuple(FacetValue(row["value"], row["count"]) for row in rows)
    shown = sum(value.count for value in values)
    return Facet(field, values, rows[0]["groups"], rows[0]["total"] - shown)


def top(
    inquiry: Inquiry, question: Question, fields: Sequence[str], size: int, distinct: str,
    smallest: bool,
) -> Top:  # fmt: skip
    """See `EventStore.top`."""
    key = Key(tuple(dict.fromkeys(map(raw, (*fields, *([distinct] if distinct else []))))))

    def sql_of(source: str, parameters: Parameters) -> str:
        return _grouped(fields, distinct, source, smallest, parameters.put(size))

    return _top(Counting(inquiry, question).answer(sql_of, key), len(fields))


def _grouped(fields: Sequence[str], distinct: str, source: str, smallest: bool, limit: str) -> str:
    names = ", ".join(f"value{number}" for number in range(len(fields)))
    values = ", ".join(f"{dimension(field)} AS value{n}" for n, field in enumerate(fields))
    return f"""
        WITH partly AS (
            SELECT {values}, count, first_us, last_us,
                {counted(distinct) if distinct else "''"} AS measured
            FROM {source}
        ), counted AS (
            SELECT {names}, sum(count)::BIGINT AS count, min(first_us) AS first_us,
                max(last_us) AS last_us, {_measure(distinct)} AS measure
            FROM partly GROUP BY {names}
        )
        SELECT *, count(*) OVER () AS groups, sum(count) OVER ()::BIGINT AS total
        FROM counted ORDER BY measure {"ASC" if smallest else "DESC"}, {names} LIMIT {limit}"""


def _measure(distinct: str) -> str:
    if not distinct:
        return "sum(count)::BIGINT"
    if is_several(QUERY_FIELDS[distinct]):
        return "len(list_filter(list_distinct(flatten(list(measured))), lambda one: one <> ''))"
    return "count(DISTINCT measured) FILTER (measured <> '')"


def _top(answer: Answer, fields: int) -> Top:
    rows = answer.dicts()
    if not rows:
        return Top((), 0, 0)
    groups = tuple(
        Group(tuple(row[f"value{n}"] for n in range(fields)), row["count"], row["first_us"],
              row["last_us"], row["measure"])
        for row in rows
    )  # fmt: skip
    return Top(groups, rows[0]["groups"], rows[0]["total"])
