"""The receiver process: runs the sources into the spool and reports on them.

Invariant: it loads neither Arrow nor DuckDB nor the web; what was put into the intake is durable
before the process ends of its own accord. A source that breaks down is started again after a
while (`source_threads.py`); a fault of our own ends the process loudly. Reading of sources must
not go here.
"""

import contextlib
import os
import time
from pathlib import Path
from queue import Empty
from typing import cast

from armorstack import log
from armorstack.config import Config, RelaySource, StdinSource, own_sources, source_name
from armorstack.control import Orders, fingerprint
from armorstack.core.gap import Gap, Reason, encode_gap
from armorstack.errors import SpoolError
from armorstack.open_gaps import FullSpool
from armorstack.source_threads import Make, SourceThreads
from armorstack.spool.intake import Intake
from armorstack.spool.reader import Reader
from armorstack.spool.store import Spool
from armorstack.state import (
    Phase,
    ReceiverState,
    SpoolState,
    read_state,
    receiver_path,
    resident_bytes,
    write_state,
)

REPORT_S = 1.0
SOURCES_STOP_S = 3.0
CLOSE_S = 5.0


class Receiver:
    """Everything of the receiver process but the reading itself."""

    def __init__(self, config: Config, make: Make, orders: Orders) -> None:
        """`make` makes the source that settings describe."""
        self._config, self._make, self._orders = config, make, orders
        self._settings = fingerprint(config)
        self._path = receiver_path(config.data_dir)
        self._started_us = _now_us()
        self._last_us = self._dropped_before = 0
        self._sources: SourceThreads | None = None
        self._full = FullSpool()

    def run(self) -> None:
        """Receive until stopped or until every source is finished; raises what went wrong."""
        folder = Path(self._config.data_dir) / "spool"
        before = read_state(self._path, ReceiverState)
        self._last_us = max(before.last_commit_us if before else 0, _newest_us(folder))
        spool = Spool.open(folder, self._config.spool, self._started_us)
        self._intake = Intake(spool, self._config.spool, gap_frame=gap_frame)
        self._intake.start()
        self._tell_own_gap("stop" if before and before.phase == "stopped" else "crash")
        self._dropped_before = self._intake.stats().dropped_frames
        try:
            wanted = (*self._config.source, *own_sources(self._config))
            self._sources = SourceThreads(wanted, self._make, self._intake)
            self._watch(self._sources)
        finally:
            self._report("stopping")
            self._end()
            self._report("stopping")
        # Only now: what is not called stopped has crashed.
        self._report("stopped")

    def _watch(self, sources: SourceThreads) -> None:
        """Report until there is nothing left to do; raises what ended a thread."""
        next_report = 0.0
        while not self._orders.stop.wait(0.05):
            if time.monotonic() >= next_report:
                self._report("running")
                next_report = time.monotonic() + REPORT_S
            for error in (self._intake.failed(), *sources.errors()):
                if error is not None:
                    raise error
            self._change(sources)
            sources.step()
            if sources.are_finished():
                return

    def _change(self, sources: SourceThreads) -> None:
        """Go over to the newest settings, if there are any."""
        with contextlib.suppress(Empty):
            while True:
                new = self._orders.changes.get_nowait()
                if new.log != self._config.log:
                    log.configure("receiver", new.log)
                self._config, self._settings = new, fingerprint(new)
                sources.change((*new.source, *own_sources(new)))

    def _end(self) -> None:
        """Stop the sources, then make durable what they put."""
        self._orders.stop.set()
        if self._sources is not None:
            self._sources.end(SOURCES_STOP_S)
        self._intake.close(CLOSE_S)

    def _tell_own_gap(self, reason: Reason) -> None:
        """From our last commit until now nobody listened to the relays. A file keeps its lines,
        and what stdin had given us but not the spool is lost only in a crash."""
        if not 0 < self._last_us < self._started_us:
            return
        for source in self._config.source:
            lost_stdin = reason == "crash" and isinstance(source, StdinSource)
            if isinstance(source, RelaySource) or lost_stdin:
                name = source_name(source)
                gap = Gap(reason, name, self._last_us, self._started_us)
                self._intake.gap(encode_gap(gap), name)

    def _report(self, phase: Phase) -> None:
        stats = self._intake.stats()
        state = ReceiverState(
            pid=os.getpid(), started_us=self._started_us, updated_us=_now_us(), phase=phase,
            resident_bytes=resident_bytes(), settings=self._settings,
            sources=self._sources.states() if self._sources is not None else (),
            received=sum(item.frames for item in stats.durable if item.stream != "gap"),
            received_bytes=sum(item.bytes for item in stats.durable if item.stream != "gap"),
            commits=stats.commits, commit_s=stats.commit_s, blocked_s=stats.blocked_s,
            dropped={"spool_full": stats.dropped_frames - self._dropped_before},
            spool=SpoolState(
                bytes=stats.waiting_bytes, rows=stats.waiting_rows,
                max_bytes=self._config.spool.max_bytes, oldest_us=stats.oldest_us,
                disk_bytes=stats.disk_bytes, full=stats.full,
                recoveries=stats.recoveries, recovered=stats.recovered,
            ),
            last_commit_us=stats.last_commit_us or self._last_us,
        )  # fmt: skip
        write_state(self._path, state)
        for gap in self._full.ended(state):
            if phase == "running":
                self._intake.gap(encode_gap(gap), gap.source)


def gap_frame(
    reason: str, source: str, stream: str, start_us: int, end_us: int, lost: int | None
) -> bytes:
    """How a gap that the spool tells is written."""
    known = cast(Reason, reason)
    return encode_gap(Gap(known, source, start_us, end_us, stream=stream, lost=lost))


def _newest_us(folder: Path) -> int:
    """When the newest row that waits was received; 0: none waits, or it cannot be told."""
    with contextlib.closing(Reader.open(folder)) as reader:
        try:
            return reader.status().newest_us
        except SpoolError:
            # Opening it for writing mends it or says what is wrong.
            return 0


def _now_us() -> int:
    return time.time_ns() // 1000
