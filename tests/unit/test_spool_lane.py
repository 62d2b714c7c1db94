"""Lanes, their gate, and what one group commit takes of them."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armorstack import config
from armorstack.errors import SpoolError
from armorstack.spool import batch as batches
from armorstack.spool.batch import gather, split
from armorstack.spool.lane import Gate, Lane
from tests.support.spool_rows import frames_in

SETTINGS = config.Spool(flush_bytes=1000, max_memory_bytes=4000)
DEADLINE_S = 20


def lane_of(gate: Gate, source: str = "relay/a") -> Lane:
    lane = Lane(gate, source, "alert", "protobuf", "c")
    gate.lanes.append(lane)
    return lane


def commit(gate: Gate) -> list[bytes]:
    """What the writer does, without a disk."""
    batch = gather(gate.lanes, 1000, 7)
    batch.settle()
    gate.announce()
    return frames_in(batch.rows)


def test_frames_are_taken_in_the_order_they_were_put() -> None:
    gate = Gate(SETTINGS)
    lane = lane_of(gate)
    lane.put(b"a")
    lane.put_many([b"b", b"", b"c"])
    assert commit(gate) == [b"a", b"b", b"", b"c"]
    assert commit(gate) == []


def test_rows_carry_the_lanes_names_and_the_time() -> None:
    gate = Gate(SETTINGS)
    lane_of(gate, "x").put(b"1")
    lane_of(gate, "y").put(b"2")
    rows = gather(gate.lanes, 1000, 7).rows
    told = [(r.source, r.stream, r.encoding, r.cluster, r.received_us, r.count) for r in rows]
    assert told == [("x", "alert", "protobuf", "c", 7, 1), ("y", "alert", "protobuf", "c", 7, 1)]


def test_a_lane_wakes_the_writer_when_it_has_enough() -> None:
    gate = Gate(SETTINGS)
    lane = lane_of(gate)
    lane.put(bytes(900))
    assert not gate.wake.is_set()
    lane.put(bytes(100))
    assert gate.wake.is_set()


@given(st.lists(st.binary(max_size=60), max_size=60), st.integers(1, 200))
def test_a_row_ends_with_the_frame_that_fills_it(frames: list[bytes], row_bytes: int) -> None:
    parts = list(split(frames, row_bytes))
    assert [frame for part in parts for frame in part] == frames
    assert all(parts)
    if len(parts) > 1:
        for part in parts[:-1]:
            assert sum(map(len, part)) >= row_bytes > sum(map(len, part[:-1]))


def test_a_backlog_is_taken_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "TAKE_FRAMES", 3)
    gate = Gate(SETTINGS)
    lane_of(gate).put_many([b"%d" % n for n in range(7)])
    taken = [gather(gate.lanes, 1000, 7) for _ in range(4)]
    assert [len(frames_in(batch.rows)) for batch in taken] == [3, 3, 1, 0]
    assert [batch.more for batch in taken] == [True, True, False, False]


def test_a_position_is_taken_with_the_last_of_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "TAKE_FRAMES", 2)
    gate = Gate(SETTINGS)
    lane = lane_of(gate)
    lane.put(b"before")
    lane.put_many([b"1", b"2"], ("file/x", b"at 2"))
    lane.put_many([], ("file/x", b"at 2 again"))
    lane.put_many([b"3"], ("file/x", b"at 3"))
    taken = [gather(gate.lanes, 1000, 7) for _ in range(3)]
    assert [frames_in(batch.rows) for batch in taken] == [[b"before", b"1"], [b"2", b"3"], []]
    assert [batch.positions for batch in taken] == [{}, {"file/x": b"at 3"}, {}]


def test_a_position_without_frames_is_taken() -> None:
    gate = Gate(SETTINGS)
    lane_of(gate).put_many([], ("file/x", b"0"))
    batch = gather(gate.lanes, 1000, 7)
    assert batch
    assert batch.rows == []
    assert batch.positions == {"file/x": b"0"}


def test_flush_is_true_only_once_all_is_durable() -> None:
    gate = Gate(SETTINGS)
    lane = lane_of(gate)
    assert lane.flush(0)
    lane.put(b"")
    assert not lane.flush(0.01)
    batch = gather(gate.lanes, 1000, 7)
    assert not lane.flush(0.01)
    batch.settle()
    assert lane.flush(0)
    lane.put_many([], ("k", b"v"))
    assert not lane.flush(0.01)
    commit(gate)
    assert lane.flush(0)


def test_flush_waits_for_what_was_put_before_it() -> None:
    gate = Gate(SETTINGS)
    lane = lane_of(gate)
    lane.put(b"x")
    writer = threading.Timer(0.1, commit, [gate])
    writer.start()
    assert lane.flush(DEADLINE_S)
    writer.join()


def test_a_source_waits_while_memory_is_full_and_the_wait_is_counted() -> None:
    gate = Gate(SETTINGS)
    lane = lane_of(gate)
    done = threading.Event()

    def produce() -> None:
        for _ in range(10):
            lane.put(bytes(996))
        done.set()

    thread = threading.Thread(target=produce)
    thread.start()
    wait_until(lambda: gate.blocked_lanes == 1)
    assert not done.is_set()
    assert gate.memory_bytes() == 4000
    while thread.is_alive():
        commit(gate)
        thread.join(0.01)
    assert done.is_set()
    assert gate.blocked_s > 0
    assert gate.blocked_lanes == 0


def test_all_lanes_share_one_limit() -> None:
    gate = Gate(SETTINGS)
    lanes = [lane_of(gate, f"s{n}") for n in range(3)]
    for lane in lanes:
        lane.put(bytes(996))
    thread = threading.Thread(target=lanes[0].put, args=[bytes(996)])
    thread.start()
    wait_until(lambda: gate.blocked_lanes == 1)
    commit(gate)
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def test_a_closed_gate_refuses_frames_and_frees_those_who_wait() -> None:
    gate = Gate(SETTINGS)
    lane = lane_of(gate)
    errors: list[Exception] = []

    def produce() -> None:
        try:
            while True:
                lane.put(bytes(996))
        except SpoolError as error:
            errors.append(error)

    thread = threading.Thread(target=produce)
    thread.start()
    wait_until(lambda: gate.blocked_lanes == 1)
    gate.close()
    thread.join(DEADLINE_S)
    assert "closed" in str(errors[0])
    with pytest.raises(SpoolError, match="closed"):
        lane.put(b"x")
    with pytest.raises(SpoolError, match="closed"):
        lane.put_many([b"x"])


def test_a_failed_writer_makes_every_lane_raise_its_reason() -> None:
    gate = Gate(SETTINGS)
    lane = lane_of(gate)
    lane.put(b"x")
    fault = RuntimeError("the disk caught fire")
    gate.end(fault)
    with pytest.raises(SpoolError, match="caught fire") as caught:
        lane.put(b"y")
    assert caught.value.__cause__ is fault
    with pytest.raises(SpoolError, match="caught fire"):
        lane.flush(DEADLINE_S)


def test_frames_put_while_the_writer_takes_are_neither_lost_nor_doubled() -> None:
    gate = Gate(config.Spool(flush_bytes=2000, max_memory_bytes=10_000))
    lanes = [lane_of(gate, f"s{n}") for n in range(3)]
    count = 20_000

    def produce(lane: Lane) -> None:
        for n in range(count):
            lane.put(b"%d" % n)

    threads = [threading.Thread(target=produce, args=[lane]) for lane in lanes]
    for thread in threads:
        thread.start()
    found: dict[str, list[int]] = {lane.source: [] for lane in lanes}
    alive = True
    while alive:
        alive = any(thread.is_alive() for thread in threads)
        batch = gather(gate.lanes, 1000, 7)
        for row in batch.rows:
            found[row.source] += map(int, frames_in([row]))
        batch.settle()
        gate.announce()
    assert all(numbers == list(range(count)) for numbers in found.values())
    assert gate.memory_bytes() == 0


def wait_until(condition: object) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.002)
