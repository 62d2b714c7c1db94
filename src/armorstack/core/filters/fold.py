"""The fold: events that say the same within an interval become one, with count, first and last.

The first of them stays, under its own id and time, and waits until its interval of arrival is
over; then it goes on with the number of all. Meanwhile its place in the spool is held, so that a
crash folds the same events again. An event that came twice counts once, by its id, if it comes
again within the interval; at most `MAX_IDS` events, twice, are remembered for that.

Invariant: each row of the scope is in exactly one count.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.filters.contract import NOTHING, Flow, Plain, Released, Scope

MAX_KEPT = 20_000
"""Events kept back; beyond, the oldest go on early."""
MAX_IDS = 500_000
"""Ids of events that are remembered; beyond, the older half goes."""
_READ = ("id", "time", "received", "fold_count", "fold_first", "fold_last")

Key = tuple[object, ...]


class Group:
    """Events that say the same."""

    __slots__ = ("closes_us", "count", "first", "last", "place")

    def __init__(self, place: int, closes_us: int) -> None:
        self.place = place
        """Of the first one, in the flow it came with."""
        self.closes_us = closes_us
        self.count = 0
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, count: int, first: datetime, last: datetime) -> None:
        """Count one more event, or one that stands for several."""
        self.count += count
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)


class Pane:
    """The groups that one batch began, with the first event of each."""

    def __init__(self, flow: Flow, groups: list[Group]) -> None:
        places = pa.array([group.place for group in groups], pa.int64())
        tags = flow.own_tags.take(places) if flow.own_tags is not None else None
        self.flow = Flow(flow.rows.take(places), tags, before=flow.before)
        self.groups = groups
        self.closes_us = max(group.closes_us for group in groups)

    def finished(self) -> Flow:
        """The first events with what they now stand for; an event that stayed alone is as it
        came."""
        several = [group if group.count > 1 else None for group in self.groups]
        stamp = pa.timestamp("us")
        return self.flow.with_columns(
            {
                "fold_count": pa.array([g and g.count for g in several], pa.int64()),
                "fold_first": pa.array([g and g.first for g in several], stamp),
                "fold_last": pa.array([g and g.last for g in several], stamp),
            }
        )


class Fold(Plain):
    """Makes one of those that agree in these columns."""

    def __init__(self, name: str, scope: Scope, interval_us: int, columns: Sequence[str]) -> None:
        super().__init__(name, scope)
        self._interval_us, self._columns = interval_us, tuple(columns)
        self._open: dict[Key, Group] = {}
        self._panes: list[Pane] = []
        self._ids: set[bytes] = set()
        self._older_ids: set[bytes] = set()
        self._ids_since_us = 0

    def apply(self, flow: Flow, now_us: int) -> Flow:
        """What is outside the scope; the rest comes with `release`."""
        hit = self.scope.mask(flow)
        if not hit.true_count:
            return flow
        mine = flow.only(hit)
        fresh = self._take(mine)
        if fresh:
            self._panes.append(Pane(mine, fresh))
        return flow.only(pc.invert(hit))

    def release(self, now_us: int, *, everything: bool) -> Released:
        """The panes whose groups are all over; all of them, or the oldest where they are many."""
        due = []
        while self._panes and (everything or self._is_due(self._panes[0], now_us)):
            due.append(self._panes.pop(0))
        if not due:
            return NOTHING
        closed = {id(group) for pane in due for group in pane.groups}
        self._open = {key: g for key, g in self._open.items() if id(g) not in closed}
        return Released(flows=[pane.finished() for pane in due])

    def held_from(self) -> int | None:
        """Before the batch of the oldest row; behind another fold that need not be the first."""
        return min((pane.flow.before for pane in self._panes), default=None)

    def _is_due(self, pane: Pane, now_us: int) -> bool:
        return pane.closes_us <= now_us or sum(len(p.groups) for p in self._panes) > MAX_KEPT

    def _take(self, flow: Flow) -> list[Group]:
        """Count every row; return the groups that were begun."""
        fresh: list[Group] = []
        columns = _lists(flow.rows, _READ)
        self._age_ids(min(map(_micros, columns[_READ.index("received")])))
        own = zip(*columns, strict=True)
        keys = zip(flow.tags().to_pylist(), *_lists(flow.rows, self._columns), strict=True)
        for place, (key, values) in enumerate(zip(keys, own, strict=True)):
            id_, time, received, count, first, last = values
            if id_ in self._ids or id_ in self._older_ids:
                self.dropped += 1
                continue
            self._ids.add(id_)
            arrived_us = _micros(received)
            group = self._open.get(key)
            if group is None or group.closes_us <= arrived_us:
                group = self._open[key] = Group(place, arrived_us + self._interval_us)
                fresh.append(group)
            else:
                self.dropped += 1
            group.add(count or 1, first or time, last or time)
        return fresh

    def _age_ids(self, arrived_us: int) -> None:
        """Forget those of the interval before the last, by the oldest arrival of a batch."""
        if arrived_us - self._ids_since_us > self._interval_us or len(self._ids) >= MAX_IDS:
            self._ids, self._older_ids, self._ids_since_us = set(), self._ids, arrived_us


def _lists(rows: pa.RecordBatch, columns: Sequence[str]) -> list[list[Any]]:
    return [rows.column(name).to_pylist() for name in columns]


def _micros(moment: datetime) -> int:
    return round((moment - datetime(1970, 1, 1)).total_seconds() * 1e6)
