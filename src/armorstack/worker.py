"""The worker process: one loop per sink, the HTTP side, and the report on both.

Invariant: it only ever reads the spool and writes its own file beside it, so it may crash at any
moment without loss. Moving events is `pipeline/`, answering is `web/`; neither goes here.
"""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

from armorstack import metrics
from armorstack.config import Config, DuckdbSink, ElasticSink
from armorstack.control import Orders
from armorstack.core.gap import Gap
from armorstack.counting import EventCounts
from armorstack.errors import EngineError, SpoolError
from armorstack.health import Health, health, is_live, not_ready
from armorstack.open_gaps import open_gaps
from armorstack.pipeline.job import Job
from armorstack.pipeline.loop import SinkLoop
from armorstack.pipeline.tally import Tally
from armorstack.spool.reader import Reader
from armorstack.spool.work import Work
from armorstack.state import (
    Phase,
    ReceiverState,
    WorkerState,
    read_state,
    receiver_path,
    resident_bytes,
    worker_path,
    write_state,
)
from armorstack.web.desk import Keeping

T = TypeVar("T", int, float)
BEHIND = "sink_behind"
REPORT_S = 1.0
POLL_S = 0.05
LOOPS_STOP_S = 7.0

log = structlog.get_logger()


class Worker:
    """Everything of the worker process but moving and answering; the pages' view of it."""

    def __init__(
        self, config: Config, jobs: Sequence[Job], orders: Orders, http: str,
        denied: Callable[[], Mapping[str, int]] = dict,
    ) -> None:  # fmt: skip
        """`http` is where the pages are answered, for the report; `denied` counts requests that
        were refused there, by reason."""
        self._http, self._denied = http, denied
        self._orders = orders
        self._data_dir = config.data_dir
        self._started_us = _now_us()
        self._series_limit = config.web.series_limit
        self._settings = config.sink
        self._events = EventCounts(self._series_limit)
        folder = Path(config.data_dir) / "spool"
        self._reader = Reader.open(folder)
        self._work = Work.open(folder)
        self._work.enroll({job.sink.name: job.sink.required for job in jobs})
        self._loops = [
            SinkLoop(job, Reader.open(folder), self._work, self._tally(job), orders) for job in jobs
        ]
        self._leader = next(loop for loop in self._loops if loop.job.leads)
        self._work.adopt(self._leader.job.sink.name)
        self._spool_ready = False
        self._letters_kept = self._letters_dropped = 0

    def _tally(self, job: Job) -> Tally:
        """Events are counted once, by the leading loop."""
        return Tally(self._events if job.leads else EventCounts(0))

    def run(self) -> None:
        """Work until stopped or drained; raises what ended a loop against its will."""
        self._report("starting")
        for loop in self._loops:
            loop.start()
        next_report = 0.0
        while any(loop.is_alive() for loop in self._loops) and not self._orders.stop.is_set():
            if time.monotonic() >= next_report:
                self._report("draining" if self._orders.drain.is_set() else "running")
                next_report = time.monotonic() + REPORT_S
            if any(loop.error for loop in self._loops if loop.job.sink.required):
                break
            self._orders.stop.wait(POLL_S)
        self._end()

    def _end(self) -> None:
        self._report("stopping")
        self._orders.end()
        deadline = time.monotonic() + LOOPS_STOP_S
        for loop in self._loops:
            loop.join(max(0.0, deadline - time.monotonic()))
        for loop in self._loops:
            if loop.error is not None and loop.job.sink.required:
                raise loop.error
        self._report("stopped")
        self._work.close()

    def health(self) -> Health:
        """How the whole is doing."""
        now_us = _now_us()
        return health(self._receiver(), self._state("running"), now_us)

    def not_ready(self) -> str:
        """Why the work cannot be done yet; empty when it can."""
        return not_ready(self._state("running"))

    def open_gaps(self) -> tuple[Gap, ...]:
        """Gaps that have not ended."""
        return open_gaps(self._receiver(), _now_us())

    def metrics(self) -> bytes:
        """All metrics in the Prometheus text format."""
        now_us = _now_us()
        receiver = self._receiver()
        live = receiver if is_live(receiver, now_us) else None
        # A receiver that is not live has a gap open.
        memory = metrics.Memory(open_gaps(receiver, now_us), self.nodes(), self._denied())
        return metrics.render(live, self._state("running"), self._events, now_us, memory)

    def nodes(self) -> tuple[tuple[str, str, int], ...]:
        """The nodes heard last: cluster, name, when; at most `web.series_limit`."""
        with contextlib.suppress(SpoolError):
            nodes = self._work.nodes(self._series_limit)
            return tuple((each.cluster, each.node, each.last_received_us) for each in nodes)
        return ()

    def keeping(self) -> Keeping | None:
        """What the store keeps; None: there is none, or it is not open."""
        for sink in (loop.job.sink for loop in self._loops):
            settings = self._settings.get(sink.name)
            if isinstance(settings, DuckdbSink):
                from armorstack.sinks.duckdb import StoreSink

                with contextlib.suppress(EngineError):
                    size = sink.store.status().part_bytes if isinstance(sink, StoreSink) else None
                    return Keeping(settings.max_age_days, settings.max_bytes, size)
            if isinstance(settings, ElasticSink):
                return Keeping(settings.max_age_days, settings.max_bytes)
        return None

    def _gaps(self, of: Callable[[Tally], Mapping[str, T]]) -> dict[str, T]:
        """Gaps by reason, as the leading loop sees them; what a sink missed only its own does."""
        found = dict(of(self._leader.tally))
        for loop in self._loops:
            missed = of(loop.tally).get(BEHIND)
            if loop is not self._leader and missed:
                found[BEHIND] = found[BEHIND] + missed if BEHIND in found else missed
        return found

    def _receiver(self) -> ReceiverState | None:
        return read_state(receiver_path(self._data_dir), ReceiverState)

    def _report(self, phase: Phase) -> None:
        try:
            self._spool_ready = self._reader.status().exists
            self._letters_kept = self._work.count()
            self._letters_dropped = self._work.letters_dropped()
        except SpoolError as error:
            log.warning("the spool cannot be looked at just now", reason=str(error))
        write_state(worker_path(self._data_dir), self._state(phase))

    def _state(self, phase: Phase) -> WorkerState:
        tally = self._leader.tally
        streams, actions, severities = self._events.summary()
        now_us = _now_us()
        return WorkerState(
            pid=os.getpid(), started_us=self._started_us, updated_us=now_us,
            resident_bytes=resident_bytes(), phase=phase, http=self._http,
            spool_ready=self._spool_ready, sinks=tuple(loop.state(now_us) for loop in self._loops),
            streams=streams, actions=actions, severities=severities,
            dead_letters=_sum(loop.tally.dead_letters for loop in self._loops),
            letters_kept=self._letters_kept, letters_dropped=self._letters_dropped,
            skipped=dict(tally.skipped), unknown=tally.unknown,
            gaps=self._gaps(lambda each: each.gaps),
            gap_seconds=self._gaps(lambda each: each.gap_seconds),
            filters=self._leader.job.rules.counts(), unmatched=tally.unmatched, last=tally.last,
        )  # fmt: skip


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _now_us() -> int:
    return time.time_ns() // 1000
