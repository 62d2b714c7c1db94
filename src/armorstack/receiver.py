"""The receiver process: runs the sources into the spool and reports on them.

Invariant: it loads neither Arrow nor DuckDB nor the web; what was put into the intake is durable
before the process ends of its own accord. A source that breaks down is started again after a
while; a fault of our own ends the process loudly. Reading of sources must not go here.
"""

import contextlib
import os
import random
import threading
import time
from pathlib import Path
from typing import cast

import structlog
from msgspec.structs import replace

from armorstack.config import Config, RelaySource, StdinSource, source_name
from armorstack.control import Orders
from armorstack.core.backoff import delay_s
from armorstack.core.gap import Gap, Reason, encode_gap
from armorstack.errors import SourceError, SpoolError
from armorstack.sources.contract import Source
from armorstack.spool.intake import Intake
from armorstack.spool.reader import Reader
from armorstack.spool.store import Spool
from armorstack.state import (
    Phase,
    ReceiverState,
    SourceState,
    SpoolState,
    read_state,
    receiver_path,
    resident_bytes,
    write_state,
)

REPORT_S = 1.0
SOURCES_STOP_S = 3.0
CLOSE_S = 5.0
RETRY_INITIAL_S = 1.0
RETRY_LONGEST_S = 60.0

log = structlog.get_logger()


class SourceThread:
    """A source in a thread of its own."""

    def __init__(self, source: Source, intake: Intake, stop: threading.Event) -> None:
        self.error: BaseException | None = None
        self._source, self._intake, self._stop = source, intake, stop
        self._broken: SourceError | None = None
        self._thread = threading.Thread(target=self._run, name=source.name, daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the source still reads or will read again."""
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    def state(self) -> SourceState:
        """The source's state; while it waits to be started again, with the reason."""
        state, broken = self._source.state(), self._broken
        if broken is None or state.connected:
            return state
        return replace(state, connected=False, error=str(broken), hint=broken.hint)

    def _run(self) -> None:
        failures = 0
        try:
            while not self._stop.is_set():
                try:
                    self._source.run(self._intake, self._stop)
                    return
                except SourceError as error:
                    failures += 1
                    self._broken = error
                    log.error("source broke down", source=self._source.name, reason=str(error))
                wait_s = delay_s(failures, RETRY_INITIAL_S, RETRY_LONGEST_S, random.random())
                self._stop.wait(wait_s)
        except BaseException as error:
            self.error = error


class Receiver:
    """Everything of the receiver process but the reading itself."""

    def __init__(self, config: Config, sources: list[Source], orders: Orders) -> None:
        self._config, self._sources, self._orders = config, sources, orders
        self._path = receiver_path(config.data_dir)
        self._started_us = _now_us()
        self._last_us = self._dropped_before = 0
        self._threads: list[SourceThread] = []

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
        self._threads = [
            SourceThread(source, self._intake, self._orders.stop) for source in self._sources
        ]
        try:
            self._watch()
        finally:
            self._report("stopping")
            self._end()
            self._report("stopping")
        # Only now: what is not called stopped has crashed.
        self._report("stopped")

    def _watch(self) -> None:
        """Report until there is nothing left to do; raises what ended a thread."""
        next_report = 0.0
        while not self._orders.stop.wait(0.05):
            if time.monotonic() >= next_report:
                self._report("running")
                next_report = time.monotonic() + REPORT_S
            for error in (self._intake.failed(), *(thread.error for thread in self._threads)):
                if error is not None:
                    raise error
            if not any(thread.is_alive() for thread in self._threads):
                return

    def _end(self) -> None:
        """Stop the sources, then make durable what they put."""
        self._orders.stop.set()
        deadline = time.monotonic() + SOURCES_STOP_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
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
            resident_bytes=resident_bytes(),
            sources=tuple(thread.state() for thread in self._threads),
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
