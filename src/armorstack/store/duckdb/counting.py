"""How many events agree in some columns, over all pieces of the store.

Invariant: the answer is that of one GROUP BY over all events that are meant, whichever part of it
was counted before. Must not go here: what a person calls a value (`columns.py`).
"""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from armorstack.core.query.question import Question
from armorstack.engines.duckdb.snapshot import View
from armorstack.store.duckdb.inquiry import COUNT, Filter, Inquiry
from armorstack.store.duckdb.partials import Unit, plan
from armorstack.store.duckdb.where import Parameters

MAX_GROUPS = 4_000
"""Groups of one unit; where there are more, they are counted by one statement and not kept."""
_SHIFT_US = 1 << 60
"""Makes all times positive, so that division rounds down."""


class Key(Struct, frozen=True):
    """The columns of `SCHEMA` that events of a group agree in, and the length of their buckets."""

    columns: tuple[str, ...] = ()
    interval_us: int = 0
    """0: no buckets. Else the column `bucket` is the number of the interval since 1970."""

    def listed(self) -> list[str]:
        """Its columns in a statement over `each`."""
        bucket = ["bucket"] if self.interval_us else []
        return [*bucket, *(f'"{name}"' for name in self.columns)]


class Counting:
    """Counts for one question. Tables have the key's columns, `count`, `first_us`, `last_us`."""

    def __init__(self, inquiry: Inquiry, question: Question, *, without: str = "") -> None:
        """`without`: a field whose own picks do not count."""
        self._inquiry = inquiry
        self._span = (question.start_us, question.end_us)
        self._asked = Filter(question, without=without)

    def rows(self, key: Key) -> pa.Table | None:
        """The groups, each perhaps in several rows; None: there are too many to keep."""
        return self.several([key])[0]

    def several(self, keys: Sequence[Key]) -> list[pa.Table | None]:
        """The same for several keys at once; they have the same interval, or none."""
        found: dict[Key, list[pa.Table]] = {key: [] for key in keys}
        planned = plan(self._inquiry.view, *self._span)
        for unit in planned.units:
            for key, table in self._of_unit(unit, list(found)).items():
                if len(table) > MAX_GROUPS:
                    del found[key]
                else:
                    found[key].append(table)
            if not found:
                return [None] * len(keys)
        if planned.rest.parts or planned.rest.slices or not planned.units:
            for key, table in self._of_view(planned.rest, list(found)).items():
                found[key].append(table)
        return [pa.concat_tables(found[key]) if key in found else None for key in keys]

    def at_once(self, sql_of: Callable[[str, Parameters], str], key: Key) -> pa.Table:
        """The answer of a statement over the same groups as a subquery, which it is given."""
        parameters = self._asked.parameters.copy()
        source = f"({_statement([key], self._asked.sql)})"
        return self._inquiry.table(sql_of(source, parameters), parameters, *self._span)

    def answer(self, sql_of: Callable[[str, Parameters], str], key: Key) -> pa.Table:
        """The answer of a statement over the groups, in whichever way it is cheaper."""
        rows = self.rows(key)
        if rows is None:
            return self.at_once(sql_of, key)
        parameters = Parameters()
        sql = sql_of("partials", parameters)
        return self._inquiry.over({"partials": rows}, sql, parameters)

    def _of_unit(self, unit: Unit, keys: Sequence[Key]) -> dict[Key, pa.Table]:
        values = tuple(self._asked.parameters.values.items())
        names = tuple((part.name, part.bytes, part.rows) for part in unit)
        where = (names, self._inquiry.namespaces, self._asked.sql, values)
        kept = self._inquiry.partials
        found = {key: table for key in keys if (table := kept.get((*where, key))) is not None}
        missing = [key for key in keys if key not in found]
        if missing:
            made = self._of_view(View(unit), missing, whole=True)
            for key, table in made.items():
                # Of too many groups only that is kept.
                kept.put((*where, key), table if len(table) <= MAX_GROUPS else _too_many(table))
            found |= made
        return found

    def _of_view(
        self, view: View, keys: Sequence[Key], *, whole: bool = False
    ) -> dict[Key, pa.Table]:
        span = (None, None) if whole else self._span
        sql = _statement(keys, self._asked.sql)
        table = self._inquiry.table(sql, self._asked.parameters, *span, view)
        return {key: _part(table, number, key) for number, key in _numbered(keys)}


def _statement(keys: Sequence[Key], where: str) -> str:
    columns = list(dict.fromkeys(name for key in keys for name in key.listed()))
    interval_us = max(key.interval_us for key in keys)
    bucket = (
        f", (epoch_us(time) + {_SHIFT_US}) // {interval_us} - {_SHIFT_US // interval_us} AS bucket"
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


def _numbered(keys: Sequence[Key]) -> list[tuple[int, Key]]:
    """Each key with what `grouping_id` says of its rows: a bit for each column not in it."""
    columns = list(dict.fromkeys(name for key in keys for name in key.listed()))
    found = []
    for key in keys:
        inside = set(key.listed())
        bits = "".join("0" if name in inside else "1" for name in columns)
        found.append((int(bits or "0", 2), key))
    return found


def _part(table: pa.Table, number: int, key: Key) -> pa.Table:
    names = [name.strip('"') for name in key.listed()]
    rows = table.filter(pc.equal(table["which"], number))
    return rows.select([*names, "count", "first_us", "last_us"]).combine_chunks()


def _too_many(table: pa.Table) -> pa.Table:
    """A table that says no more than that, and takes no room."""
    return pa.table({"many": pa.nulls(len(table))})
