"""One sink's loop: read the spool, decode, write, commit.

The order makes it safe: what cannot be decoded is durable as a dead letter before the sink sees
the batch (its cursor may pass it in the same transaction); the spool's cursor moves only to what
the sink calls durable. Attempts and waits are in `delivery.py`.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence

import structlog

from armorstack.control import Orders
from armorstack.core.batch import Batch
from armorstack.core.gap import Gap
from armorstack.errors import SpoolError
from armorstack.pipeline.decoding import Decode, decode_surely
from armorstack.pipeline.delivery import REFUSALS, Delivery
from armorstack.pipeline.replay import Replays
from armorstack.pipeline.tally import Tally
from armorstack.sinks.contract import Sink
from armorstack.spool.reader import Reader, Spoiled
from armorstack.spool.rows import Row
from armorstack.spool.work import Work
from armorstack.state import SinkState

READ_BYTES = 8 * 1024 * 1024
ENOUGH_BYTES = READ_BYTES // 2
POLL_S = 0.05
REST_S = 0.2
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

    def __init__(
        self, sink: Sink, reader: Reader, work: Work, decode: Decode, tally: Tally, orders: Orders
    ) -> None:
        self.error: BaseException | None = None
        """What ended the loop against its will."""
        self.tally = tally
        self._sink, self._reader, self._work, self._decode = sink, reader, work, decode
        self._orders = orders
        self._delivery = Delivery(sink, work, orders, tally)
        self._replays = Replays(work, decode)
        self._thread = threading.Thread(target=self._run, name=f"sink-{sink.name}", daemon=True)
        self._is_open = False
        self._position = 0
        self._committed = -1
        self._next_commit = self._next_tick = 0.0
        self._stopping_since: float | None = None
        self._reading_us = 0
        self._lag_s = self._decode_s = 0.0
        self._batches = self._decoded = 0
        self._missed: Counter[str] = Counter()
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
            waits_for=done.waits_for, decode_s=self._decode_s, decoded=self._decoded,
            batches=self._batches, lag_s=round(max(self._lag_s, waited_s), 3),
            missed=dict(self._missed), removed=self._sink.removed(),
        )  # fmt: skip

    def _run(self) -> None:
        try:
            if self._open():
                while self._step():
                    self._keep_time()
                self._close()
        except BaseException as error:
            self.error = error

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

    def _take(self, rows: Sequence[Row], gaps: dict[int, Gap]) -> bool:
        """Decode and store these rows; False when told to stop before that worked."""
        if rows:
            self._reading_us = rows[0].received_us
            self._note_missed(rows[0].seq)
        begin = time.perf_counter()
        decoded = decode_surely(rows, self._decode)
        self._decode_s += time.perf_counter() - begin
        self._batches += 1
        self._decoded += len(decoded.batch.rows)
        batch = _with_gaps(decoded.batch, gaps)
        if not self._delivery.set_aside(decoded.rejected) or not self._delivery.deliver(batch):
            return False
        self.tally.decoded(decoded, batch)
        self._position = batch.last
        done = self._delivery
        self._not_durable.append((batch.last, done.stored, done.duplicates))
        if rows:
            self._lag_s = time.time() - rows[0].received_us / 1e6
        return True

    def _note_missed(self, first: int) -> None:
        """Positions jump at each opening of the spool; rows are missed only if some were freed."""
        if first == self._position + 1 or not self._position:
            return
        trimmed = self._reader.status().trimmed
        if trimmed > self._position:
            reason = "dropped_oldest" if self._sink.required else "optional_sink_behind"
            self._missed[reason] += 1
            log.error("rows were freed before the sink took them", sink=self._sink.name,
                      after=self._position, until=trimmed, reason=reason)  # fmt: skip

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
            self._replays.run(self._sink, self._position)
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
        own = self._sink.cursor()
        cursor = self._position if own is None else min(own, self._position)
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

    def _out_of_time(self) -> bool:
        if not self._orders.stop.is_set():
            return False
        now = time.monotonic()
        self._stopping_since = self._stopping_since or now
        return now - self._stopping_since > STOP_DRAIN_S

    def _close(self) -> None:
        """Let the sink make durable what it took; what it could not, the spool still has."""
        try:
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


def _with_gaps(batch: Batch, gaps: dict[int, Gap]) -> Batch:
    if not gaps:
        return batch
    return Batch(batch.rows, (*batch.gaps, *gaps.values()), max(batch.last, *gaps))
