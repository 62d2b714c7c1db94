"""Counts of parts that were made before, so that nothing is counted twice.

A part never changes, so what a statement found in it holds for as long as it exists. Counts are
kept for units: some parts of one day together, or single ones where a day is cut by the span or
still grows. Invariant: what is kept is bounded in bytes, and its key names everything that the
counts depend on: parts, condition, values, and the namespaces that were seen.
"""

import threading
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
_ENTRY_BYTES = 1024

Unit: TypeAlias = tuple[Part, ...]


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
    return Plan(tuple(units), View(tuple(cut), view.slices).within(start_us, end_us))


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
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> pa.Table | None:
        """The table, if it is kept."""
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
            return self._tables.get(key)

    def put(self, key: Hashable, table: pa.Table) -> None:
        """Keep it for a while."""
        with self._lock:
            if key not in self._tables:
                self._tables[key] = table
                self._bytes += table.nbytes + _ENTRY_BYTES
            while self._bytes > self._max_bytes:
                _, old = self._tables.popitem(last=False)
                self._bytes -= old.nbytes + _ENTRY_BYTES
