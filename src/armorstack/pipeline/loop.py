"""One sink's loop: read the spool, decode, filter, write, commit.

The order makes it safe: what cannot be decoded is durable as a dead letter before the sink sees
the batch (its cursor may pass it in the same transaction); the spool's cursor moves only to what
the sink calls durable, and never past what a filter keeps back. Attempts and waits are in
`delivery.py`, the making of batches in `preparing.py`.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence

import structlog

from armorstack.control import Orders
from armorstack.core.batch import Batch
from armorstack.core.gap import Gap
from armorstack.core.rules import Passed
from armorstack.errors import SpoolError
from armorstack.pipeline.delivery import REFUSALS, Delivery
from armorstack.pipeline.job import Job
from armorstack.pipeline.lag import Lag
from armorstack.pipeline.memory import Memory
from armorstack.pipeline.preparing import Preparation
from armorstack.pipeline.replay import Replays
from armorstack.pipeline.tally import Tally
from armorstack.spool.reader import Reader, Spoiled
from armorstack.spool.rows import Row
from armorstack.spool.work import Work
from armorstack.state import SinkState

READ_BYTES = 8 * 1024 * 1024
ENOUGH_BYTES = READ_BYTES // 2
POLL_S = 0.05
REST_S = 0.1
"""Rest after a batch below `ENOUGH_BYTES`: decoding has a cost per batch, and an event shall be
in the store within a second."""
TICK_S = 1.0
COMMIT_S = 0.2
"""The spool's cursor costs an fsync; a later one only means more to write again after a crash."""
STOP_DRAIN_S = 2.0
"""After a stop the loop goes on for so long with what waits; the rest stays in the spool."""

log = structlog.get_logger()


class SinkLoop:
    """Moves everything from the spool into one sink, in a thread of its own."""

    def __init__(self, job: Job, reader: Reader, work: Work, tally: Tally, orders: Orders) -> None:
        self.error: BaseException | None = None
        """What ended the loop against its will."""
        self.tally = tally
        self.job = job
        self._sink, self._reader, self._work, self._orders = job.sink, reader, work, orders
        self._lag = Lag(job.sink.name, job.sink.required, job.max_lag_s)
        self._delivery = Delivery(job, work, orders, tally, self._lag)
        self._preparation = Preparation(job)
        self._memory = Memory(work, job.leads)
        self._replays = Replays(work, job)
        self._thread = threading.Thread(target=self._run, name=f"sink-{job.sink.name}", daemon=True)
        self._is_open = False
        self._position = 0
        self._committed = -1
        self._next_commit = self._next_tick = 0.0
        self._stopping_since: float | None = None
        self._reading_us = 0
        self._lag_s = 0.0
        self._batches = self._decoded = 0
        self._missed: Counter[str] = Counter()
        self._missed_frames: Counter[str] = Counter()
        self._not_durable: deque[tuple[int, int, int]] = deque()
        self._durable = (0, 0)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the loop still runs."""
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        """Wait for the loop's end."""
        self._thread.join(timeout_s)

    def state(self, now_us: int) -> SinkState:
        """A snapshot; any thread may ask."""
        done, reading_us = self._delivery, self._reading_us
        waited_s = (now_us - reading_us) / 1e6 if reading_us else 0.0
        return SinkState(
            name=self._sink.name, required=self._sink.required, is_open=self._is_open,
            cursor=max(0, self._committed), stored=done.stored, duplicates=done.duplicates,
            durable_stored=self._durable[0], durable_duplicates=self._durable[1],
            retried=done.retried, writes=done.writes, write_s=done.write_s,
            waits_for=done.waits_for, decode_s=self._preparation.seconds, decoded=self._decoded,
            batches=self._batches, lag_s=round(max(self._lag_s, waited_s), 3),
            missed=dict(self._missed), missed_frames=dict(self._missed_frames),
            removed=self._sink.removed(), passed_over=self._lag.passed_over,
            left_out=done.left_out,
        )  # fmt: skip

    def _run(self) -> None:
        try:
            if self._open():
                while self._step():
                    self._keep_time()
                self._close()
        except BaseException as error:
            self._is_open = False
            self.error = error
            if not self._sink.required:
                # The others go on; this one is started again with the worker.
                log.exception("the sink's loop ended", sink=self._sink.name)
                self._delivery.note_wait(f"ended by {type(error).__name__}: {error}")

    def _open(self) -> bool:
        """Open the sink and find where to begin; False when told to stop before that worked."""
        is_open, own = self._delivery.open()
        if not is_open:
            return False
        cursor = self._work.cursors().get(self._sink.name)
        self._position = own if own is not None else cursor.seq if cursor else 0
        self._delivery.begin(self._position)
        self._is_open, self._delivery.waits_for = True, ""
        log.info("sink is open", sink=self._sink.name, position=self._position)
        return True

    def _step(self) -> bool:
        """Move what waits, or rest a moment; False at the end."""
        # In this order: what the receiver wrote before it ended is then surely read.
        ending = self._orders.drain.is_set() or self._orders.stop.is_set()
        rows, gaps = self._read()
        if not rows and not gaps:
            self._reading_us = 0
            if not ending:
                self._orders.stop.wait(POLL_S)
                self._write_late(self._preparation.due(self._position, time.time_ns() // 1000))
            return not ending
        if not self._take(rows, gaps) or self._out_of_time():
            return False
        if not ending and sum(len(row.payload) for row in rows) < ENOUGH_BYTES:
            self._orders.stop.wait(REST_S)
        return True

    def _read(self) -> tuple[list[Row], dict[int, Gap]]:
        """What waits, and gaps for rows whose bytes are spoiled, by their position."""
        try:
            rows = self._reader.read(self._position, READ_BYTES)
        except SpoolError as error:
            # The receiver is told by the reader, and puts a sound file in the place of this one.
            self._delivery.note_wait(str(error))
            return [], {}
        return rows, {row.seq: _spoiled(row) for row in self._reader.take_spoiled()}

    def _take(self, read: Sequence[Row], spoiled: dict[int, Gap]) -> bool:
        """Decode, filter and store these rows; False when told to stop before that worked."""
        last = max([row.seq for row in read[-1:]] + list(spoiled))
        if read:
            self._reading_us = read[0].received_us
            self._note_missed()
        rows = self._lag.split(read, time.time_ns() // 1000)
        behind = self._lag.gap() if rows else None
        gaps = [*spoiled.values(), *([behind] if behind else [])]
        made = self._preparation.prepare(rows, gaps, before=self._position, last=last)
        self._batches += 1
        self._decoded += len(made.decoded.batch.rows)
        self._memory.keep(made.batch.gaps, made.decoded.batch.rows)
        if not self._delivery.set_aside_undecoded(made.rejected) or not self._write(made.batch):
            return False
        self.tally.decoded(made.decoded, made.passed, made.batch.gaps)
        self._position = last
        if rows:
            self._lag_s = time.time() - rows[0].received_us / 1e6
        return True

    def _write_late(self, late: tuple[Passed, Batch] | None) -> bool:
        """The same for what filters had kept back."""
        if late is None:
            return True
        passed, batch = late
        self._memory.keep(batch.gaps)
        if not self._write(batch):
            return False
        self.tally.passed(passed, batch.gaps)
        return True

    def _write(self, batch: Batch) -> bool:
        """Get one batch into the sink; False when told to stop before that worked."""
        if not self._delivery.deliver(batch):
            return False
        done = self._delivery
        self._not_durable.append((batch.last, done.stored, done.duplicates))
        return True

    def _note_missed(self) -> None:
        """What the spool had let go of before this sink took it. A required sink's loss is told as
        a gap by the spool itself; of others it knows nothing."""
        for missed in self._reader.take_missed():
            reason = "dropped_oldest" if self._sink.required else "optional_sink_behind"
            self._missed[reason] += 1
            self._missed_frames[reason] += missed.frames or 0
            if not self._sink.required:
                self._lag.note(missed.frames, missed.start_us, missed.end_us)
            log.error("rows were freed before the sink took them", sink=self._sink.name,
                      after=missed.after, until=missed.last, frames=missed.frames,
                      reason=reason)  # fmt: skip

    def _keep_time(self) -> None:
        now = time.monotonic()
        if now >= self._next_tick:
            self._next_tick = now + TICK_S
            self._tick()
        if now >= self._next_commit:
            self._next_commit = now + COMMIT_S
            self._commit()

    def _tick(self) -> None:
        try:
            self._sink.tick()
        except REFUSALS as error:
            log.warning("the sink's upkeep failed", sink=self._sink.name, reason=str(error))
        try:
            self._memory.tick()
            self._replays.run(self._safe_position())
            self._heal_position()
        except SpoolError as error:
            log.warning("the spool refuses", sink=self._sink.name, reason=str(error))

    def _heal_position(self) -> None:
        """A spool put in the place of ours may begin lower; ids make reading it again harmless."""
        newest = self._reader.last()
        if 0 < newest < self._position:
            log.error("the spool is older than the sink's cursor; reading it from its start",
                      sink=self._sink.name, cursor=self._position, newest=newest)  # fmt: skip
            self._position = 0

    def _commit(self) -> None:
        """Tell the spool what it may free: never more than the sink calls durable."""
        own, safe = self._sink.cursor(), self._safe_position()
        cursor = safe if own is None else min(own, safe)
        while self._not_durable and self._not_durable[0][0] <= cursor:
            self._durable = self._not_durable.popleft()[1:]
        if cursor == self._committed:
            return
        try:
            self._work.commit(self._sink.name, cursor, self._sink.required)
            self._committed = cursor
        except SpoolError as error:
            # The spool then keeps more than it must.
            log.warning("the cursor cannot be kept", sink=self._sink.name, reason=str(error))

    def _safe_position(self) -> int:
        """How far a crash would lose nothing: before what filters keep back."""
        held = self._preparation.held_from
        return self._position if held is None else min(held, self._position)

    def _out_of_time(self) -> bool:
        if not self._orders.stop.is_set():
            return False
        now = time.monotonic()
        self._stopping_since = self._stopping_since or now
        return now - self._stopping_since > STOP_DRAIN_S

    def _close(self) -> None:
        """Let the sink make durable what it took; what it could not, the spool still has."""
        held = self._preparation.held_from
        try:
            if not self._write_late(self._preparation.rest(self._position)):
                self._preparation.held_from = held
            self._memory.tick()
            self._sink.flush()
            self._replays.confirm()
            self._commit()
            self._sink.close()
        except REFUSALS as error:
            log.error("the sink could not finish; the spool keeps the rest",
                      sink=self._sink.name, reason=str(error))  # fmt: skip
        self._is_open = False


def _spoiled(row: Spoiled) -> Gap:
    return Gap(
        reason="spool_damaged", source=row.source, stream=row.stream, start_us=row.received_us,
        end_us=row.received_us, lost=row.count, detail="the row's bytes were changed on disk",
    )  # fmt: skip
