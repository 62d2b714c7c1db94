"""The intake: from lanes to the disk, room made, gaps told, the end."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from armorstack import config
from armorstack.errors import SpoolError
from armorstack.spool import room as rooms
from armorstack.spool.intake import Intake
from armorstack.spool.store import Spool
from armorstack.spool.work import Work
from tests.support.spool_rows import (
    SMALL,
    START_US,
    frames_in,
    gaps_in,
    number_of,
    numbered,
    numbers_in,
    open_spool,
    plain_gap,
    read_all,
)

DEADLINE_S = 20
LITTLE = config.Spool(
    reserve_bytes=64 * 1024, max_bytes=100_000, max_memory_bytes=40_000, flush_bytes=10_000
)


@contextmanager
def intake_on(folder: Path, settings: config.Spool = SMALL) -> Iterator[Intake]:
    intake = Intake(open_spool(folder, settings), settings, gap_frame=plain_gap)
    intake.start()
    try:
        yield intake
    finally:
        intake.close(DEADLINE_S)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_what_was_flushed_is_on_disk(tmp_path: Path) -> None:
    with intake_on(tmp_path) as intake:
        lane = intake.lane("relay/a", "alert", "protobuf", "c")
        for n in range(100):
            lane.put(numbered(n))
        assert lane.flush(DEADLINE_S)
        assert numbers_in(tmp_path) == list(range(100))


def test_what_was_put_is_on_disk_soon_without_a_flush(tmp_path: Path) -> None:
    with intake_on(tmp_path) as intake:
        intake.lane("relay/a", "alert", "protobuf").put(numbered(1))
        wait_until(lambda: numbers_in(tmp_path) == [1])


def test_closing_commits_what_was_put(tmp_path: Path) -> None:
    with intake_on(tmp_path) as intake:
        lane = intake.lane("relay/a", "alert", "protobuf")
        for n in range(5000):
            lane.put(numbered(n))
        assert intake.close(DEADLINE_S)
        assert intake.failed() is None
    assert numbers_in(tmp_path) == list(range(5000))
    open_spool(tmp_path).close()


def test_a_thread_gets_its_lane_again_and_another_thread_its_own(tmp_path: Path) -> None:
    with intake_on(tmp_path) as intake:
        mine = intake.lane("relay/a", "alert", "protobuf")
        assert intake.lane("relay/a", "alert", "protobuf") is mine
        assert intake.lane("relay/a", "log", "protobuf") is not mine
        theirs: list[object] = []
        thread = threading.Thread(
            target=lambda: theirs.append(intake.lane("relay/a", "alert", "protobuf"))
        )
        thread.start()
        thread.join()
        assert theirs[0] is not mine


def test_a_position_is_known_once_durable_and_after_a_restart(tmp_path: Path) -> None:
    with intake_on(tmp_path) as intake:
        lane = intake.lane("file/x", "auto", "json")
        assert intake.position("file/x") is None
        lane.put_many([b"{}", b"{}"], ("file/x", b"4"))
        assert lane.flush(DEADLINE_S)
        assert intake.position("file/x") == b"4"
    with intake_on(tmp_path) as intake:
        assert intake.position("file/x") == b"4"


def test_gaps_from_any_thread_are_kept(tmp_path: Path) -> None:
    with intake_on(tmp_path) as intake:
        threads = [
            threading.Thread(target=intake.gap, args=(plain_gap("stop", "r", "", n, n, None), "r"))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(gap["start_us"] for gap in gaps_in(tmp_path)) == list(range(8))
    [row] = {(r.source, r.stream, r.encoding) for r in read_all(tmp_path)}
    assert row == ("r", "gap", "json")


def test_counters_tell_what_became_durable(tmp_path: Path) -> None:
    with intake_on(tmp_path) as intake:
        alerts = intake.lane("relay/a", "alert", "protobuf")
        logs = intake.lane("relay/a", "log", "protobuf")
        alerts.put_many([b"12345"] * 3)
        assert alerts.flush(DEADLINE_S)
        logs.put(b"1")
        assert logs.flush(DEADLINE_S)
        stats = intake.stats()
        assert {(d.source, d.stream): (d.frames, d.bytes) for d in stats.durable} == {
            ("relay/a", "alert"): (3, 15),
            ("relay/a", "log"): (1, 1),
        }
        assert stats.commits == 2
        assert 0 < stats.commit_last_s <= stats.commit_max_s <= stats.commit_s
        assert (stats.waiting_rows, stats.waiting_frames, stats.memory_frames) == (2, 4, 0)
        assert stats.waiting_bytes == 3 * 9 + 5
        assert stats.oldest_us == read_all(tmp_path)[0].received_us
        assert stats.last_seq == read_all(tmp_path)[-1].seq


def test_rows_that_all_sinks_have_are_freed(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    with intake_on(tmp_path) as intake:
        lane = intake.lane("relay/a", "alert", "protobuf")
        lane.put(b"1:")
        assert lane.flush(DEADLINE_S)
        lane.put(b"2:")
        assert lane.flush(DEADLINE_S)
        first, second = read_all(tmp_path)
        work.commit("optional", second.seq, False)
        work.commit("required", first.seq, True)
        wait_until(lambda: numbers_in(tmp_path) == [2])
        wait_until(lambda: intake.stats().trimmed_rows == 1)
    work.close()


def test_nothing_is_freed_while_no_sink_is_known(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    with intake_on(tmp_path) as intake:
        lane = intake.lane("relay/a", "alert", "protobuf")
        lane.put(b"1:")
        assert lane.flush(DEADLINE_S)
        wait_until(lambda: intake._room._next_tick > time.monotonic() + 0.9)
        wait_until(lambda: intake._room._next_tick < time.monotonic() + 0.5)
        assert numbers_in(tmp_path) == [1]
    work.close()


def test_a_full_spool_blocks_and_goes_on_when_a_sink_catches_up(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    with intake_on(tmp_path, LITTLE) as intake:
        lane = intake.lane("relay/a", "alert", "protobuf")
        producer = threading.Thread(
            target=lambda: [lane.put(numbered(n, 1000)) for n in range(400)]
        )
        producer.start()
        wait_until(lambda: intake.stats().full and intake.stats().blocked_lanes)
        stats = intake.stats()
        assert "sinks are behind" in stats.full
        assert stats.waiting_bytes <= LITTLE.max_bytes
        assert stats.dropped_frames == 0
        found: list[int] = []
        while producer.is_alive() or len(found) < 400:
            rows = read_all(tmp_path, after=found_seq(work))
            found += [number_of(frame) for frame in frames_in(rows)]
            if rows:
                work.commit("duckdb", rows[-1].seq, True)
            producer.join(0.01)
        assert found == list(range(400))
        wait_until(lambda: not intake.stats().full)
        assert intake.stats().blocked_s > 0
    work.close()


def found_seq(work: Work) -> int:
    cursors = work.cursors()
    return cursors["duckdb"].seq if "duckdb" in cursors else 0


def test_closing_a_blocked_intake_ends_and_says_that_not_all_was_stored(tmp_path: Path) -> None:
    with intake_on(tmp_path, LITTLE) as intake:
        lane = intake.lane("relay/a", "alert", "protobuf")
        outcome: list[Exception] = []

        def produce() -> None:
            try:
                for n in range(400):
                    lane.put(numbered(n, 1000))
            except SpoolError as error:
                outcome.append(error)

        producer = threading.Thread(target=produce)
        producer.start()
        wait_until(lambda: intake.stats().full and intake.stats().blocked_lanes)
        assert not intake.close(DEADLINE_S)
        producer.join(DEADLINE_S)
        assert outcome
        assert "not acknowledged" in str(intake.failed())
    found = numbers_in(tmp_path)
    assert found == list(range(len(found)))


def test_a_full_spool_drops_the_oldest_and_tells_one_gap_with_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "QUIET_S", 0.5)
    settings = config.Spool(
        reserve_bytes=64 * 1024, max_bytes=100_000, flush_bytes=10_000, when_full="drop_oldest"
    )
    with intake_on(tmp_path, settings) as intake:
        lane = intake.lane("relay/a", "alert", "protobuf")
        for n in range(400):
            lane.put(numbered(n, 1000))
            if n % 10 == 9:
                assert lane.flush(DEADLINE_S)
        stats = intake.stats()
        assert stats.dropped_frames > 200
        assert stats.blocked_s == 0
        assert stats.waiting_bytes <= settings.max_bytes
        dropped = stats.dropped_frames
        wait_until(lambda: gaps_in(tmp_path))
    [gap] = gaps_in(tmp_path)
    assert (gap["reason"], gap["source"], gap["stream"], gap["lost"]) == (
        "spool_overflow", "relay/a", "alert", dropped,
    )  # fmt: skip
    frames = [
        number_of(f) for r in read_all(tmp_path) if r.stream == "alert" for f in frames_in([r])
    ]
    assert frames == list(range(dropped, 400))
    assert gap["start_us"] <= gap["end_us"]


def test_what_sinks_have_is_freed_rather_than_dropped(tmp_path: Path) -> None:
    settings = config.Spool(
        reserve_bytes=64 * 1024, max_bytes=100_000, flush_bytes=10_000, when_full="drop_oldest"
    )
    work = Work.open(tmp_path)
    with intake_on(tmp_path, settings) as intake:
        lane = intake.lane("relay/a", "alert", "protobuf")
        for n in range(400):
            lane.put(numbered(n, 1000))
            if n % 10 == 9:
                assert lane.flush(DEADLINE_S)
                work.commit("duckdb", intake.stats().last_seq, True)
        assert intake.stats().dropped_frames == 0
    work.close()


def test_damage_is_told_as_a_gap(tmp_path: Path) -> None:
    with intake_on(tmp_path) as intake:
        intake.lane("relay/a", "alert", "protobuf").put(numbered(1))
    (tmp_path / "spool.db").write_bytes(b"garbage" * 5000)
    with intake_on(tmp_path) as intake:
        wait_until(lambda: gaps_in(tmp_path))
        assert intake.stats().recoveries == 1
        assert "damaged" in intake.stats().recovered
    [gap] = gaps_in(tmp_path)
    assert (gap["reason"], gap["source"], gap["lost"]) == ("spool_damaged", "spool", None)
    with intake_on(tmp_path):
        pass
    assert len(gaps_in(tmp_path)) == 1


def test_an_unexpected_fault_ends_the_writer_and_reaches_every_lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise RuntimeError("unexpected")

    with intake_on(tmp_path) as intake:
        lane = intake.lane("relay/a", "alert", "protobuf")
        monkeypatch.setattr(Spool, "append", fail)
        lane.put(b"x")
        wait_until(lambda: intake.failed() is not None)
        with pytest.raises(SpoolError, match="unexpected"):
            lane.put(b"y")
        assert not intake.close(DEADLINE_S)
    # The lock is free again: the next receiver can start.
    open_spool(tmp_path, at_us=START_US).close()
