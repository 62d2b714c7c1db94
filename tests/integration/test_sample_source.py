"""The sample source: its child process, its end, and what it leaves behind."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from armorstack.config import SampleSource
from armorstack.core.fields import STREAMS
from armorstack.core.proto import message_class
from armorstack.sources.sample import SampleRelaySource
from tests.support.receiving import DEADLINE_S, Receiving


@contextmanager
def receiving(folder: Path, **settings: Any) -> Iterator[Receiving]:
    with Receiving(SampleRelaySource(SampleSource(**settings)), folder) as running:
        yield running


def children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if "sample-relay" in p.cmdline()]


def test_a_counted_sample_finishes_with_every_event_and_without_a_gap(tmp_path: Path) -> None:
    with receiving(tmp_path, rate=1_000_000, count=12_000) as running:
        running.wait_end()
        assert running.error is None
        state = running.source.state()
        assert (state.finished, state.error, state.kind) == (True, "", "sample")
    assert len(running.frames()) == 12_000
    assert running.gaps() == []
    assert children() == []


def test_frames_come_whole_under_the_sources_name_and_cluster(tmp_path: Path) -> None:
    with receiving(tmp_path, rate=20_000, count=300, name="demo", cluster="trial") as running:
        running.wait_end()
    lanes = running.by_lane()
    assert set(lanes) == {("demo", stream, "protobuf", "trial") for stream in STREAMS}
    for stream in STREAMS:
        for frame in lanes["demo", stream, "protobuf", "trial"]:
            assert message_class(stream).FromString(frame).UpdatedTime


def test_stopping_ends_the_child_and_is_no_gap(tmp_path: Path) -> None:
    with receiving(tmp_path, rate=500) as running:
        running.wait(lambda: len(running.frames()) > 50, "events")
        (child,) = children()
    child.wait(DEADLINE_S)
    assert running.error is None
    assert running.gaps() == []
    assert not running.source.state().finished


def test_a_child_that_is_killed_ends_the_source_with_a_sentence(tmp_path: Path) -> None:
    with receiving(tmp_path, rate=500) as running:
        running.wait(lambda: len(running.frames()) > 50, "events")
        children()[0].kill()
        running.wait_end()
    assert "the sample relay ended with code -9" in str(running.error)


def test_stopping_before_the_child_is_up_ends_at_once(tmp_path: Path) -> None:
    with receiving(tmp_path) as running:
        running.stop.set()
        running.wait_end()
    assert running.error is None
    assert children() == []


def test_no_child_is_left_when_the_receiver_is_killed(tmp_path: Path) -> None:
    receiver = subprocess.Popen(
        [sys.executable, "-m", "armorstack", "receiver", "--sample", "--data-dir", str(tmp_path)],
        stderr=subprocess.PIPE,
    )
    assert receiver.stderr is not None
    assert any(b"connected" in line for line in receiver.stderr)
    (child,) = psutil.Process(receiver.pid).children()
    receiver.kill()
    receiver.wait()
    receiver.stderr.close()
    child.wait(DEADLINE_S)
    assert not child.is_running()


@pytest.mark.parametrize("settings", [{}, {"name": "mine"}])
def test_before_it_runs_the_source_is_not_connected(settings: dict[str, str]) -> None:
    state = SampleRelaySource(SampleSource(**settings)).state()
    assert (state.connected, state.finished) == (False, False)
    assert state.name == settings.get("name", "sample")
