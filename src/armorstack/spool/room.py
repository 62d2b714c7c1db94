"""Room in the spool: what is deleted, when, and what is told of it.

Every second: read the sinks' cursors, look after the reserve and the file's size, heed a reader
that met damage, tell the gaps that are owed. In between, one bounded step of deleting per cycle.

Rows go in this order: what all sinks have, at any time; where room is needed what only optional
sinks still want, no more of it than must be; then, by `drop_oldest`, what a required sink wants.

Invariant: what a required sink has not stored is deleted only by `drop_oldest`, and then noted in
the same transaction. What the sinks have stored always goes first, so that it is never counted as
lost; what an optional sink misses its own loop counts. Waiting must not go here.
"""

import math
import time
from collections.abc import Callable

from armorstack import config
from armorstack.errors import SpoolFull
from armorstack.spool.cursors import CursorReader, trim_point, yield_point
from armorstack.spool.file import TRIM_ROWS
from armorstack.spool.owed import OVERFLOW, Owed
from armorstack.spool.rows import Row, row_of
from armorstack.spool.store import Spool

GapFrame = Callable[[str, str, str, int, int, int | None], bytes]
"""`(reason, source, stream, start_us, end_us, lost) -> frame`: the spool knows no events, so it is
told how a gap is written."""

TICK_S = 1.0
QUIET_S = 5.0
"""An overflow has ended, and is told, when nothing was dropped for so long."""
SPARE_BYTES = 4 * 1024 * 1024
"""Room beyond the reserve and the batch that ends a full disk: for the log and shared memory."""
DROP_BYTES = 8 * 1024 * 1024
"""What is dropped at a time where the disk is full."""


class Room:
    """Makes room in one spool; used by the writer thread alone."""

    def __init__(self, spool: Spool, settings: config.Spool, gap_frame: GapFrame) -> None:
        self.trimmed_rows = 0
        self.disk_bytes = 0
        self.checkpoints = 0
        self.checkpoint_max_s = 0.0
        self.disk_full = "" if spool.reserve.held else "the disk has no room for the reserve"
        """What the disk said when it was full; empty: it is not."""
        self._spool = spool
        self._settings = settings
        self._gap_frame = gap_frame
        self._cursors = CursorReader(spool.folder)
        self._trim_to = self._yield_to = 0
        self._shrinks = False
        self._spare_bytes = min(SPARE_BYTES, settings.reserve_bytes)
        self._next_tick = 0.0
        self._dropped_at = float("-inf")

    def by_limit(self, size: int) -> int | None:
        """Bytes to drop so that a batch of this size fits `max_bytes`; None: it has to wait."""
        if self._excess(size) <= 0:
            return 0
        self._trim_all()
        while (excess := self._excess(size)) > 0 and self._yield(excess):
            continue
        if excess <= 0 or not self._spool.waiting().rows:
            return 0
        return excess if self._settings.when_full == "drop_oldest" else None

    def on_disk(self, size: int) -> bool:
        """Whether a batch of this size may be tried, after a full disk."""
        if not self.disk_full:
            return True
        try:
            found = self._make_room(size)
            if not found and self._settings.when_full == "drop_oldest":
                self._spool.append((), {}, drop_bytes=max(size, DROP_BYTES))
                self.was_dropped()
        except SpoolFull as error:
            self.disk_full = str(error)
            return False
        if found:
            self.disk_full = ""
        return found

    def was_dropped(self) -> None:
        """Rows were dropped just now."""
        self._dropped_at = time.monotonic()

    def upkeep(self) -> None:
        """One cycle's share of the work told at the top."""
        self._unless_full(self._step)
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + TICK_S
            # Also after a step that found the disk full: only this releases the reserve.
            self._unless_full(self._tick)

    def close(self) -> None:
        """Let go of the cursors."""
        self._cursors.close()

    def _unless_full(self, action: Callable[[], None]) -> None:
        try:
            action()
        except SpoolFull as error:
            self.disk_full = str(error)

    def _step(self) -> None:
        self._checkpoint()
        self.trimmed_rows += self._spool.trim_step(self._trim_to)
        self._shrinks = self._shrinks and self._spool.shrink_step() > 0

    def _tick(self) -> None:
        self._read_cursors()
        self._spool.check_suspect()
        if not self.disk_full and self._spool.free_bytes() < self._spare_bytes // 2:
            # Before an append fails: the worker needs room to tell how far it is.
            self.disk_full = "the disk is full"
        if self.disk_full:
            self.on_disk(0)
        else:
            self._spool.reserve.make(self._spare_bytes)
            self._shrinks = True
            self._tell()
        self.disk_bytes = self._spool.disk_bytes()

    def _tell(self) -> None:
        """Write the gaps that have ended, and strike them out, in one transaction."""
        told = [loss for loss in self._spool.owed() if self._has_ended(loss)]
        if told:
            self._spool.append([self._gap(loss) for loss in told], {}, settled=told)

    def _has_ended(self, loss: Owed) -> bool:
        return loss.reason != OVERFLOW or time.monotonic() - self._dropped_at > QUIET_S

    def _gap(self, loss: Owed) -> Row:
        source = loss.source or "spool"
        frame = self._gap_frame(
            loss.reason, source, loss.stream, loss.start_us, loss.end_us, loss.lost
        )
        now_us = time.time_ns() // 1000
        return row_of([frame], source=source, stream="gap", encoding="json", received_us=now_us)

    def _checkpoint(self) -> None:
        start = time.monotonic()
        if self._spool.checkpoint_if_due():
            self.checkpoints += 1
            self.checkpoint_max_s = max(self.checkpoint_max_s, time.monotonic() - start)

    def _trim_all(self) -> None:
        self._read_cursors()
        self.trimmed_rows += self._spool.trim(self._trim_to)

    def _make_room(self, size: int) -> bool:
        """Whether the disk has room for so many bytes once what may go is gone."""
        self._read_cursors()
        rows = self._spool.waiting().rows
        found = self._spool.make_room(self._trim_to, size + self._spare_bytes)
        self.trimmed_rows += rows - self._spool.waiting().rows
        while not found and self._yield(max(size, DROP_BYTES)):
            found = self._spool.make_room(self._trim_to, size + self._spare_bytes)
        return found

    def _yield(self, at_least_bytes: int) -> int:
        """Free rows that only optional sinks want, about so many bytes; returns how many rows."""
        waiting = self._spool.waiting()
        if not waiting.rows:
            return 0
        rows = math.ceil(at_least_bytes * waiting.rows / max(1, waiting.bytes))
        freed = self._spool.trim_step(self._yield_to, min(rows, TRIM_ROWS))
        self.trimmed_rows += freed
        return freed

    def _read_cursors(self) -> None:
        cursors = self._cursors.read()
        self._trim_to, self._yield_to = trim_point(cursors), yield_point(cursors)

    def _excess(self, size: int) -> int:
        return self._spool.waiting().bytes + size - self._settings.max_bytes
