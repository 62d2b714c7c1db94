"""A disk that is full, and then not: nothing acknowledged is lost, nothing lost is acknowledged."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from armorstack import config
from armorstack.errors import SpoolError, SpoolFull
from armorstack.spool.intake import Intake, Lane
from armorstack.spool.reader import Reader
from armorstack.spool.reserve import free_bytes
from armorstack.spool.store import Spool
from armorstack.spool.work import Work
from tests.support.spool_disk import fill, small_disk
from tests.support.spool_rows import (
    MIB,
    frames_in,
    gaps_in,
    now_us,
    number_of,
    numbered,
    numbers_in,
    plain_gap,
    row,
)

DEADLINE_S = 40
SETTINGS = config.Spool(reserve_bytes=2 * MIB, max_memory_bytes=MIB, flush_bytes=100_000)
DISK_BYTES = 12 * MIB
FRAME_BYTES = 4000


class Producer:
    """Puts numbered frames until told to stop, and keeps the numbers that were acknowledged."""

    def __init__(self, lane: Lane) -> None:
        self.put = 0
        self.acknowledged = 0
        """Numbers below it are."""
        self.stop = threading.Event()
        self._lane = lane
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self.stop.is_set():
                for _ in range(10):
                    self._lane.put(numbered(self.put, FRAME_BYTES))
                    self.put += 1
                while not self._lane.flush(0.2) and not self.stop.is_set():
                    continue
                if self._lane.flush(0):
                    self.acknowledged = self.put
        except SpoolError:
            return

    def end(self) -> None:
        self.stop.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()


def begin(folder: Path, settings: config.Spool = SETTINGS) -> Intake:
    intake = Intake(Spool.open(folder, settings, now_us()), settings, gap_frame=plain_gap)
    intake.start()
    return intake


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_spool_that_fills_its_disk_goes_on_when_the_sink_has_stored_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        intake = begin(disk / "spool")
        reserve = disk / "spool" / "spool.reserve"
        assert reserve.stat().st_blocks * 512 == 2 * MIB
        producer = Producer(intake.lane("relay/a", "alert", "protobuf"))
        wait_until(lambda: "full" in intake.stats().full)
        wait_until(lambda: not reserve.exists())
        stuck_at = producer.acknowledged
        assert stuck_at * FRAME_BYTES > DISK_BYTES / 3
        assert intake.failed() is None

        found = consume_until(disk / "spool", lambda: producer.acknowledged > 3 * stuck_at)
        producer.end()
        found += consume_until(disk / "spool", lambda: not intake.stats().full, after=found)
        assert intake.close(DEADLINE_S)
        found += consume_until(disk / "spool", lambda: True, after=found)
        numbers = [number for _, number in found]
        assert numbers == list(range(producer.put))
        assert intake.stats().blocked_s >= 0
        assert intake.stats().dropped_frames == 0
        assert Reader.open(disk / "spool").verify().damage == ()


Found = list[tuple[int, int]]


def consume_until(folder: Path, done: Callable[[], bool], after: Found | None = None) -> Found:
    """Be the worker for a while: read, remember, commit. Positions and numbers of what was read."""
    work, reader = Work.open(folder), Reader.open(folder)
    found: Found = []
    cursor = after[-1][0] if after else 0
    deadline = time.monotonic() + DEADLINE_S
    while True:
        is_last = done()
        rows = reader.read(cursor, MIB)
        found += [(row.seq, number_of(frame)) for row in rows for frame in frames_in([row])]
        if rows:
            cursor = rows[-1].seq
            work.commit("duckdb", cursor, True)
        elif is_last:
            break
        assert time.monotonic() < deadline
        time.sleep(0.005)
    work.close()
    reader.close()
    return found


def test_a_disk_filled_by_another_program_is_waited_for(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        intake = begin(disk / "spool")
        producer = Producer(intake.lane("relay/a", "alert", "protobuf"))
        wait_until(lambda: producer.acknowledged > 50)
        other = fill(disk)
        wait_until(lambda: intake.stats().full)
        wait_until(lambda: not (disk / "spool" / "spool.reserve").exists())
        # It takes the space of the reserve as well: now not even deletes have room.
        fill(disk)
        time.sleep(0.3)
        stuck_at = producer.acknowledged
        assert set(range(stuck_at)) <= set(numbers_in(disk / "spool"))
        other.unlink()
        wait_until(lambda: producer.acknowledged > stuck_at + 50)
        wait_until((disk / "spool" / "spool.reserve").exists)
        producer.end()
        assert intake.close(DEADLINE_S)
        assert numbers_in(disk / "spool") == list(range(producer.put))


def test_a_full_disk_at_the_end_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        intake = begin(disk / "spool")
        producer = Producer(intake.lane("relay/a", "alert", "protobuf"))
        wait_until(lambda: intake.stats().full)
        assert not intake.close(DEADLINE_S)
        producer.end()
        found = numbers_in(disk / "spool")
        assert found == list(range(len(found)))
        assert producer.acknowledged <= len(found) < producer.put

        intake = begin(disk / "spool")
        assert numbers_in(disk / "spool") == found
        intake.close(DEADLINE_S)


def test_with_drop_oldest_a_full_disk_costs_the_oldest_and_tells_how_many(tmp_path: Path) -> None:
    settings = config.Spool(
        reserve_bytes=2 * MIB, max_memory_bytes=MIB, flush_bytes=100_000, when_full="drop_oldest"
    )
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        intake = begin(disk / "spool", settings)
        producer = Producer(intake.lane("relay/a", "alert", "protobuf"))
        wait_until(lambda: producer.acknowledged * FRAME_BYTES > 3 * DISK_BYTES)
        producer.end()
        wait_until(lambda: gaps_in(disk / "spool"))
        assert intake.close(DEADLINE_S)
        [gap] = gaps_in(disk / "spool")
        reader = Reader.open(disk / "spool")
        rows = reader.read(0, DISK_BYTES)
        reader.close()
        numbers = [number_of(f) for row in rows if row.stream == "alert" for f in frames_in([row])]
        assert gap["reason"] == "spool_overflow"
        assert numbers == list(range(int(str(gap["lost"])), producer.put))


def append_until_full(spool: Spool) -> int:
    last = 0
    try:
        while True:
            last = spool.append([row(numbered(1, 100_000))], {})
    except SpoolFull:
        return last


def test_a_log_that_does_not_fit_leaves_the_last_space_to_deletes(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        spool = Spool.open(disk / "spool", SETTINGS, now_us())
        # Without a checkpoint, as beside a reader that holds one snapshot for long.
        last = append_until_full(spool)
        assert not spool.make_room(0, MIB)
        assert spool.free_bytes() >= SETTINGS.reserve_bytes
        assert not spool.make_room(0, MIB)
        spool.close()
        assert free_bytes(disk) >= SETTINGS.reserve_bytes - MIB // 8

        spool = Spool.open(disk / "spool", SETTINGS, now_us())
        rows = spool.waiting().rows
        assert rows > 50
        assert spool.make_room(last, MIB)
        assert spool.waiting().rows == 0
        assert spool.reserve.held
        assert spool.append([row(b"on")], {}) > last
        spool.close()
