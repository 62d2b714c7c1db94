"""Processes that are killed in the middle of their work: nothing received is lost."""

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from armorstack.config import DuckdbSink
from armorstack.engines.duckdb.store import Store
from tests.support.running import (
    Running,
    kill,
    living,
    running,
    stored_ids,
    synthetic_lines,
    until,
)

TOTAL = 3000


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def kill_worker(run: Running) -> None:
    kill(until(run.worker, "a worker").pid)


def kill_receiver(run: Running) -> None:
    kill(until(run.receiver, "a receiver").pid)


def kill_both(run: Running) -> None:
    kill_receiver(run)
    kill_worker(run)


class Growing:
    """A file that grows while it is read."""

    def __init__(self, path: Path) -> None:
        self._path, self._next = path, 0
        path.touch()

    def grow(self, lines: int) -> None:
        with self._path.open("a") as file:
            file.write(synthetic_lines(self._next, self._next + lines))
        self._next += lines


@pytest.mark.parametrize("strike", [kill_worker, kill_receiver, kill_both])
def test_a_killed_process_is_started_again_and_every_line_is_stored_once(
    data_dir: Path, tmp_path: Path, strike: Callable[[Running], None]
) -> None:
    file = Growing(tmp_path / "events.jsonl")
    with running("run", "--file", str(tmp_path / "events.jsonl"), data_dir=data_dir) as run:
        file.grow(TOTAL // 3)
        until(lambda: run.stored() >= TOTAL // 3, "the first lines")
        file.grow(TOTAL // 3)
        strike(run)
        file.grow(TOTAL // 3)
        # The sink's cursor was 0 when it was killed: a new worker meets every line again.
        until(lambda: run.stored() >= TOTAL, "all lines")
        assert run.stop() == 0, run.output()
    ids = stored_ids(data_dir)
    assert len(ids) == len(set(ids)) == TOTAL
    assert "was killed by SIGKILL; it is started again" in run.output()
    told = re.search(r"stored (\d+), duplicates (\d+), dead letters 0, lost 0", run.output())
    assert told
    assert int(told[1]) + int(told[2]) <= TOTAL


def test_children_of_a_killed_supervisor_end_and_the_next_run_takes_over(
    data_dir: Path, tmp_path: Path
) -> None:
    file = Growing(tmp_path / "events.jsonl")
    with running("run", "--file", str(tmp_path / "events.jsonl"), data_dir=data_dir) as first:
        file.grow(1000)
        until(lambda: first.stored() >= 500, "stored lines")
        family = first.family()
        first.stop(signal.SIGKILL)
        file.grow(1000)
        words = ("run", "--file", str(tmp_path / "events.jsonl"), "--no-follow")
        with running(*words, data_dir=data_dir, name="second") as second:
            assert second.wait() == 0, second.output()
        assert living(family) == []
    ids = stored_ids(data_dir)
    assert len(ids) == len(set(ids)) == 2000


def test_killing_everything_at_once_loses_nothing_that_was_received(
    data_dir: Path, tmp_path: Path
) -> None:
    file = Growing(tmp_path / "events.jsonl")
    words = ("run", "--file", str(tmp_path / "events.jsonl"))
    with running(*words, data_dir=data_dir) as first:
        file.grow(TOTAL)
        until(lambda: (state := first.receiver()) and state.received > 0, "received lines")
        for process in first.family():
            process.kill()
        first.wait()
    with running(*words, "--no-follow", data_dir=data_dir, name="second") as second:
        assert second.wait() == 0, second.output()
    ids = stored_ids(data_dir)
    assert len(ids) == len(set(ids)) == TOTAL


def test_a_receiver_that_is_only_told_to_end_is_started_again(
    data_dir: Path, tmp_path: Path
) -> None:
    file = Growing(tmp_path / "events.jsonl")
    with running("run", "--file", str(tmp_path / "events.jsonl"), data_dir=data_dir) as run:
        first = until(run.receiver, "a receiver").pid
        psutil.Process(first).terminate()
        until(lambda: (state := run.receiver()) and state.pid != first, "another receiver")
        file.grow(10)
        until(lambda: run.stored() >= 10, "the lines")
        assert run.stop() == 0, run.output()
    assert "the receiver ended with exit code 0; it is started again" in run.output()


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGTERM, "stop"), (signal.SIGKILL, "crash")]
)
def test_the_time_without_a_receiver_is_told_as_a_gap_of_each_relay(
    data_dir: Path, tmp_path: Path, number: int, reason: str
) -> None:
    file = Growing(tmp_path / "events.jsonl")
    words = ("run", "--file", str(tmp_path / "events.jsonl"), "--relay", "127.0.0.1:1")
    with running(*words, data_dir=data_dir) as first:
        file.grow(10)
        until(lambda: first.stored() >= 10, "stored lines")
        # The last commit is told once a second.
        until(lambda: (state := first.receiver()) and state.received >= 10, "the report")
        for process in first.family() if number == signal.SIGKILL else ():
            process.kill()
        first.stop(number) if number == signal.SIGTERM else first.wait()
    stopped_us = time.time_ns() // 1000
    with running(*words, data_dir=data_dir, name="second") as second:
        until(lambda: (state := second.worker()) and state.gaps.get(reason), "the gap")
        second.stop()
    store = Store.open(data_dir / "store", DuckdbSink(), lambda: stopped_us)
    own = [gap for gap in store.gaps(0, 2**62) if gap.reason == reason]
    store.close()
    assert [gap.source for gap in own] == ["relay/127.0.0.1:1"]
    assert own[0].start_us < stopped_us < own[0].end_us


def test_the_first_start_on_a_folder_tells_no_gap(data_dir: Path, tmp_path: Path) -> None:
    Growing(tmp_path / "events.jsonl").grow(10)
    words = ("run", "--file", str(tmp_path / "events.jsonl"), "--relay", "127.0.0.1:1")
    with running(*words, data_dir=data_dir) as run:
        until(lambda: run.stored() >= 10, "stored lines")
        worker = until(run.worker, "a worker")
        assert not {"stop", "crash"} & set(worker.gaps)
        assert run.stop() == 0


def test_a_worker_beside_a_receiver_of_its_own_stores_what_that_one_received(
    data_dir: Path, tmp_path: Path
) -> None:
    Growing(tmp_path / "events.jsonl").grow(100)
    words = ("receiver", "--file", str(tmp_path / "events.jsonl"), "--no-follow")
    with running("worker", data_dir=data_dir, name="worker") as worker:
        with running(*words, data_dir=data_dir, name="receiver") as receiver:
            assert receiver.wait() == 0, receiver.output()
        until(lambda: worker.stored() >= 100, "the lines")
        assert worker.stop() == 0, worker.output()
    assert len(set(stored_ids(data_dir))) == 100
