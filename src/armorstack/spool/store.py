"""The writing side of the spool: format, promises and recovery.

**Format.** `spool.db` is an SQLite database in WAL mode (https://www.sqlite.org/wal.html), tables
in `schema.py`, with `PRAGMA user_version` as schema version. A row is a batch of raw frames of one
source and stream; its `seq` is its position. `append` writes all its rows, and the positions of
the sources they came from, in one transaction, and returns when SQLite has called fdatasync on
the log after the commit record (`synchronous=FULL`). That is what "received" means.

**Positions** only grow. Each opening begins at the largest of: the time in microseconds, one more
than any row, any deleted row and any sink's cursor. So a position is never used twice, even where
the end of the log was lost, and a sink's cursor never covers a row that came later. Hence `seq`
jumps; only `trimmed` tells whether something was deleted in between.

**The log** is checkpointed by us, as a whole, never by SQLite in the middle of a commit; and then
begun anew with a small write, so that no frame that counts in the log is in the main file already.
A log that is cut or garbled therefore loses what came after the cut and nothing else: SQLite stops
at the first frame whose running checksum is wrong. (A reader that holds one snapshot for longer
than `CHECKPOINT_WAIT_S` delays this; a log cut just then may damage rows, which their checksums
tell.) The log file keeps its size, since overwriting costs less than growing.

**Deleting** happens at the front only, in bounded steps. Pages are reused; what is free beyond
`SLACK_BYTES` and beyond what waits goes back to the file system (incremental vacuum).

**Damage** to the main file is noticed at opening (shape, first and last row, SQLite's own check
for files up to `QUICK_CHECK_BYTES`), or later by an append, a trim or a reader, who leaves
`spool.suspect`. Then `salvage.py` takes over what can be read and a new file takes the place of
the damaged one, which is renamed; the loss is owed as a gap. A reader sees a new inode.

**A full disk** makes `append` raise SpoolFull, having done nothing. `make_room` then releases the
reserve so that deletes have room, and the log room in the main file; appends go on only once the
reserve is allocated again, so they never eat it.

Invariant: one process writes (`spool.lock`), and one thread of it. What a frame means, when to
flush, and waiting of any kind must not go here.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from armorstack import config
from armorstack.errors import SpoolDamaged, SpoolError, SpoolFull
from armorstack.spool.cursors import binding, highest, read_cursors, trim_point
from armorstack.spool.file import TRIM_ROWS, SpoolFile
from armorstack.spool.lock import WriterLock
from armorstack.spool.mark import Waiting, waiting_between
from armorstack.spool.owed import Owed
from armorstack.spool.place import SPOOL_FILE, SUSPECT_FILE, prepare_folder, sync_folder
from armorstack.spool.reserve import Reserve, free_bytes
from armorstack.spool.rows import Row
from armorstack.spool.salvage import Plan, Recovery, finish_recovery, recover

MIB = 1024 * 1024
LOG_BYTES = 16 * MIB
"""Size of the log that makes a checkpoint due, or half the reserve: that must take the log, or a
full disk could not be cleared."""
SLACK_BYTES = 64 * MIB
"""Free space kept inside the file: what a sink that stores in large parts frees at a time."""
CHECKPOINT_WAIT_S = 0.2


class Spool:
    """The one writer of a spool."""

    def __init__(self, folder: Path, settings: config.Spool, lock: WriterLock) -> None:
        self.folder = folder
        self.reserve = Reserve(folder, settings.reserve_bytes)
        self.recovery: Recovery | None = None
        """What was done with a damaged file, the last time there was one."""
        self.recoveries = 0
        self.dropped_frames = 0
        """Frames deleted unread, before this opening as well; it never falls."""
        self._lock = lock
        self._log_bytes = min(LOG_BYTES, settings.reserve_bytes // 2 or LOG_BYTES)

    @classmethod
    def open(cls, folder: Path, settings: config.Spool, now_us: int) -> "Spool":
        """Open or begin the spool in this folder. Raises SpoolLocked, SpoolTooNew,
        SpoolOnNetwork, SpoolFull; a damaged one is replaced, see `recovered`."""
        prepare_folder(folder)
        lock = WriterLock.take(folder)
        try:
            spool = cls(folder, settings, lock)
            spool._open(now_us)
        except BaseException:
            lock.release()
            raise
        return spool

    @property
    def recovered(self) -> Path | None:
        """Where a damaged file was moved to, the last time there was one."""
        return self.recovery.path if self.recovery else None

    @property
    def last(self) -> int:
        """The newest position, deleted or not; 0 where there never was one."""
        return self._file.last.seq

    def append(
        self,
        rows: Sequence[Row],
        positions: Mapping[str, bytes],
        *,
        drop_bytes: int = 0,
        settled: Sequence[Owed] = (),
    ) -> int:
        """Store the rows; returns the last one's position once they are on disk.

        In the same transaction delete the oldest rows of `drop_bytes`, noting what is lost, and
        strike out what these rows tell of earlier losses. Raises SpoolFull, with nothing done.
        """
        try:
            self._append(rows, positions, drop_bytes, settled)
        except SpoolDamaged:
            self.replace()
            # What was to be dropped went with the damaged file.
            self._append(rows, positions, 0, settled)
        return self.last

    def trim(self, cursor: int) -> int:
        """Free all rows up to and including the cursor; returns how many."""
        rows = 0
        while step := self.trim_step(cursor):
            rows += step
        return rows

    def trim_step(self, cursor: int, most_rows: int = TRIM_ROWS) -> int:
        """Free the oldest rows up to the cursor, a bounded number; returns how many."""
        try:
            return self._file.trim_step(cursor, most_rows)
        except SpoolDamaged:
            self.replace()
            return self._file.trim_step(cursor, most_rows)

    def position(self, key: str) -> bytes | None:
        """The position stored last under this key."""
        return self._file.position(key)

    def positions(self) -> dict[str, bytes]:
        """All positions."""
        return self._file.positions()

    def owed(self) -> list[Owed]:
        """Gaps that still have to be told."""
        return self._file.owed()

    def waiting(self) -> Waiting:
        """What lies in the spool; any thread may call."""
        return waiting_between(self._file.first, self._file.last)

    def disk_bytes(self) -> int:
        """Size of the file and its log."""
        return self._file.file_bytes() + self._file.log_bytes()

    def free_bytes(self) -> int:
        """Space left on the disk."""
        return free_bytes(self.folder)

    def checkpoint_if_due(self, at_bytes: int | None = None) -> bool:
        """Checkpoint when so much (by default what the reserve can take) was written to the log;
        whether it was done."""
        if self._file.logged_bytes < (self._log_bytes if at_bytes is None else at_bytes):
            return False
        return self._file.checkpoint(CHECKPOINT_WAIT_S)

    def shrink_step(self) -> int:
        """Give a bounded number of pages back to the file system, beyond what is worth keeping;
        returns how many."""
        return self._file.shrink_step(max(SLACK_BYTES, self.waiting().bytes))

    def make_room(self, cursor: int, spare_bytes: int) -> bool:
        """On a full disk: free what the sinks have and give it back to the file system. True once
        the reserve is whole again and `spare_bytes` are free besides."""
        self.reserve.release()
        self.trim(cursor)
        self._truncate_log()
        # Moving pages to the front goes through the log as well: a little at a time.
        while self._file.shrink_step(0, most_bytes=free_bytes(self.folder) // 4):
            self._truncate_log()
        return self.reserve.make(spare_bytes)

    def replace(self) -> None:
        """Take over what can be read of the damaged file in use and begin a new one."""
        old, floor = self._file, self._next
        since_us = old.first.received_us if old.first else old.last.received_us
        self._recover(since_us or _now_us(), _now_us())
        # Only now that the names belong to the new file: closing may delete a log by its name.
        with contextlib.suppress(SpoolError):
            old.close()
        self._begin(floor)

    def check_suspect(self) -> bool:
        """Heed a reader that met damage: where SQLite's own check finds it too, begin anew."""
        suspect = self.folder / SUSPECT_FILE
        if not suspect.exists():
            return False
        try:
            self._file.quick_check()
        except SpoolDamaged:
            self.replace()
            return True
        suspect.unlink(missing_ok=True)
        return False

    def close(self) -> None:
        """Checkpoint, and let the next writer in."""
        try:
            with contextlib.suppress(SpoolError):
                self._truncate_log()
                self._file.keep_log = not self._log_fits()
            self._file.close()
        finally:
            self._lock.release()

    def _open(self, now_us: int) -> None:
        finish_recovery(self.folder, now_us)
        self.reserve.make()
        try:
            self._begin(now_us)
        except SpoolDamaged:
            self._recover(self._consumed_us() or now_us, now_us)
            self._begin(now_us)
        except SpoolFull:
            self.reserve.release()
            self._begin(now_us)
        self.dropped_frames = self._file.fact("dropped")
        self.check_suspect()
        sync_folder(self.folder)

    def _truncate_log(self) -> None:
        """Checkpoint, unless that would run out of space half way: what it copied until then would
        fill the last space, and deletes could never go on."""
        if self._log_fits():
            self._file.checkpoint(CHECKPOINT_WAIT_S, truncate=True)

    def _log_fits(self) -> bool:
        return self._file.growth_bytes() <= free_bytes(self.folder)

    def _begin(self, floor: int) -> None:
        self._file = SpoolFile.open(self.folder / SPOOL_FILE)
        seen = highest(read_cursors(self.folder).values())
        self._next = max(floor, self.last + 1, seen + 1)

    def _recover(self, since_us: int, now_us: int) -> None:
        cursors = read_cursors(self.folder)
        plan = Plan(now_us, min(since_us, now_us), trim_point(cursors))
        self.recovery = recover(self.folder, plan)
        self.recoveries += 1

    def _consumed_us(self) -> int:
        """When a sink that counts moved last: what was lost may have been received from then on."""
        cursors = binding(read_cursors(self.folder))
        return min((cursor.updated_us for cursor in cursors), default=0)

    def _append(
        self,
        rows: Sequence[Row],
        positions: Mapping[str, bytes],
        drop_bytes: int,
        settled: Sequence[Owed],
    ) -> None:
        numbered = list(enumerate(rows, self._next))
        dropped = self._file.append(numbered, positions, drop_bytes, settled)
        self.dropped_frames += dropped.frames
        self._next += len(rows)


def _now_us() -> int:
    return time.time_ns() // 1000
