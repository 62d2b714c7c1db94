"""The sink into a file of lines: appended, synced, rotated, compressed.

Invariant: the cursor moves only in a mark beside the file (`file_mark.py`) that is written after
the fsync of the lines it speaks of. What lies behind the marked length was never acknowledged; an
opening cuts it off and the spool gives it again, so no crash loses or doubles a line, rotation or
not. No line is written into a file that no mark names.

Without a store to ask, duplicates are known among the last ids that were taken since `open`.
Must not go here: what a line is (`lines.py`), how one file is written (`file_append.py`).
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import structlog

from armorstack.config import FileSink
from armorstack.core.batch import Batch
from armorstack.errors import EngineError, StoreError
from armorstack.sinks.contract import Outcome
from armorstack.sinks.file_append import AppendFile
from armorstack.sinks.file_compress import Compressor
from armorstack.sinks.file_mark import Mark, PathLock, read_mark, write_mark
from armorstack.sinks.file_recovery import recover
from armorstack.sinks.file_rotated import Rotated
from armorstack.sinks.lines import event_lines, gap_id, gap_lines
from armorstack.sinks.recent import RecentIds
from armorstack.spool.place import sync_folder

MAX_UNSYNCED_BYTES = 8 * 1024 * 1024
"""Held in memory until synced; more is synced at once."""
_HINT = "free space there, or give the sink another path; nothing is lost"
_WRONG_PLACE = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.EEXIST)
"""What waiting does not mend."""

log = structlog.get_logger()


def _wall_clock_us() -> int:
    return time.time_ns() // 1000


class LineFileSink:
    """A `Sink` over one path. One thread uses it; any may ask `removed`."""

    def __init__(
        self, name: str, settings: FileSink, data_dir: Path,
        now_us: Callable[[], int] = _wall_clock_us,
    ) -> None:  # fmt: skip
        self.name = name
        self.required = settings.required
        self.path = Path(settings.path)
        self._settings = settings
        self._now_us = now_us
        self._opened = contextlib.ExitStack()
        self._open_file: AppendFile | None = None
        self._rotated = Rotated(self.path)
        self._compressor = Compressor(self._rotated)
        self._recent = RecentIds()
        self._taken = self._durable = 0
        self._began_us = 0
        self._kept: dict[str, int] = {}
        self._removed = 0
        self._is_marked = True
        self._must_sync = False
        self._synced_at = float("-inf")

    def open(self) -> int | None:
        """Open or make the file, and mend what a crash left; returns the durable cursor.

        Raises StoreLocked, StoreTooNew or StoreError; EngineError where a later try may succeed.
        """
        with contextlib.ExitStack() as opened, self._wrapped("cannot be opened"):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            opened.callback(PathLock.take(self.path).release)
            self._rotated.tidy()
            found = recover(self.path, read_mark(self.path) or Mark(), self._rotated)
            self._open_file = found.file
            opened.callback(self._let_go)
            self._begin(found.mark)
            self._write_mark(found.mark.cursor)
            self._prune()
            self._opened = opened.pop_all()
        self._look_for_work()
        return self._durable

    def write(self, batch: Batch) -> Outcome:
        """Take one batch; raises EngineError before any of it is taken."""
        ids = batch.rows.column("id").to_pylist()
        gap_ids = [gap_id(gap) for gap in batch.gaps]
        fresh, fresh_gaps = self._recent.unseen(ids), self._recent.unseen(gap_ids)
        form = self._settings.form
        lines = gap_lines((batch.gaps[index] for index in fresh_gaps), form)
        lines += event_lines(batch.rows.take(pa.array(fresh, pa.int64())), form)
        with self._wrapped("cannot be written"):
            self._append(b"".join(lines), len(fresh))
        self._recent.add(ids)
        self._recent.add(gap_ids)
        if batch.last < self._taken:
            # Another spool, counted anew: what was durable in the old one says nothing here.
            self._durable = 0
        self._taken = batch.last
        self._sync_after_write()
        return Outcome(accepted=len(fresh), duplicates=len(ids) - len(fresh))

    def cursor(self) -> int | None:
        """The spool position up to which a crash loses nothing; 0: nowhere."""
        return self._durable

    def tick(self) -> None:
        """Sync, rotate, remove and compress as far as due; raises EngineError."""
        with self._wrapped("cannot be written"):
            self._ready()
            if self._sync_is_due() or not self._file.is_in_place():
                self._sync()
            self._rotate_if_due(0)
        self._look_for_work()

    def flush(self) -> None:
        """Make durable what was taken; raises EngineError, everything is kept then."""
        with self._wrapped("cannot be written"):
            self._ready()
            if self._is_behind():
                self._sync()

    def removed(self) -> dict[str, int]:
        """Events that rotation removed since `open`."""
        return {"rotation": self._removed}

    def close(self) -> None:
        """Flush and let go, even when the flush fails; a second time does nothing."""
        if self._open_file is None:
            return
        with self._opened:
            self._compressor.stop()
            self.flush()

    @property
    def _file(self) -> AppendFile:
        if self._open_file is None:
            raise EngineError(f"sink {self.name} is not open")
        return self._open_file

    def _begin(self, mark: Mark) -> None:
        """Nothing of an earlier opening counts: what was not synced then is written again."""
        there = self._rotated.names()
        self._began_us = mark.began_us
        self._taken = self._durable = mark.cursor
        self._kept = {name: count for name, count in mark.rotated.items() if name in there}
        self._recent = RecentIds()
        self._compressor = Compressor(self._rotated)
        self._is_marked, self._must_sync = True, False

    def _let_go(self) -> None:
        self._file.close()
        self._open_file = None

    def _append(self, data: bytes, events: int) -> None:
        self._ready()
        if not data:
            return
        self._rotate_if_due(len(data))
        self._file.append(data, events)
        self._began_us = self._began_us or self._now_us()

    def _ready(self) -> None:
        """Do what an error left undone."""
        if not self._is_marked:
            self._write_mark(self._durable)
        if self._must_sync:
            self._sync()

    def _is_behind(self) -> bool:
        return self._taken != self._durable or self._file.unsynced_bytes > 0

    def _sync_is_due(self) -> bool:
        waited_s = time.monotonic() - self._synced_at
        return self._is_behind() and waited_s >= self._settings.sync_interval_s

    def _sync_after_write(self) -> None:
        """The batch is taken, so an error is the next call's, which syncs before all else."""
        if self._sync_is_due() or self._file.unsynced_bytes > MAX_UNSYNCED_BYTES:
            try:
                self._sync()
            except (OSError, StoreError) as error:
                log.warning("the file cannot be synced", sink=self.name, reason=str(error))

    def _sync(self) -> None:
        """Move the cursor to all that was taken."""
        self._must_sync = True
        if not self._file.is_in_place():
            self._follow_path()
        self._file.sync()
        self._write_mark(self._taken)
        self._must_sync = False
        self._synced_at = time.monotonic()

    def _follow_path(self) -> None:
        """Someone moved or removed the file: go on in a new one."""
        old = self._file
        is_lost = old.is_removed()
        if not is_lost:
            old.sync()
        log.warning("the file was removed" if is_lost else "the file was moved",
                    sink=self.name, file=str(self.path))  # fmt: skip
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = AppendFile.open_behind(self.path)
        if is_lost:
            file.inherit(old)
        self._go_on_in(file)
        self._write_mark(self._durable)

    def _go_on_in(self, file: AppendFile) -> None:
        self._file.close()
        self._open_file = file
        self._is_marked = False
        self._began_us = self._now_us() if file.unsynced_bytes else 0

    def _write_mark(self, cursor: int) -> None:
        """Write what is durable; the cursor moves with it."""
        file = self._file
        mark = Mark(
            cursor=cursor, inode=file.inode, length=file.synced,
            tail_crc32=file.tail_crc32(file.synced), events=file.synced_events,
            began_us=self._began_us, rotated=self._kept,
        )  # fmt: skip
        write_mark(self.path, mark)
        self._is_marked = True
        self._durable = cursor

    def _is_full(self, more_bytes: int) -> bool:
        """Whether it is to be rotated before so many bytes are added; never while it is empty."""
        if not self._file.size:
            return False
        if self._file.size + more_bytes > self._settings.rotate_bytes:
            return True
        now_us = self._now_us()
        # A clock that was set back must not make the file last longer.
        self._began_us = min(self._began_us or now_us, now_us)
        age_us = now_us - self._began_us
        return age_us >= self._settings.rotate_interval_s * 1_000_000

    def _rotate_if_due(self, more_bytes: int) -> None:
        if self._is_full(more_bytes):
            self._sync()
        # The path may lead to another file by now.
        if self._is_full(more_bytes):
            self._rotate()

    def _rotate(self) -> None:
        """Everything is synced. A crash between two of these steps is mended by `recover`."""
        name = self._rotated.next_name(self._now_us())
        os.rename(self.path, self.path.with_name(name))
        if self._settings.keep:
            self._kept[name] = self._file.events
        self._go_on_in(AppendFile.open(self.path, self._file.mode))
        sync_folder(self.path.parent)
        self._write_mark(self._durable)
        self._prune()
        self._look_for_work(soon=True)

    def _prune(self) -> None:
        try:
            for events in self._rotated.prune(self._settings.keep, self._kept):
                self._removed += events
        except OSError as error:
            log.warning("a rotated file cannot be removed", sink=self.name, reason=str(error))

    def _look_for_work(self, *, soon: bool = False) -> None:
        if self._settings.compress:
            with contextlib.suppress(OSError):
                self._compressor.look(soon=soon)

    @contextlib.contextmanager
    def _wrapped(self, what: str) -> Iterator[None]:
        """Foreign errors as ours, with the cause chained."""
        try:
            yield
        except OSError as error:
            told = f"{self.path} {what}: {error.strerror}"
            if error.errno in _WRONG_PLACE:
                hint = "it must be a regular file of this user's, in a folder of this user's"
                raise StoreError(told, hint=hint) from error
            raise EngineError(told, hint=_HINT) from error
