"""The parts of a reload: settings on their way to a child, their check, sources that change."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from armorstack import config
from armorstack.child import Child
from armorstack.config import Config, DropFilter, FileSource, RelaySource, SampleSource, Select
from armorstack.control import fingerprint
from armorstack.core.gap import decode_gap
from armorstack.errors import ConfigError
from armorstack.receiver import gap_frame
from armorstack.source_threads import SourceThreads
from armorstack.spool.intake import Intake
from armorstack.spool.rows import frames_of
from armorstack.spool.store import Spool
from armorstack.state import ReceiverState, SourceState, read_state, receiver_path
from armorstack.vetting import vet
from tests.support.running import synthetic_lines, until
from tests.support.spool_rows import SMALL, read_all


def large(tmp_path: Path, fault: str = "x") -> Config:
    """More settings than a pipe holds."""
    filters = [DropFilter(select=Select(pods=(f"{number}{'x' * 200}",))) for number in range(1000)]
    sources = (FileSource(str(tmp_path / "events.jsonl")),)
    return Config(
        data_dir=str(tmp_path / "data"), source=sources, spool=config.Spool(reserve_bytes=0),
        filter=(*filters, config.RedactFilter(patterns=(fault,))),
    )  # fmt: skip


def test_settings_that_no_pipe_holds_are_vetted_as_well(tmp_path: Path) -> None:
    vet(large(tmp_path))
    with pytest.raises(ConfigError) as refused:
        vet(large(tmp_path, "("))
    assert str(refused.value).startswith("$.filter[1000].patterns")


def test_a_relay_that_reads_nothing_is_refused_before_the_receiver_hears_of_it() -> None:
    source = RelaySource("a:1", alerts="off", logs="off", messages="off")
    with pytest.raises(ConfigError, match="alerts, logs and messages are all off"):
        vet(Config(data_dir="/none", source=(source,)))


def test_a_child_that_hangs_does_not_hold_up_who_tells_it_something(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(synthetic_lines(0, 10))
    settings = large(tmp_path)
    child = Child("receiver", settings)
    child.start()
    process = psutil.Process(child.pid)
    process.suspend()
    try:
        new = Config(data_dir=settings.data_dir, source=settings.source, spool=settings.spool)
        telling = threading.Thread(target=lambda: [child.change(each) for each in (settings, new)])
        telling.start()
        telling.join(20.0)
        assert not telling.is_alive(), "it waits for the child"
        process.resume()
        path = receiver_path(settings.data_dir)

        def is_taken() -> bool:
            assert child.poll() is None
            state = read_state(path, ReceiverState)
            return state is not None and state.settings == fingerprint(new)

        until(is_taken, "the receiver to take the newest settings")
        child.terminate()
        until(lambda: child.poll() == 0, "its end")
    finally:
        child.kill()
        child.close()


class Scripted:
    """A source that puts its mark until it is stopped, and then takes as long as it is told to."""

    def __init__(self, settings: config.Source, may_end: threading.Event, last_words: int) -> None:
        self.name = config.source_name(settings)
        self.connected = False
        self.since_us = 0
        self.runs = 0
        self._mark = f"{self.name} {settings.cluster}".encode()
        self._may_end, self._last_words = may_end, last_words

    def run(self, intake: Intake, stop: threading.Event) -> None:
        self.runs += 1
        lane = intake.lane(self.name, "alert", "json")
        lane.put(self._mark + b" begins")
        stop.wait()
        self._may_end.wait()
        lane.put_many(self._last_words * [b"is ending"])
        lane.put(self._mark + b" ends")

    def state(self) -> SourceState:
        return SourceState(self.name, "scripted", connected=self.connected, since_us=self.since_us)


class Rig:
    """Threads of scripted sources over a real intake."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.may_end = threading.Event()
        self.last_words = 0
        self.made: list[Scripted] = []
        spool = Spool.open(folder, SMALL, time.time_ns() // 1000)
        self.intake = Intake(spool, SMALL, gap_frame=gap_frame)
        self.intake.start()

    def make(self, settings: config.Source) -> Scripted:
        self.made.append(Scripted(settings, self.may_end, self.last_words))
        return self.made[-1]

    def threads(self, *settings: config.Source) -> SourceThreads:
        return SourceThreads(settings, self.make, self.intake)

    def frames(self, stream: str) -> list[bytes]:
        return [frame for row in read_all(self.folder) if row.stream == stream
                for frame in frames_of(row)]  # fmt: skip


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.may_end.set()
    assert rig.intake.close(20.0)


def stepping(threads: SourceThreads, true: Callable[[], object]) -> None:
    """Step until it holds."""

    def look() -> object:
        threads.step()
        return true()

    until(look, "it")


@pytest.mark.parametrize(
    "after",
    [
        RelaySource("a:1", cluster="west"),
        RelaySource("a:1", name="another"),
        RelaySource("b:1", name="relay/a:1"),
    ],
    ids=["other settings", "another name", "the same name elsewhere"],
)
def test_a_source_begins_only_when_the_one_before_it_has_ended_and_all_is_durable(
    rig: Rig, after: RelaySource
) -> None:
    rig.last_words = 100_000  # so many that they take a while
    threads = rig.threads(RelaySource("a:1"))
    threads.change([after])
    for _ in range(10):
        threads.step()
    assert len(rig.made) == 1
    assert not threads.are_finished()
    rig.may_end.set()
    stepping(threads, lambda: len(rig.made) == 2)
    assert b"relay/a:1  ends" in rig.frames("alert")
    threads.end(20.0)
    assert threads.are_finished()


def test_a_source_that_stays_is_not_touched_and_others_come_and_go_beside_it(rig: Rig) -> None:
    stays, goes, comes = RelaySource("a:1"), RelaySource("b:1"), RelaySource("c:1")
    threads = rig.threads(stays, goes)
    threads.change([comes, RelaySource("a:1")])
    # The one that leaves does not hold up one that reads elsewhere.
    assert [source.name for source in rig.made] == ["relay/a:1", "relay/b:1", "relay/c:1"]
    assert [state.name for state in threads.states()] == ["relay/a:1", "relay/c:1"]
    rig.may_end.set()
    threads.end(20.0)
    assert [source.runs for source in rig.made] == [1, 1, 1]


def test_a_changed_relay_owes_a_gap_from_its_stop_to_the_next_connection(rig: Rig) -> None:
    rig.may_end.set()
    threads = rig.threads(RelaySource("a:1"), SampleSource())
    for source in rig.made:
        source.connected = True
    before_us = time.time_ns() // 1000
    threads.change([RelaySource("a:1", cluster="west"), SampleSource(rate=5)])
    stepping(threads, lambda: len(rig.made) == 4)
    # It changes once more before it was connected: nothing in between was seen either.
    threads.change([RelaySource("a:1", cluster="east"), SampleSource(rate=5)])
    stepping(threads, lambda: len(rig.made) == 5)
    rig.made[-1].since_us = connected_us = time.time_ns() // 1000
    rig.made[-1].connected = True
    threads.step()
    threads.end(20.0)
    until(lambda: len(rig.frames("gap")) >= 2, "the gaps")
    told = [decode_gap(frame) for frame in rig.frames("gap")]
    assert [(gap.reason, gap.source) for gap in told] == 2 * [("disconnect", "relay/a:1")]
    assert before_us <= told[0].start_us <= told[0].end_us <= told[1].start_us
    assert told[1].end_us == connected_us


def test_a_relay_that_never_was_connected_and_one_that_is_removed_owe_nothing(rig: Rig) -> None:
    rig.may_end.set()
    threads = rig.threads(RelaySource("a:1"), RelaySource("b:1"))
    rig.made[1].connected = True
    threads.change([RelaySource("a:1", cluster="west")])
    stepping(threads, lambda: len(rig.made) == 3)
    rig.made[2].connected = True
    threads.step()
    threads.end(20.0)
    assert rig.intake.close(20.0)
    assert rig.frames("gap") == []


def test_an_intake_keeps_no_lane_of_a_source_that_has_left(rig: Rig) -> None:
    rig.may_end.set()
    threads = rig.threads(RelaySource("a:1"))
    stepping(threads, lambda: rig.frames("alert"))
    for number in range(20):
        threads.change([RelaySource("a:1", cluster=f"{number}")])
        stepping(threads, lambda made=number + 2: len(rig.made) == made)
    threads.end(20.0)
    assert len(rig.intake._lanes) <= 1


@pytest.mark.parametrize("level", ["debug", "error"])
def test_a_logger_that_was_made_before_follows_a_change_of_the_level(level: str) -> None:
    script = (
        "import structlog\n"
        "from armorstack import log\n"
        "from armorstack.config import Log\n"
        "log.configure('receiver', Log(level='info'))\n"
        "logger = structlog.get_logger().bind(source='a')\n"
        "logger.info('first')\n"
        f"log.configure('receiver', Log(level={level!r}))\n"
        "logger.debug('second')\n"
        "logger.info('third')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    events = [line.split('"event":"')[1].split('"')[0] for line in done.stderr.splitlines()]
    assert events == (["first", "second", "third"] if level == "debug" else ["first"])
