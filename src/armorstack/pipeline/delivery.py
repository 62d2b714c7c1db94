"""Getting one batch into one sink, however long it takes.

Retrying lives here and nowhere else. A batch that the engine refuses as a whole is kept and
written again, after a wait with back-off; rows that the store wants again are written again alone;
rows that it will never take become dead letters. Memory stays bounded because nothing is read
meanwhile. What is read and when the spool's cursor moves must not go here.
"""

import random
import time
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from armorstack.control import Orders
from armorstack.core.backoff import delay_s
from armorstack.core.batch import Batch, Rejected
from armorstack.errors import EngineError, SpoolError, StoreError
from armorstack.pipeline.job import Job
from armorstack.pipeline.lag import Lag
from armorstack.pipeline.tally import Tally
from armorstack.sinks.contract import Outcome
from armorstack.spool.work import DeadLetter, Filter, Work

RETRY_INITIAL_S = 0.2
RETRY_LONGEST_S = 15.0
REFUSALS = (EngineError, StoreError, OSError)
"""What a sink raises when its store cannot take anything just now."""

log = structlog.get_logger()


class Delivery:
    """Writes to one sink; used by one thread, looked at by others."""

    def __init__(self, job: Job, work: Work, orders: Orders, tally: Tally, lag: Lag) -> None:
        self.waits_for = ""
        """Why nothing is written just now; empty while all is well."""
        self.stored = self.duplicates = self.retried = self.left_out = self.writes = 0
        self.write_s = 0.0
        self._sink, self._rules, self._lag = job.sink, job.rules, lag
        self._keeps_undecoded = job.sink.required or job.leads
        self._leads = job.leads
        self._work, self._orders, self._tally = work, orders, tally
        self._kept_before: Counter[tuple[int, bytes]] = Counter()

    def open(self) -> tuple[bool, int | None]:
        """Open the sink: whether that worked before a stop, and the sink's own cursor."""
        attempt = 0
        while True:
            try:
                return True, self._sink.open()
            except EngineError as error:
                attempt += 1
                if not self._wait(str(error), attempt):
                    return False, None

    def begin(self, position: int) -> None:
        """What lies behind this position comes again after a crash: letters of it that were kept
        then are not kept twice."""
        which, after = Filter(after_seq=max(1, position)), 0
        while letters := self._work.list(which, after=after):
            self._kept_before.update(
                (letter.seq, letter.frame) for letter in letters if letter.sink == self._sink.name
            )
            after = letters[-1].id

    def deliver(self, batch: Batch) -> bool:
        """Write until every row has its fate; False when told to stop before that.

        Where the sink is not required, rows that came too long ago are passed over instead.
        """
        attempt, begin_us = 0, _now_us()
        while True:
            attempt += 1
            if attempt > 1 and self._is_given_up(batch, begin_us):
                return True
            try:
                outcome = self._write(batch)
            except REFUSALS as error:
                if not self._wait(str(error), attempt):
                    return False
                continue
            if not self.set_aside(tuple(map(self._rules.redact, outcome.rejected))):
                return False
            if not outcome.retry:
                self.waits_for = ""
                return True
            self.retried += len(outcome.retry)
            batch = Batch(batch.rows.take(pa.array(outcome.retry, pa.int64())), (), batch.last)
            if not self._wait(f"{len(outcome.retry)} events are to be tried again", attempt):
                return False

    def set_aside_undecoded(self, rejected: Sequence[Rejected]) -> bool:
        """Keep frames that no sink could take: once for each required sink, and for one at least,
        since each replays its own. They are counted once."""
        return not self._keeps_undecoded or self.set_aside(rejected, counts=self._leads)

    def set_aside(self, rejected: Sequence[Rejected], *, counts: bool = True) -> bool:
        """Keep as dead letters; durable on return. False when told to stop before that."""
        fresh = [item for item in rejected if not self._was_kept(item)]
        attempt = 0
        while fresh:
            attempt += 1
            try:
                self._work.set_aside([_letter(item, self._sink.name) for item in fresh])
                if counts:
                    self._tally.set_aside(fresh)
                break
            except SpoolError as error:
                if not self._wait(str(error), attempt):
                    return False
        return True

    def _is_given_up(self, batch: Batch, begin_us: int) -> bool:
        received_us = pc.min(batch.rows.column("received").cast(pa.int64())).as_py()
        since_us = min(received_us or begin_us, begin_us)
        if not self._lag.is_too_late(since_us, _now_us()):
            return False
        self._lag.note(len(batch.rows), since_us, _now_us())
        self.waits_for = ""
        return True

    def _write(self, batch: Batch) -> Outcome:
        begin = time.perf_counter()
        outcome = self._sink.write(batch)
        self.write_s += time.perf_counter() - begin
        self.writes += 1
        self.stored += outcome.accepted
        self.duplicates += outcome.duplicates
        self.left_out += outcome.left_out
        return outcome

    def _was_kept(self, item: Rejected) -> bool:
        """Whether this very frame was set aside before a crash; each letter answers for one."""
        key = (item.seq, item.frame)
        if not self._kept_before[key]:
            return False
        self._kept_before[key] -= 1
        return True

    def note_wait(self, reason: str) -> None:
        """Say why nothing is written just now."""
        if self.waits_for != reason:
            log.warning("sink waits", sink=self._sink.name, reason=reason)
        self.waits_for = reason

    def _wait(self, reason: str, attempt: int) -> bool:
        """Back off; False when the wait was ended by a stop."""
        self.note_wait(reason)
        pause_s = delay_s(attempt, RETRY_INITIAL_S, RETRY_LONGEST_S, random.random())
        return not self._orders.stop.wait(pause_s)


def _letter(item: Rejected, sink: str) -> DeadLetter:
    return DeadLetter(
        frame=item.frame, error_type=item.error_type, reason=item.reason, sink=sink,
        encoding=item.encoding, source=item.source, stream=item.stream,
        first_seen_us=item.received_us, seq=item.seq,
    )  # fmt: skip


def _now_us() -> int:
    return time.time_ns() // 1000
