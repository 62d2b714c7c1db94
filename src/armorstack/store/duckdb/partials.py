"""Counts of pieces that were made before, so that nothing is counted twice.

Invariant: what is kept is bounded in bytes, and its key names everything that the counts depend
on: the piece and what is cut of it, condition, values, and the namespaces that were seen.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence

import pyarrow as pa
from msgspec import Struct

from armorstack.engines.duckdb.snapshot import View
from armorstack.store.duckdb.plan import Piece, plan

MAX_BYTES = 48 * 1024 * 1024
"""Counts that are kept; those that were not asked for longest go first."""
COMPANY_S = 60.0
"""How long what was asked beside is taken to belong to the same page."""
_ENTRY_BYTES = 1024
_MAX_CONDITIONS = 100
_MAX_COMPANIONS = 24

Span = tuple[int | None, int | None]
Shape = tuple[tuple[str, ...], bool]
"""Columns of a key, and whether it has buckets."""


class Key(Struct, frozen=True):
    """The columns of `SCHEMA` that events of a group agree in, and the length of their buckets."""

    columns: tuple[str, ...] = ()
    interval_us: int = 0
    """0: no buckets. Else the column `bucket` is the number of the interval since 1970."""

    def listed(self) -> list[str]:
        """Its columns in a statement over `each`."""
        bucket = ["bucket"] if self.interval_us else []
        return [*bucket, *(f'"{name}"' for name in self.columns)]


class Partials:
    """Tables by key, those asked for last kept. Every method may be called from any thread."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self.turn = threading.Lock()
        """Held while something is counted: two at once would need the memory of both."""
        self._tables: OrderedDict[Hashable, pa.Table] = OrderedDict()
        self._bytes = 0
        self._asked: OrderedDict[Hashable, dict[Shape, float]] = OrderedDict()
        """Condition → what was asked under it, and when last."""
        self._begun: OrderedDict[tuple[Shape, ...], Hashable] = OrderedDict()
        """What was asked first under a condition → the last such condition."""
        self._lock = threading.Lock()
        self._planned: tuple[View, Span, tuple[Piece, ...]] | None = None

    def planned(self, view: View, span: Span) -> tuple[Piece, ...]:
        """The pieces of a view; all questions of a page have the same."""
        last = self._planned
        if last is None or last[0] is not view or last[1] != span:
            last = self._planned = (view, span, plan(view, *span))
        return last[2]

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
        """What else was asked under this condition a moment ago, and so will be asked again; under
        one that is new, what was asked under the last that was begun with the same keys.

        A page asks one thing after the other; reading events once for all of it costs little more
        than for the first. All keys have the interval of the given ones, or none.
        """
        interval_us = max(key.interval_us for key in keys)
        shapes = [(key.columns, key.interval_us > 0) for key in keys]
        with self._lock:
            found = {
                Key(columns, interval_us if has_buckets else 0): None
                for columns, has_buckets in self._beside(where, shapes, time.monotonic())
                if interval_us or not has_buckets
            }
        return [key for key in found if key not in keys][:_MAX_COMPANIONS]

    def _beside(self, where: Hashable, shapes: Sequence[Shape], now: float) -> list[Shape]:
        """Notes that this is asked; returns what was asked beside it."""
        known = self._asked.pop(where, {})
        known = {shape: at for shape, at in known.items() if now - at < COMPANY_S}
        others = list(known)
        if not known:
            others = list(self._asked.get(self._begun.get(tuple(shapes)), ()))
            self._begun[tuple(shapes)] = where
        self._asked[where] = known | dict.fromkeys(shapes, now)
        if len(self._asked) > _MAX_CONDITIONS:
            self._asked.popitem(last=False)
        if len(self._begun) > _MAX_CONDITIONS:
            self._begun.popitem(last=False)
        return others
