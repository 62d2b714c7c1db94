"""How many events agree in some columns, over all pieces of the store.

Invariant: the answer is that of one GROUP BY over all events that are meant, whichever part of it
was counted before. Must not go here: what a person calls a value (`columns.py`).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from armorstack.core.batch import SCHEMA
from armorstack.core.query.evaluate import evaluator
from armorstack.core.query.question import Question
from armorstack.core.query.tree import EVERYTHING
from armorstack.engines.duckdb.snapshot import Answer
from armorstack.store.duckdb.inquiry import COUNT, Filter, Inquiry
from armorstack.store.duckdb.late import columns_of, parted
from armorstack.store.duckdb.partials import Key
from armorstack.store.duckdb.plan import Piece
from armorstack.store.duckdb.where import Parameters, condition

MAX_GROUPS = 4_000
"""Groups of one unit; where there are more, they are counted by one statement and not kept."""
_SHIFT_US = 1 << 60
"""Makes all times positive, so that division rounds down."""


class Counting:
    """Counts for one question. Tables have the key's columns, `count`, `first_us`, `last_us`, and
    perhaps columns for tests that were left for the groups (`late.py`)."""

    def __init__(
        self, inquiry: Inquiry, question: Question, columns: Sequence[str] = (), *,
        without: str = "",
    ) -> None:  # fmt: skip
        """`columns` are those that every key has; `without`: a field whose own picks do not
        count."""
        self._inquiry = inquiry
        self._span = (question.start_us, question.end_us)
        self._node = question.tree(without=without)
        early, self._late, self._more = parted(self._node, columns)
        self._asked = Filter(early)
        values = tuple(self._asked.parameters.values.items())
        self._where = (inquiry.namespaces, self._asked.sql, values)

    def several(self, keys: Sequence[Key]) -> list[pa.Table | None]:
        """The groups of each key, to be read through `source`; None: there are too many to keep.

        All keys have the same interval, or none.
        """
        wanted = [self._wider(key) for key in keys]
        found: dict[Key, list[pa.Table]] = {key: [] for key in wanted}
        besides = self._inquiry.partials.companions(self._where, wanted)
        for piece in self._inquiry.partials.planned(self._inquiry.view, self._span):
            for key, table in self._of(piece, list(found), besides).items():
                if len(table) > MAX_GROUPS:
                    del found[key]
                else:
                    found[key].append(table)
            if not found:
                break
        return [pa.concat_tables(found[key]) if key in found else None for key in wanted]

    def tested(self, table: pa.Table) -> pa.Table:
        """The rows of such a table that are meant; for few groups, sooner than a statement."""
        if self._late == EVERYTHING:
            return table
        test, names = evaluator(self._late), sorted(columns_of(self._late))
        if len(names) == 1:
            values = table[names[0]].unique()
            kept = [test({names[0]: each}) for each in values.to_pylist()]
            wanted = values.filter(pa.array(kept, pa.bool_()))
            return table.filter(pc.is_in(table[names[0]], wanted))
        rows = table.select(names).to_pylist()
        return table.filter(pa.array([test(row) for row in rows], pa.bool_()))

    def source(self, table: str, parameters: Parameters) -> str:
        """What a statement over the groups in this table is to read: those that are meant."""
        if self._late == EVERYTHING:
            return table
        return f"(SELECT * FROM {table} WHERE {condition(self._late, parameters)})"

    def at_once(self, sql_of: Callable[[str, Parameters], str], key: Key) -> Answer:
        """The answer of a statement over the same groups as a subquery, which it is given."""
        whole = Filter(self._node)
        parameters = whole.parameters.copy()
        source = f"({_statement([key], whole.sql)})"
        with self._inquiry.partials.turn:
            return self._inquiry.answer(sql_of(source, parameters), parameters, *self._span)

    def of(self, table: pa.Table, sql_of: Callable[[str, Parameters], str]) -> Answer:
        """The answer of a statement over such a table."""
        parameters = Parameters()
        sql = sql_of(self.source("partials", parameters), parameters)
        return self._inquiry.over({"partials": table}, sql, parameters)

    def _wider(self, key: Key) -> Key:
        return replace(key, columns=tuple(dict.fromkeys((*key.columns, *self._more))))

    def _of(
        self, piece: Piece, keys: Sequence[Key], besides: Sequence[Key]
    ) -> dict[Key, pa.Table]:  # fmt: skip
        """Groups of this piece, kept or counted now. `besides` are counted with what is."""
        span = self._span if piece.is_cut else (None, None)
        place = (piece.name, span, self._where)
        kept = self._inquiry.partials
        found = {key: table for key in keys if (table := kept.get((place, key))) is not None}
        missing = [key for key in keys if key not in found]
        if missing:
            missing += (key for key in besides if not kept.has((place, key)))
            sql = _statement(missing, self._asked.sql)
            with kept.turn:
                answer = self._inquiry.answer(sql, self._asked.parameters, *span, piece.view)
            for key, table in _parted(answer, missing).items():
                # Of too many groups only that is kept.
                kept.put((place, key), table if len(table) <= MAX_GROUPS else _too_many(table))
                found[key] = table
        return {key: found[key] for key in keys}


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
