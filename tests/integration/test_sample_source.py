"""The sample source: its child process, its end, and what it leaves behind."""

import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast

import psutil
import pytest

from armorstack.config import SampleSource
from armorstack.core.fields import STREAMS
from armorstack.core.proto import message_class
from armorstack.errors import SourceError
from armorstack.sources.sample import SampleRelaySource
from armorstack.spool.intake import Intake

DEADLINE_S = 30.0


class MemoryLane:
    """Keeps the frames, each after a pause."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.frames: list[bytes] = []
        self._pause_s = pause_s

    def put(self, frame: bytes) -> None:
        time.sleep(self._pause_s)
        self.frames.append(frame)


class MemoryIntake:
    """An intake without a spool: what sources put is kept in memory."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.lanes: dict[tuple[str, ...], MemoryLane] = defaultdict(lambda: MemoryLane(pause_s))
        self.gaps: list[bytes] = []

    def lane(self, source: str, stream: str, encoding: str, cluster: str = "") -> MemoryLane:
        return self.lanes[source, stream, encoding, cluster]

    def gap(self, frame: bytes, source: str) -> None:
        self.gaps.append(frame)

    @property
    def count(self) -> int:
        return sum(len(lane.frames) for lane in self.lanes.values())


class Running:
    """A source in a thread, as the receiver runs it."""

    def __init__(self, *, pause_s: float = 0.0, **settings: Any) -> None:
        self.source = SampleRelaySource(SampleSource(**settings))
        self.intake = MemoryIntake(pause_s)
        self.stop = threading.Event()
        self.error: SourceError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.source.run(cast(Intake, self.intake), self.stop)
        except SourceError as error:
            self.error = error

    def join(self) -> None:
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def child(self) -> psutil.Process:
        return next(
            process
            for process in psutil.Process().children()
            if "sample-relay" in process.cmdline()
        )


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_counted_sample_finishes_with_every_event_and_without_a_gap() -> None:
    running = Running(rate=20_000, count=1_500)
    running.join()
    assert running.error is None
    assert running.intake.count == 1_500
    assert running.intake.gaps == []
    state = running.source.state()
    assert (state.finished, state.error, state.kind) == (True, "", "sample")


def test_events_still_under_way_when_the_child_has_ended_are_waited_for() -> None:
    running = Running(pause_s=0.003, rate=1_000_000, count=1_200)
    running.join()
    assert running.intake.count == 1_200
    assert running.source.state().finished


def test_frames_come_whole_under_the_sources_name_and_cluster() -> None:
    running = Running(rate=20_000, count=300, name="demo", cluster="trial")
    running.join()
    assert set(running.intake.lanes) == {("demo", s, "protobuf", "trial") for s in STREAMS}
    for stream in STREAMS:
        for frame in running.intake.lanes["demo", stream, "protobuf", "trial"].frames:
            assert message_class(stream).FromString(frame).UpdatedTime


def test_stopping_ends_the_child_and_is_no_gap() -> None:
    running = Running(rate=500)
    wait_for(lambda: running.intake.count > 50)
    child = running.child()
    assert running.source.state().connected or running.intake.count
    running.stop.set()
    running.join()
    child.wait(DEADLINE_S)
    assert running.error is None
    assert running.intake.gaps == []
    assert not running.source.state().finished


def test_a_child_that_is_killed_ends_the_source_with_a_sentence() -> None:
    running = Running(rate=500)
    wait_for(lambda: running.intake.count > 50)
    running.child().kill()
    running.join()
    assert running.error is not None
    assert "the sample relay ended with code -9" in str(running.error)


def test_stopping_before_the_child_is_up_ends_at_once() -> None:
    running = Running()
    running.stop.set()
    running.join()
    assert running.error is None
    assert not [p for p in psutil.Process().children() if "sample-relay" in p.cmdline()]


def test_no_child_is_left_when_the_process_of_the_source_is_killed() -> None:
    body = (
        "import threading\n"
        "from armorstack.config import SampleSource\n"
        "from armorstack.sources.sample import SampleRelaySource\n"
        "class Nothing:\n"
        "    def lane(self, *_): return self\n"
        "    def put(self, _): print('.', flush=True)\n"
        "    def gap(self, *_): pass\n"
        "SampleRelaySource(SampleSource(rate=500)).run(Nothing(), threading.Event())\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", body], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b".\n"
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    child.wait(DEADLINE_S)
    assert not child.is_running()


@pytest.mark.parametrize("settings", [{}, {"name": "mine"}])
def test_before_it_runs_the_source_is_not_connected(settings: dict[str, str]) -> None:
    state = SampleRelaySource(SampleSource(**settings)).state()
    assert (state.name, state.connected, state.finished) == (
        settings.get("name", "sample"),
        False,
        False,
    )
