"""Which ids are in the store already: by ten-second bucket, in memory for the recent buckets.

Invariant: a bucket that is held here holds every id that the store has of that bucket, in parts
and in the tail. So a row is new if its bucket's set does not have its id, and a bucket that is not
held has to be read from the parts first. Buckets that got ids since the last flush are never let
go, since no part has them yet.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.engines.duckdb.part import bucket_of, buckets_of

_BUCKET_COST = 8
"""What an empty set takes, in ids."""

Load = Callable[[Sequence[int]], Iterable[tuple[list[bytes], list[int]]]]
"""Buckets → ids stored in the parts with the bucket of each, in any number of pieces."""


class Known:
    """The sets. Used from one thread."""

    def __init__(self, load: Load, max_ids: int) -> None:
        self._load = load
        self._max_ids = max_ids
        self._sets: OrderedDict[int, set[bytes]] = OrderedDict()
        self._unsettled: set[int] = set()
        self._cost = 0

    def __len__(self) -> int:
        """Buckets that are held."""
        return len(self._sets)

    def fresh(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The rows whose ids were not known, each once; they are known from now on."""
        if not len(rows):
            return rows
        ids: list[bytes] = rows.column("id").to_pylist()
        span = pc.min_max(rows.column("time"))
        first = bucket_of(span["min"].value)
        if first == bucket_of(span["max"].value):
            self._hold((first,))
            new = self._add_one_bucket(ids, first)
        else:
            of_ids = buckets_of(rows.column("time")).to_pylist()
            self._hold(set(of_ids))
            new = self._add(ids, of_ids)
        self._cost += len(new)
        return rows if len(new) == len(rows) else rows.take(pa.array(new, pa.int64()))

    def settle(self) -> None:
        """The tail was flushed: parts have every id."""
        self._unsettled.clear()
        self._let_go(())

    def _add_one_bucket(self, ids: list[bytes], bucket: int) -> Sequence[int]:
        """The common case, without a loop unless an id is known or comes twice."""
        held = self._sets[bucket]
        different = set(ids)
        if len(different) < len(ids) or not held.isdisjoint(different):
            return self._add(ids, [bucket] * len(ids))
        held |= different
        self._unsettled.add(bucket)
        return range(len(ids))

    def _add(self, ids: list[bytes], buckets: list[int]) -> list[int]:
        """Indices of the new ones."""
        new = []
        sets = self._sets
        for index, id_ in enumerate(ids):
            held = sets[buckets[index]]
            if id_ not in held:
                held.add(id_)
                new.append(index)
        self._unsettled.update(buckets[index] for index in new)
        return new

    def _hold(self, buckets: Collection[int]) -> None:
        missing = []
        for bucket in buckets:
            if bucket in self._sets:
                self._sets.move_to_end(bucket)
            else:
                missing.append(bucket)
        if not missing:
            return
        loaded: dict[int, set[bytes]] = {bucket: set() for bucket in missing}
        for ids, of_ids in self._load(missing):
            for id_, bucket in zip(ids, of_ids, strict=True):
                loaded[bucket].add(id_)
        self._sets.update(loaded)
        self._cost += sum(len(ids) + _BUCKET_COST for ids in loaded.values())
        self._let_go(buckets)

    def _let_go(self, needed: Collection[int]) -> None:
        """Forget the buckets that were not used for longest, down to the bound."""
        for bucket in list(self._sets):
            if self._cost <= self._max_ids:
                return
            if bucket not in needed and bucket not in self._unsettled:
                self._cost -= len(self._sets.pop(bucket)) + _BUCKET_COST
