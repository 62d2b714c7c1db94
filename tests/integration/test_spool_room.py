"""Room in the spool where some sinks are required and some are not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from armorstack import config
from armorstack.spool.intake import Intake
from armorstack.spool.reader import Reader
from armorstack.spool.room import Room
from armorstack.spool.store import Spool
from armorstack.spool.work import Work
from tests.support.running import until
from tests.support.spool_disk import fill, small_disk
from tests.support.spool_rows import (
    MIB,
    gaps_in,
    now_us,
    numbered,
    numbers_in,
    open_spool,
    plain_gap,
    row,
)

FRAME_BYTES = 1000
ROW_BYTES = FRAME_BYTES + 4


def settings(rows: int, when_full: str) -> config.Spool:
    """A spool that takes so many rows."""
    return config.Spool(
        reserve_bytes=64 * 1024, max_bytes=rows * ROW_BYTES, when_full=when_full,
    )  # type: ignore[arg-type]  # fmt: skip


class Rig:
    """A spool of ten rows, with the room it may take, and the worker's file."""

    def __init__(self, folder: Path, when_full: str = "block", rows: int = 10) -> None:
        self.folder = folder
        limits = settings(rows, when_full)
        self.spool = open_spool(folder, limits)
        self.work = Work.open(folder)
        self.room = Room(self.spool, limits, plain_gap)
        self.seqs = [
            self.spool.append([row(numbered(n, FRAME_BYTES), at_us=n + 1)], {}) for n in range(10)
        ]

    def has(self, sink: str, count: int, *, required: bool) -> None:
        """The sink has so many rows."""
        cursor = self.seqs[count - 1] if count else 0
        self.work.commit(sink, cursor, required)

    def close(self) -> None:
        self.room.close()
        self.spool.close()
        self.work.close()


@contextmanager
def rig(folder: Path, **kinds: object) -> Iterator[Rig]:
    made = Rig(folder, **kinds)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


def tick(one: Rig) -> None:
    """A second passes: cursors are read, then trimmed behind."""
    one.room._next_tick = 0.0
    one.room.upkeep()
    one.room.upkeep()


def test_rows_that_only_an_optional_sink_wants_are_kept_while_there_is_room(tmp_path: Path) -> None:
    with rig(tmp_path) as one:
        one.has("duckdb", 9, required=True)
        one.has("webhook", 4, required=False)
        tick(one)
        assert numbers_in(tmp_path) == list(range(4, 10))
        one.has("webhook", 7, required=False)
        tick(one)
        assert numbers_in(tmp_path) == list(range(7, 10))
        assert one.room.trimmed_rows == 7


@pytest.mark.parametrize("when_full", ["block", "drop_oldest"])
def test_where_room_is_needed_they_go_first_and_no_more_of_them_than_must(
    tmp_path: Path, when_full: str
) -> None:
    with rig(tmp_path, when_full=when_full) as one:
        one.has("duckdb", 9, required=True)
        one.has("webhook", 4, required=False)
        assert one.room.by_limit(6 * ROW_BYTES) == 0
        assert numbers_in(tmp_path) == list(range(6, 10))
        assert one.spool.dropped_frames == 0
        assert gaps_in(tmp_path) == []
        assert one.spool.owed() == []
        assert one.room.trimmed_rows == 6


def test_only_what_a_required_sink_wants_makes_a_batch_wait(tmp_path: Path) -> None:
    with rig(tmp_path) as one:
        one.has("duckdb", 2, required=True)
        one.has("webhook", 0, required=False)
        assert one.room.by_limit(2 * ROW_BYTES) == 0
        assert one.room.by_limit(3 * ROW_BYTES) is None
        assert numbers_in(tmp_path) == list(range(2, 10))


def test_what_an_optional_sink_wants_goes_before_anything_is_dropped(tmp_path: Path) -> None:
    with rig(tmp_path, when_full="drop_oldest") as one:
        one.has("duckdb", 2, required=True)
        one.has("webhook", 0, required=False)
        assert one.room.by_limit(5 * ROW_BYTES) == 3 * ROW_BYTES
        assert numbers_in(tmp_path) == list(range(2, 10))
        assert one.spool.dropped_frames == 0


@pytest.mark.parametrize(("when_full", "asked"), [("block", None), ("drop_oldest", ROW_BYTES)])
def test_where_no_sink_is_required_all_of_them_hold_the_spool(
    tmp_path: Path, when_full: str, asked: int | None
) -> None:
    with rig(tmp_path, when_full=when_full) as one:
        one.has("webhook", 3, required=False)
        one.has("stdout", 8, required=False)
        assert one.room.by_limit(3 * ROW_BYTES) == 0
        assert numbers_in(tmp_path) == list(range(3, 10))
        assert one.room.by_limit(4 * ROW_BYTES) == asked


def test_without_a_worker_everything_is_held(tmp_path: Path) -> None:
    with rig(tmp_path) as one:
        assert one.room.by_limit(ROW_BYTES) is None
        tick(one)
        assert numbers_in(tmp_path) == list(range(10))


def test_a_sink_that_lost_its_rows_to_the_room_is_told_how_many(tmp_path: Path) -> None:
    with rig(tmp_path) as one:
        reader = Reader.open(tmp_path)
        read = reader.read(0, 3 * ROW_BYTES)
        one.has("duckdb", 9, required=True)
        one.has("webhook", 3, required=False)
        assert one.room.by_limit(8 * ROW_BYTES) == 0
        [first, *_] = reader.read(read[-1].seq, MIB)
        [missed] = reader.take_missed()
        assert (missed.frames, missed.last) == (first.seq - one.seqs[3], first.seq - 1)
        assert missed.frames == 5
        reader.close()


def test_on_a_full_disk_what_only_optional_sinks_want_makes_room(tmp_path: Path) -> None:
    limits = config.Spool(reserve_bytes=2 * MIB, max_memory_bytes=MIB, flush_bytes=100_000)
    with small_disk(tmp_path / "disk", 12 * MIB) as disk:
        folder = disk / "spool"
        intake = Intake(Spool.open(folder, limits, now_us()), limits, gap_frame=plain_gap)
        intake.start()
        work = Work.open(folder)
        lane = intake.lane("relay/a", "alert", "protobuf")
        lane.put(numbered(0, 4000))
        assert lane.flush(20)
        work.commit("webhook", intake.stats().last_seq, required=False)
        for number in range(1, 12_000):
            lane.put(numbered(number, 4000))
            if number % 20 == 0:
                until(lambda: lane.flush(0.2), "room on the disk")
                work.commit("duckdb", intake.stats().last_seq, required=True)
        assert lane.flush(20)
        assert intake.stats().dropped_frames == 0
        work.close()
        assert intake.close(20)
        found = numbers_in(folder)
        assert found == list(range(found[0], 12_000))
        assert found[0] > 0
        assert Reader.open(folder).verify().damage == ()


def test_a_checkpoint_that_finds_the_disk_full_does_not_keep_the_reserve_from_the_worker(
    tmp_path: Path,
) -> None:
    limits = config.Spool(reserve_bytes=2 * MIB)
    with small_disk(tmp_path / "disk", 12 * MIB) as disk:
        folder = disk / "spool"
        spool = open_spool(folder, limits)
        room, work = Room(spool, limits, plain_gap), Work.open(folder)
        last = spool.append([row(*[numbered(n, 4000) for n in range(700)])], {})
        fill(disk)
        room.upkeep()
        assert room.disk_full
        work.commit("duckdb", last, required=True)
        room.close()
        work.close()
        spool.close()
