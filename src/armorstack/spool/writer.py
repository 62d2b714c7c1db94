"""The writer thread: group commits.

One cycle: wait for `flush_interval_s` or until a lane presses, take what the lanes hold, append
it, tell the lanes, make room (`room.py`). Where nothing can be appended the batch at hand stays in
memory, and the lanes fill up behind it until they make their sources wait.

Invariant: this thread alone uses the `Spool`; a batch is credited once, after its append returned.
Anything that is not expected ends the thread, and every lane then raises.
"""

import time

from armorstack import config
from armorstack.errors import SpoolError, SpoolFull
from armorstack.spool.batch import Batch, gather
from armorstack.spool.counters import Durable
from armorstack.spool.lane import Gate
from armorstack.spool.room import Room
from armorstack.spool.store import Spool

BACKOFF_S = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Waits between attempts to append; the last one repeats."""


class Writer:
    """The loop and its counters; `run` is the thread."""

    def __init__(self, spool: Spool, settings: config.Spool, gate: Gate, room: Room) -> None:
        self.positions = spool.positions()
        """The durable ones."""
        self.durable: dict[tuple[str, str], Durable] = {}
        self.commits = 0
        self.commit_s = self.commit_last_s = self.commit_max_s = 0.0
        self.last_commit_us = 0
        self.full = ""
        """Why the batch at hand cannot be appended; empty: it can."""
        self._spool = spool
        self._settings = settings
        self._gate = gate
        self._room = room

    def run(self) -> None:
        """Work until the gate closes; then commit what is left and close the spool."""
        failure: BaseException | None = None
        try:
            while not self._gate.closing.is_set():
                self._gate.wake.wait(self._settings.flush_interval_s)
                self._commit()
                self._room.upkeep()
            while self._commit():
                continue
        except Exception as error:
            failure = error
        finally:
            self._end(failure)

    def _end(self, failure: BaseException | None) -> None:
        try:
            self._room.close()
            self._spool.close()
        except Exception as error:
            failure = failure or error
        finally:
            self._gate.end(failure)

    def _commit(self) -> bool:
        """Take and store what the lanes hold; whether there was anything."""
        self._gate.wake.clear()
        batch = gather(self._gate.lanes, self._settings.flush_bytes, time.time_ns() // 1000)
        if not batch:
            return False
        self._store(batch)
        if batch.more:
            self._gate.wake.set()
        return True

    def _store(self, batch: Batch) -> None:
        """Append the batch, however long it takes until there is room; only closing ends that."""
        attempt = 0
        while not self._try_store(batch):
            if self._gate.closing.is_set():
                raise SpoolError(f"frames were left in memory, not acknowledged: {self.full}")
            self._gate.closing.wait(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
            # Also now: a reader that met damage waits for us, and sinks may have caught up.
            self._room.upkeep()
            attempt += 1
        self.full = ""

    def _try_store(self, batch: Batch) -> bool:
        if not self._room.on_disk(batch.bytes):
            self.full = self._room.disk_full
            return False
        drop_bytes = self._room.by_limit(batch.bytes)
        if drop_bytes is None:
            self.full = f"the spool holds its {self._settings.max_bytes} bytes, sinks are behind"
            return False
        start = time.monotonic()
        try:
            self._spool.append(batch.rows, batch.positions, drop_bytes=drop_bytes)
        except SpoolFull as error:
            self.full = self._room.disk_full = str(error)
            return False
        if drop_bytes:
            self._room.was_dropped()
        self._credit(batch, time.monotonic() - start)
        return True

    def _credit(self, batch: Batch, took_s: float) -> None:
        self.commits += 1
        self.commit_s += took_s
        self.commit_last_s = took_s
        self.commit_max_s = max(self.commit_max_s, took_s)
        self.last_commit_us = time.time_ns() // 1000
        for row in batch.rows:
            key = (row.source, row.stream)
            known = self.durable.get(key) or Durable(*key)
            self.durable[key] = Durable(
                *key, known.frames + row.count, known.bytes + len(row.payload), self.last_commit_us
            )
        self.positions.update(batch.positions)
        batch.settle()
        self._gate.announce()
