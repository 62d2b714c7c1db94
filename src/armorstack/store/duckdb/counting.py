"""How many events agree in some columns, over all pieces of the store.

Invariant: the answer is that of one GROUP BY over all events that are meant, whichever part of it
was counted before. Must not go here: what a person calls a value (`columns.py`).
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.core.query.question import Question
from armorstack.engines.duckdb.snapshot import Answer, View
from armorstack.store.duckdb.inquiry import COUNT, Filter, Inquiry
from armorstack.store.duckdb.partials import Key, plan
from armorstack.store.duckdb.where import Parameters

MAX_GROUPS = 4_000
"""Groups of one unit; where there are more, they are counted by one statement and not kept."""
_SHIFT_US = 1 << 60
"""Makes all times positive, so that division rounds down."""


class Counting:
    """Counts for one question. Tables have the key's columns, `count`, `first_us`, `last_us`."""

    def __init__(self, inquiry: Inquiry, question: Question, *, without: str = "") -> None:
        """`without`: a field whose own picks do not count."""
        self._inquiry = inquiry
        self._span = (question.start_us, question.end_us)
        self._asked = Filter(question, without=without)
        values = tuple(self._asked.parameters.values.items())
        self._where = (inquiry.namespaces, self._asked.sql, values)

    def rows(self, key: Key) -> pa.Table | None:
        """The groups, each perhaps in several rows; None: there are too many to keep."""
        return self.several([key])[0]

    def several(self, keys: Sequence[Key]) -> list[pa.Table | None]:
        """The same for several keys at once; they have the same interval, or none."""
        found: dict[Key, list[pa.Table]] = {key: [] for key in keys}
        besides = self._inquiry.partials.companions(self._where, keys)
        planned = plan(self._inquiry.view, *self._span)
        pieces = [(View(unit), False) for unit in planned.units]
        if planned.rest.parts or planned.rest.slices or not planned.units:
            pieces.append((planned.rest, True))
        for view, is_cut in pieces:
            for key, table in self._of(view, is_cut, list(found), besides).items():
                if len(table) > MAX_GROUPS:
                    del found[key]
                else:
                    found[key].append(table)
            if not found:
                break
        return [pa.concat_tables(found[key]) if key in found else None for key in keys]

    def at_once(self, sql_of: Callable[[str, Parameters], str], key: Key) -> Answer:
        """The answer of a statement over the same groups as a subquery, which it is given."""
        parameters = self._asked.parameters.copy()
        source = f"({_statement([key], self._asked.sql)})"
        return self._inquiry.answer(sql_of(source, parameters), parameters, *self._span)

    def answer(self, sql_of: Callable[[str, Parameters], str], key: Key) -> Answer:
        """The answer of a statement over the groups, in whichever way it is cheaper."""
        rows = self.rows(key)
        if rows is None:
            return self.at_once(sql_of, key)
        parameters = Parameters()
        sql = sql_of("partials", parameters)
        return self._inquiry.over({"partials": rows}, sql, parameters)

    def _of(
        self, view: View, is_cut: bool, keys: Sequence[Key], besides: Sequence[Key]
    ) -> dict[Key, pa.Table]:
        """Groups of these pieces, kept or counted now. `besides` are counted with what is."""
        names = tuple((part.name, part.bytes, part.rows) for part in view.parts)
        place: Hashable = (names, len(view.slices) and view.recent.end)
        place = (place, self._span if is_cut else None, self._where)
        kept = self._inquiry.partials
        found = {key: table for key in keys if (table := kept.get((place, key))) is not None}
        missing = [key for key in keys if key not in found]
        if missing:
            missing += (key for key in besides if not kept.has((place, key)))
            for key, table in self._counted(view, missing, is_cut=is_cut).items():
                # Of too many groups only that is kept.
                kept.put((place, key), table if len(table) <= MAX_GROUPS else _too_many(table))
                found[key] = table
        return {key: found[key] for key in keys}

    def _counted(self, view: View, keys: Sequence[Key], *, is_cut: bool) -> dict[Key, pa.Table]:
        span = self._span if is_cut else (None, None)
        sql = _statement(keys, self._asked.sql)
        answer = self._inquiry.answer(sql, self._asked.parameters, *span, view)
        return _parted(answer, keys)


def _statement(keys: Sequence[Key], where: str) -> str:
    columns = list(dict.fromkeys(name for key in keys for name in key.listed()))
    interval_us = max(key.interval_us for key in keys)
    # A whole number of intervals, or every bucket would begin elsewhere.
    steps = _SHIFT_US // interval_us if interval_us else 0
    bucket = (
        f", (epoch_us(time) + {steps * interval_us}) // {interval_us} - {steps} AS bucket"
        if interval_us
        else ""
    )
    raw = "".join(f", {name}" for name in columns if name != "bucket")
    sets = ", ".join(f"({', '.join(key.listed())})" for key in keys)
    which = f"grouping_id({', '.join(columns)})" if columns else "0"
    return f"""
        WITH each AS (SELECT time, fold_count{raw}{bucket} FROM events WHERE {where})
        SELECT {"".join(f"{name}, " for name in columns)}{which} AS which, {COUNT} AS count,
            epoch_us(min(time)) AS first_us, epoch_us(max(time)) AS last_us
        FROM each GROUP BY GROUPING SETS ({sets}) HAVING count(*) > 0"""


def _parted(answer: Answer, keys: Sequence[Key]) -> dict[Key, pa.Table]:
    """Each key's groups; `grouping_id` has a bit for each column that a group does not go by."""
    columns = list(dict.fromkeys(name for key in keys for name in key.listed()))
    rows: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in answer.rows:
        rows[row[len(columns)]].append(row)
    found = {}
    for key in keys:
        inside = key.listed()
        bits = "".join("0" if name in inside else "1" for name in columns)
        places = [columns.index(name) for name in inside]
        found[key] = _table(key, places, rows[int(bits or "0", 2)])
    return found


def _table(key: Key, places: Sequence[int], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    names = [name.strip('"') for name in key.listed()]
    told = [_array(name, [row[at] for row in rows]) for name, at in zip(names, places, strict=True)]
    counts = [pa.array([row[at] for row in rows], pa.int64()) for at in (-3, -2, -1)]
    return pa.table([*told, *counts], names=[*names, "count", "first_us", "last_us"])


def _array(name: str, values: list[Any]) -> pa.Array:
    if name == "bucket":
        return pa.array(values, pa.int64())
    type_ = SCHEMA.field(name).type
    if pa.types.is_map(type_):
        values = [value and list(value.items()) for value in values]
    return pa.array(values, type_)


def _too_many(table: pa.Table) -> pa.Table:
    """A table that says no more than that, and takes no room."""
    return pa.table({"many": pa.nulls(len(table))})
