"""Counts of parts that were made before, so that nothing is counted twice.

A part never changes, so what a statement found in it holds for as long as it exists. Counts are
kept for units: some parts of one day together, or single ones where a day is cut by the span or
still grows. Invariant: what is kept is bounded in bytes, and its key names everything that the
counts depend on: parts, condition, values, and the namespaces that were seen.
"""

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Sequence
from typing import TypeAlias

import pyarrow as pa
from msgspec import Struct

from armorstack.engines.duckdb.part import Part
from armorstack.engines.duckdb.snapshot import View

MAX_BYTES = 48 * 1024 * 1024
"""Counts that are kept; those that were not asked for longest go first."""
UNIT_PARTS = 8
"""Enough that few tables have to be put together, few enough that a lost one is soon made again."""
COMPANY_S = 60.0
"""How long what was asked beside is taken to belong to the same page."""
_ENTRY_BYTES = 1024
_MAX_ASKED = 500
_MAX_COMPANIONS = 24

Unit: TypeAlias = tuple[Part, ...]


class Key(Struct, frozen=True):
    """The columns of `SCHEMA` that events of a group agree in, and the length of their buckets."""

    columns: tuple[str, ...] = ()
    interval_us: int = 0
    """0: no buckets. Else the column `bucket` is the number of the interval since 1970."""

    def listed(self) -> list[str]:
        """Its columns in a statement over `each`."""
        bucket = ["bucket"] if self.interval_us else []
        return [*bucket, *(f'"{name}"' for name in self.columns)]


class Plan(Struct, frozen=True):
    """A span's events, as units that lie in it whole, and the rest."""

    units: tuple[Unit, ...]
    rest: View


def plan(view: View, start_us: int | None, end_us: int | None) -> Plan:
    """How the events of this span are put together."""
    units: list[Unit] = []
    cut: list[Part] = []
    for parts, is_complete in _chunks(view.parts):
        whole = tuple(part for part in parts if _is_within(part, start_us, end_us))
        if is_complete and len(whole) == len(parts):
            units.append(parts)
        else:
            units += ((part,) for part in whole)
            cut += (part for part in parts if part not in whole)
    rest = View(tuple(cut), view.slices, view.recent)
    return Plan(tuple(units), rest.within(start_us, end_us))


def _chunks(parts: Sequence[Part]) -> list[tuple[Unit, bool]]:
    """Parts of one day that belong together, and whether no more are expected among them."""
    days: defaultdict[str, list[Part]] = defaultdict(list)
    for part in parts:
        days[part.day].append(part)
    growing = max(parts, key=lambda part: part.cursor).day if parts else ""
    found = []
    for day, same in days.items():
        # In the order in which they were written, so that a new one leaves the others as they are.
        same.sort(key=lambda part: (part.cursor, part.name))
        for first in range(0, len(same), UNIT_PARTS):
            chunk = tuple(same[first : first + UNIT_PARTS])
            found.append((chunk, len(chunk) == UNIT_PARTS or day != growing))
    return found


def _is_within(part: Part, start_us: int | None, end_us: int | None) -> bool:
    after = start_us is None or part.min_time_us >= start_us
    return after and (end_us is None or part.max_time_us < end_us)


class Partials:
    """Tables by key, those asked for last kept. Every method may be called from any thread."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._tables: OrderedDict[Hashable, pa.Table] = OrderedDict()
        self._bytes = 0
        self._asked: OrderedDict[tuple[Hashable, tuple[str, ...], bool], float] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> pa.Table | None:
        """The table, if it is kept."""
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
            return self._tables.get(key)

    def has(self, key: Hashable) -> bool:
        """Whether it is kept; asking does not make it be kept for longer."""
        with self._lock:
            return key in self._tables

    def put(self, key: Hashable, table: pa.Table) -> None:
        """Keep it for a while."""
        with self._lock:
            if key not in self._tables:
                self._tables[key] = table
                self._bytes += table.nbytes + _ENTRY_BYTES
            while self._bytes > self._max_bytes:
                _, old = self._tables.popitem(last=False)
                self._bytes -= old.nbytes + _ENTRY_BYTES

    def companions(self, where: Hashable, keys: Sequence[Key]) -> list[Key]:
        """What else was asked under this condition a moment ago, and so will be asked again.

        A page asks one thing after the other; reading events once for all of it costs little more
        than for the first. All keys have the interval of the given ones, or none.
        """
        interval_us = max(key.interval_us for key in keys)
        now = time.monotonic()
        with self._lock:
            for key in keys:
                asked = (where, key.columns, key.interval_us > 0)
                self._asked[asked] = now
                self._asked.move_to_end(asked)
            while len(self._asked) > _MAX_ASKED:
                self._asked.popitem(last=False)
            found = [
                Key(columns, interval_us if has_buckets else 0)
                for (other, columns, has_buckets), at in self._asked.items()
                if other == where and now - at < COMPANY_S and (interval_us or not has_buckets)
            ]
        return [key for key in found if key not in keys][:_MAX_COMPANIONS]
