"""Filters that change what an event says: set, remove, rename.

Ids are never changed: they were made from the values as they came. What is kept of the original
stays as it came, but for `remove`: an emptied field is emptied there, too, by leaving the original
to be rebuilt from the columns.
"""

from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.fields import Field
from armorstack.core.filters.contract import Flow, Plain, Scope
from armorstack.core.globs import any_of


def emptied(column: pa.Array, where: pa.BooleanArray) -> pa.Array:
    """The column with nulls where the mask is true, and nothing left behind them in memory, which
    `if_else` does not promise."""
    if not where.true_count:
        return column
    places = pa.array(range(len(column)), pa.int64())
    return column.take(pc.if_else(where, pa.scalar(None, pa.int64()), places))


class Set(Plain):
    """Gives fields, or the tag, another text."""

    def __init__(self, name: str, scope: Scope, values: Mapping[str, str], tag: str | None) -> None:
        """`values`: column → text."""
        super().__init__(name, scope)
        self._values, self._tag = values, tag

    def apply(self, flow: Flow, now_us: int) -> Flow:
        """All rows, those of the scope changed."""
        hit = self.scope.mask(flow)
        if not hit.true_count:
            return flow
        self.changed += hit.true_count
        changed = {
            column: pc.if_else(hit, pa.scalar(text or None, pa.string()), flow.rows.column(column))
            for column, text in self._values.items()
        }
        if self._tag:
            flow = flow.with_tags(pc.if_else(hit, self._tag, flow.tags()))
        return flow.with_columns(changed) if changed else flow


class Remove(Plain):
    """Empties fields."""

    def __init__(self, name: str, scope: Scope, fields: Sequence[Field]) -> None:
        super().__init__(name, scope)
        self._columns = [field.column for field in fields]
        self._members = {
            member.partition(".")[0]
            for field in fields
            for member in (field.name, field.camel)
            if member
        }

    def apply(self, flow: Flow, now_us: int) -> Flow:
        """All rows, those of the scope without these values."""
        hit = self.scope.mask(flow)
        if not hit.true_count:
            return flow
        self.changed += hit.true_count
        changed = {name: emptied(flow.rows.column(name), hit) for name in self._columns}
        changed["original"] = emptied(flow.rows.column("original"), hit)
        changed["extra"] = mapped(flow.rows.column("extra"), hit, self._without)
        return flow.with_columns(changed)

    def _without(self, extra: str) -> str | None:
        """`extra` keeps whole members that the columns could not rebuild, maybe the removed."""
        told = msgspec.json.decode(extra)
        kept = {k: v for k, v in told.get("set", {}).items() if k not in self._members}
        told = {**told, "set": kept}
        told = {key: value for key, value in told.items() if value}
        return msgspec.json.encode(told).decode() if told else None


class Rename(Plain):
    """Moves values from one text field to another, all at once, so that two may change places.

    Where two go to one field, the last that is there stays.
    """

    def __init__(self, name: str, scope: Scope, moves: Mapping[str, str]) -> None:
        """`moves`: old column → new column."""
        super().__init__(name, scope)
        self._moves = moves

    def apply(self, flow: Flow, now_us: int) -> Flow:
        """All rows, those of the scope with the values in their new places."""
        hit = self.scope.mask(flow)
        came = {old: flow.rows.column(old) for old in self._moves}
        there = {old: pc.and_(hit, pc.is_valid(column)) for old, column in came.items()}
        moved = any_of(list(there.values())).true_count
        if not moved:
            return flow
        self.changed += moved
        changed = {old: emptied(column, there[old]) for old, column in came.items()}
        for old, new in self._moves.items():
            before = changed.get(new, flow.rows.column(new))
            changed[new] = pc.if_else(there[old], came[old], before)
        return flow.with_columns(changed)


def mapped(column: pa.Array, where: pa.BooleanArray, change: object) -> pa.Array:
    """A column that is mostly null, with `change` applied to its values where the mask is true."""
    if column.null_count == len(column):
        return column
    assert callable(change)
    values = [
        change(value) if hit and value is not None else value
        for value, hit in zip(column.to_pylist(), where.to_pylist(), strict=True)
    ]
    return pa.array(values, column.type)
