"""The store: takes batches, keeps each event once, flushes, retires, merges, recovers.

Invariant: the durable cursor moves only with a flush, in the transaction that lists the flushed
parts; an event is in the tail or in one part, never in both. One thread writes and ticks; queries,
`gaps` and `status` may come from any. Foreign errors leave as EngineError: later is worth a try.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
from msgspec import Struct

from armorstack.config import DuckdbSink
from armorstack.core.batch import Batch
from armorstack.core.gap import Gap
from armorstack.engines.duckdb import recovery, upkeep
from armorstack.engines.duckdb.catalog import Catalog, Change, open_or_replace
from armorstack.engines.duckdb.connection import Damaged, FolderLock, first_line, fit_path
from armorstack.engines.duckdb.known import Known
from armorstack.engines.duckdb.merge import Merge
from armorstack.engines.duckdb.parquet import (
    PartDamaged,
    current_layout,
    describe,
    read_ids,
    write_part,
)
from armorstack.engines.duckdb.part import DAY_US, Kind, Part
from armorstack.engines.duckdb.reader import Reader
from armorstack.engines.duckdb.recent import Recent
from armorstack.engines.duckdb.reserve import Reserve
from armorstack.engines.duckdb.snapshot import Snapshot, Values, View
from armorstack.engines.duckdb.tail import Tail
from armorstack.engines.place import PlaceKey
from armorstack.errors import EngineError, StoreError

_KNOWN_IDS = 200_000
_RETIRE_EVERY_US = 60_000_000
_MERGE_BUDGET_S = 0.05
_HINT = "free space in the store's folder, or lower max_bytes or max_age_days; nothing is lost"


class Status(Struct, frozen=True):
    """How the store is doing. Counts are since it was opened."""

    cursor: int
    accepted: int
    duplicates: int
    flushes: int
    merges: int
    retired: dict[str, int]
    """Rows removed, by reason: age, bytes, damaged."""
    parts: int
    part_rows: int
    part_bytes: int
    tail_rows: int
    tail_bytes: int
    findings: tuple[str, ...]
    """What was not as it should be, one sentence each."""


class Store:
    """One folder, open in this process."""

    def __init__(
        self, root: Path, settings: DuckdbSink, now_us: Callable[[], int],
        catalog: Catalog, reader: Reader,
    ) -> None:  # fmt: skip
        self._root = root / "parts"
        self.opened_us: Final = now_us()
        """Tells one opening of the store from another."""
        self.places: Final = PlaceKey.of(root)
        """What makes places in the order of arrival, and reads them."""
        self._settings = settings
        self._max_age_us = round(settings.max_age_days * DAY_US)
        self._now_us = now_us
        self._catalog: Final = catalog
        self._reader: Final = reader
        self._reserve = Reserve(root / "reserve")
        self._opened = contextlib.ExitStack()
        self._tail = Tail(settings.part_rows)
        self._recent = Recent()
        self._known = Known(self._stored_ids, _KNOWN_IDS)
        self._parts: dict[str, Part] = {}
        self._listed: tuple[Part, ...] = ()
        self._gaps: tuple[Gap, ...] = ()
        self._cursor = 0
        self._taken = 0
        self._is_closed = False
        self._doubt: Change | None = None
        self._merging: Merge | None = None
        self._retired_at_us = 0
        self._accepted = self._duplicates = self._flushes = self._merges = 0
        self._retired: dict[str, int] = {"age": 0, "bytes": 0, "damaged": 0}
        self._findings: tuple[str, ...] = ()

    @classmethod
    def open(cls, root: Path, settings: DuckdbSink, now_us: Callable[[], int]) -> "Store":
        """Open or make the store in this folder, and mend what a crash left.

        Raises StoreLocked, StoreTooNew or StoreError; EngineError where a later try may succeed.
        """
        with contextlib.ExitStack() as opened, _wrapped(f"{root} cannot be opened"):
            root = fit_path(root)
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            opened.callback(FolderLock.take(root).release)
            recovery.prepare(root)
            catalog, aside = open_or_replace(root / "catalog.duckdb", now_us())
            opened.callback(catalog.close)
            reader = Reader(root, settings.memory_bytes)
            opened.callback(reader.close)
            store = cls(root, settings, now_us, catalog, reader)
            store._recover(aside)
            store._opened = opened.pop_all()
        return store

    def write(self, batch: Batch) -> tuple[int, int]:
        """Take one batch; return how many of its rows are new and how many were there already.

        They can be queried when this returns. Raises EngineError before any row is taken.
        """
        with _wrapped("the store takes nothing"):
            self._mend()
            if self._tail.is_full():
                self._flush()
            fresh = self._known.fresh(batch.rows)
        kept = self._tail.add(
            fresh, now_us=self._now_us(), keep_original=self._settings.keep_original
        )
        self._tail.taken += len(batch.rows)
        if batch.last < self._taken:
            # Another spool, counted anew: what was durable in the old one says nothing here.
            self._cursor = 0
        self._taken = batch.last
        self._gaps += batch.gaps
        if len(kept):
            self._recent = self._recent.joined(kept)
        duplicates = len(batch.rows) - len(fresh)
        self._accepted += len(fresh)
        self._duplicates += duplicates
        self._publish()
        return len(fresh), duplicates

    def cursor(self) -> int:
        """The spool position up to which a crash loses nothing; 0: nowhere."""
        return self._cursor

    def flush(self) -> None:
        """Make durable what was taken. Raises EngineError; everything is kept then."""
        with _wrapped("the store cannot write"):
            self._mend()
            if self._taken != self._cursor or self._tail.rows or self._gaps:
                self._flush()

    def tick(self) -> None:
        """Retire, flush and merge as far as due; a merge takes a twentieth of a second a time."""
        with _wrapped("the store cannot write"):
            self._mend()
            self._retire()
            if self._flush_is_due():
                self._flush()
            self._merge()

    def close(self) -> None:
        """Flush and let go, even when the flush fails; a second time does nothing."""
        if self._is_closed:
            return
        with self._opened, _wrapped("the store cannot write"):
            self._abandon_merge()
            try:
                self.flush()
            finally:
                self._is_closed = True

    def query(
        self,
        sql: str,
        params: Values = (),
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> pa.Table:
        """See `Reader.query`."""
        return self._reader.query(sql, params, start_us, end_us)

    def snapshot(
        self, namespaces: Sequence[str] | None = None
    ) -> contextlib.AbstractContextManager[Snapshot]:
        """See `Reader.snapshot`."""
        return self._reader.snapshot(namespaces)

    def view(self) -> View:
        """What the next question would see."""
        return self._reader.view()

    def newest_us(self, rows: int) -> int | None:
        """A time since which there are at least so many events, or None where there are fewer.

        With it as `start_us` the newest events are found in a part or two instead of all.
        """
        view = self._reader.view()
        pieces = [(part.min_time_us, part.rows) for part in view.parts]
        pieces += [(piece.min_time_us, len(piece.rows)) for piece in view.slices]
        found = 0
        for start_us, count in sorted(pieces, reverse=True):
            found += count
            if found >= rows:
                return start_us
        return None

    def gaps(self, start_us: int, end_us: int) -> list[Gap]:
        """Gaps that touch this span of time (end exclusive)."""
        try:
            stored = self._catalog.gaps(start_us, end_us)
        except duckdb.Error as error:
            raise StoreError(f"the store cannot answer: {first_line(error)}") from error
        fresh = (g for g in self._gaps if g.end_us >= start_us and g.start_us < end_us)
        return list(dict.fromkeys((*stored, *fresh)))

    def status(self) -> Status:
        """A snapshot."""
        view = self._reader.view()
        return Status(
            cursor=self._cursor, accepted=self._accepted, duplicates=self._duplicates,
            flushes=self._flushes, merges=self._merges, retired=dict(self._retired),
            parts=len(view.parts), part_rows=sum(part.rows for part in view.parts),
            part_bytes=sum(part.bytes for part in view.parts), tail_rows=self._tail.rows,
            tail_bytes=self._tail.bytes, findings=self._findings,
        )  # fmt: skip

    def _recover(self, aside: str) -> None:
        listed, cursor = self._catalog.parts(), self._catalog.cursor()
        finding = recovery.examine(self._root, listed, self._catalog.highest())
        gaps, self._findings = recovery.told(finding, aside, self._now_us())
        for file in (*(self._root / part.name for part in finding.lost), *finding.unreadable):
            recovery.set_aside(file)
        change = Change(
            added=finding.adopted, removed=tuple(part.name for part in finding.lost), gaps=gaps
        )
        if change != Change():
            self._catalog.commit(change)
        for file in finding.leftovers:
            file.unlink()
        self._reserve.fill()
        self._retired["damaged"] += sum(part.rows for part in finding.lost)
        self._cursor = self._taken = cursor
        self._parts = {part.name: part for part in self._catalog.parts()}
        self._listed = tuple(self._parts.values())
        self._publish()

    def _publish(self) -> None:
        self._reader.publish(View(self._listed, self._tail.slices, self._recent))

    def _stored_ids(self, buckets: Sequence[int]) -> Iterator[tuple[list[bytes], list[int]]]:
        for part in [part for part in self._listed if any(map(part.covers, buckets))]:
            try:
                yield read_ids(self._root, part, buckets)
            except PartDamaged as error:
                self._drop_damaged(error)

    def _drop_damaged(self, error: PartDamaged) -> None:
        """Go on without a part that cannot be read, and say so."""
        gap = recovery.damage(error.part, str(error))
        recovery.set_aside(self._root / error.part.name)
        self._commit(Change(removed=(error.part.name,), gaps=(gap,)))
        self._retired["damaged"] += error.part.rows
        self._findings += (gap.detail,)

    def _flush_is_due(self) -> bool:
        if self._tail.rows:
            waited = self._now_us() - self._tail.since_us
            return self._tail.is_full() or waited >= self._settings.part_interval_s * 1_000_000
        return self._taken != self._cursor or bool(self._gaps)

    def _flush(self) -> None:
        full = self._tail.is_full()
        added: list[Part] = []
        try:
            days = upkeep.by_day(self._tail.table(), self._now_us(), self._max_age_us)
            for day, rows in days.items():
                # Of a full tail, a day's few rows are still a small part.
                kind: Kind = "full" if full and 2 * len(rows) >= self._tail.rows else "timed"
                part = describe(rows, self._root, day, kind, self._taken)
                added.append(write_part(self._root, part, rows))
        except BaseException:
            self._remove(added)
            raise
        self._commit(Change(added=tuple(added), gaps=self._gaps, cursor=self._taken))
        self._flushes += 1

    def _commit(self, change: Change) -> None:
        try:
            self._catalog.commit(change)
        except duckdb.Error as error:
            self._doubt = change
            self._mend(error)
        else:
            self._apply(change)

    def _mend(self, cause: Exception | None = None) -> None:
        """Find out whether a transaction that ended with an error has happened."""
        if self._is_closed:
            raise EngineError("the store is closed")
        change = self._doubt
        if change is None:
            return
        self._catalog.reopen()
        self._doubt = None
        if self._catalog.holds(change):
            self._apply(change)
            return
        self._remove(change.added)
        raise EngineError("the store's catalogue took no change", hint=_HINT) from cause

    def _apply(self, change: Change) -> None:
        """Follow in memory what the catalogue now says."""
        for part in change.added:
            self._parts[part.name] = part
        for name in change.removed:
            del self._parts[name]
        self._listed = tuple(self._parts.values())
        if change.cursor is not None:
            self._cursor = change.cursor
            self._gaps = ()
            self._tail.clear()
            self._known.settle()
        self._publish()
        self._reader.discard(change.removed)
        if self._merging and any(s.name not in self._parts for s in self._merging.sources):
            self._abandon_merge()

    def _retire(self) -> None:
        now_us = self._now_us()
        if abs(now_us - self._retired_at_us) < _RETIRE_EVERY_US:
            return
        self._retired_at_us = now_us
        self._reserve.fill()
        old = upkeep.too_old(self._listed, now_us, self._max_age_us)
        kept = [part for part in self._listed if part not in old]
        excess = upkeep.too_much(kept, self._settings.max_bytes)
        if not old and not excess:
            return
        names = tuple(part.name for part in (*old, *excess))
        before_us = now_us - self._max_age_us if self._max_age_us else 0
        change = Change(removed=names, forget_gaps_before_us=before_us)
        try:
            self._commit(change)
        except EngineError:
            if not self._reserve.release():
                raise
            self._commit(change)
        self._retired["age"] += sum(part.rows for part in old)
        self._retired["bytes"] += sum(part.rows for part in excess)

    def _merge(self) -> None:
        if self._merging is None:
            parts = upkeep.to_merge(self._listed, self._settings.part_rows, current_layout())
            if not parts:
                return
            self._merging = Merge(self._root, parts)
        merge = self._merging
        try:
            if not merge.step(_MERGE_BUDGET_S):
                return
            merged = merge.finish()
        except PartDamaged as error:
            self._drop_damaged(error)
            return
        except BaseException:
            self._abandon_merge()
            raise
        self._merging = None
        self._commit(Change(added=(merged,), removed=tuple(s.name for s in merge.sources)))
        self._merges += 1

    def _abandon_merge(self) -> None:
        if self._merging:
            self._merging.abandon()
            self._merging = None

    def _remove(self, parts: Iterable[Part]) -> None:
        for part in parts:
            (self._root / part.name).unlink(missing_ok=True)


@contextlib.contextmanager
def _wrapped(what: str) -> Iterator[None]:
    """Foreign errors as ours, with the cause chained."""
    try:
        yield
    except (PermissionError, FileExistsError, NotADirectoryError, Damaged) as error:
        hint = "it must be a folder of this user's, and what lies in it readable"
        raise StoreError(f"{what}: {first_line(error)}", hint=hint) from error
    except (OSError, pa.ArrowException, duckdb.Error) as error:
        raise EngineError(f"{what}: {first_line(error)}", hint=_HINT) from error
