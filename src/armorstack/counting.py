"""Events by label set, counted in native code, with a cap on how many sets are kept.

Invariant: the counts over all label sets add up to all events that were added, whatever the pods
call themselves: a set beyond the cap is counted as `other`. Python's work is per distinct set and
flush, never per event. Names of metrics must not go here.
"""

import threading
from collections.abc import Hashable, Iterator
from typing import TypeVar

import pyarrow as pa

from armorstack.core.text import printable

EVENT_LABELS = ("namespace", "policy", "severity", "type", "operation", "action")
COLUMNS = ("stream", "namespace_name", "policy_name", "severity", "type", "operation", "action")
"""The column `stream`, then one per label."""
OTHER = "other"
KEPT_ROWS = 20_000
"""Rows that wait to be counted together: grouping has a cost per call."""
NAMES_LIMIT = 50
"""Names kept per small count: actions, severities."""
LABEL_LIMIT = 200
"""Characters of a label's value; longer ones are cut, and count together."""

Labels = tuple[str, ...]
K = TypeVar("K", bound=Hashable)


class EventCounts:
    """Counts of events; `add` is called by the worker's loop, the rest by whoever asks."""

    def __init__(self, series_limit: int) -> None:
        self._limit = series_limit
        self._lock = threading.Lock()
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._series: dict[Labels, int] = {}
        self._named: tuple[dict[str, int], ...] = ({}, {}, {})

    def add(self, rows: pa.RecordBatch) -> None:
        """Count these rows, now or when somebody asks."""
        with self._lock:
            self._pending.append(rows.select(list(COLUMNS)))
            self._pending_rows += len(rows)
            if self._pending_rows >= KEPT_ROWS:
                self._count()

    def series(self) -> dict[Labels, int]:
        """Events by label set (in the order of `EVENT_LABELS`; an absent value is empty)."""
        with self._lock:
            self._count()
            return dict(self._series)

    def summary(self) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
        """Events by stream, by action and by severity; events without one are left out."""
        with self._lock:
            self._count()
            streams, actions, severities = self._named
            return dict(streams), dict(actions), dict(severities)

    def _count(self) -> None:
        for key, count in _groups(self._pending):
            labels = key[1:]
            _add(self._series, labels, count, self._limit, (OTHER,) * len(labels))
            for names, name in zip(self._named, (key[0], key[6], key[3]), strict=True):
                if name:
                    _add(names, name, count, NAMES_LIMIT, OTHER)
        self._pending, self._pending_rows = [], 0


def _groups(batches: list[pa.RecordBatch]) -> Iterator[tuple[Labels, int]]:
    """Each distinct combination of `COLUMNS` with its number of rows."""
    if not batches:
        return
    table = pa.Table.from_batches(batches)
    groups = table.group_by(list(COLUMNS), use_threads=False).aggregate([([], "count_all")])
    counts = groups.column("count_all").to_pylist()
    columns = [groups.column(name).to_pylist() for name in COLUMNS]
    for values, count in zip(zip(*columns, strict=True), counts, strict=True):
        yield tuple(printable(value or "", LABEL_LIMIT) for value in values), count


def _add(counts: dict[K, int], key: K, count: int, limit: int, other: K) -> None:
    """Count under `key`, or under `other` when a new key would exceed the limit."""
    if key not in counts and len(counts) >= limit:
        key = other
    counts[key] = counts.get(key, 0) + count
