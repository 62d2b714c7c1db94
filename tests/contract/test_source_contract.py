"""What every source promises, tried on each entry of the registry; see `sources/contract.py`.

The relay source is tried twice: with grpcio as it is, and without its experimental option.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from armorstack import config
from armorstack.config import source_name
from armorstack.sources import SOURCES
from tests.support.grpc_modes import without_option
from tests.support.receiving import Receiving
from tests.support.source_rigs import RIGS, Rig

CASES = [
    *(pytest.param((type_, ""), id=type_.__struct_config__.tag) for type_ in SOURCES),
    pytest.param((config.RelaySource, "plain"), id="relay, plain mode"),
]


@pytest.fixture(params=CASES)
def rig(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rig]:
    type_, mode = request.param
    if mode == "plain":
        without_option(monkeypatch)
    rig = RIGS[type_](tmp_path)
    yield rig
    rig.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


def feed(rig: Rig, receiving: Receiving, first: int, last: int) -> list[bytes]:
    """Frames that are durable now: those fed, or, of a source that feeds itself, some."""
    if rig.feeds_itself:
        receiving.wait(lambda: len(receiving.frames()) >= last, "some frames")
        return []
    frames = rig.feed(first, last)
    receiving.wait(lambda: frames[-1] in receiving.frames(), "the last frame")
    return frames


def test_every_kind_of_source_has_a_rig() -> None:
    assert set(RIGS) == set(SOURCES)


def test_a_source_has_its_name_and_kind_before_it_runs(rig: Rig) -> None:
    source = rig.source()
    state = source.state()
    assert source.name == state.name == source_name(rig.settings) == "under test"
    assert state.kind == rig.kind
    assert not state.connected
    assert not state.finished
    assert (state.since_us, state.last_frame_us, state.reconnects) == (0, 0, 0)


def test_all_frames_are_in_the_spool_untouched_and_in_order(rig: Rig, data: Path) -> None:
    with Receiving(rig.source(), data) as receiving:
        fed = feed(rig, receiving, 0, 1000) + feed(rig, receiving, 1000, 1500)
    lanes = receiving.by_lane()
    assert {(name, cluster) for name, _, _, cluster in lanes} == {("under test", "west")}
    if not rig.feeds_itself:
        assert list(lanes.values()) == [fed]


def test_the_state_says_what_goes_on(rig: Rig, data: Path) -> None:
    with Receiving(rig.source(), data) as receiving:
        feed(rig, receiving, 0, 10)
        receiving.wait_connected()
        receiving.wait(lambda: receiving.source.state().last_frame_us, "the time of a frame")
        state = receiving.source.state()
        assert (state.error, state.hint, state.reconnects) == ("", "", 0)
        assert not state.finished
        assert state.since_us > 0
    state = receiving.source.state()
    assert not state.finished
    assert not state.connected, "a source that was stopped reads no more"


@pytest.mark.parametrize("moment", ["at once", "quiet", "under load"])
def test_a_source_ends_soon_when_it_is_stopped_and_leaves_no_thread(
    rig: Rig, data: Path, moment: str
) -> None:
    before = set(threading.enumerate())
    with Receiving(rig.source(), data) as receiving:
        if moment != "at once":
            receiving.wait_connected()
        if moment == "under load" and not rig.feeds_itself:
            fed = rig.feed(0, 100_000)
            receiving.wait(receiving.frames, "the first frames")
        receiving.end()
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not [name for name in left if name.startswith(("under test", "receiving"))]
    assert receiving.error is None
    if moment == "under load" and not rig.feeds_itself:
        frames = receiving.frames()
        assert frames == fed[: len(frames)]


def test_an_orderly_life_leaves_no_gap(rig: Rig, data: Path) -> None:
    for first in (0, 100):
        with Receiving(rig.source(), data) as receiving:
            feed(rig, receiving, first, first + 100)
    assert receiving.gaps() == []


def test_a_restart_doubles_nothing_and_loses_nothing_where_the_source_remembers(
    rig: Rig, data: Path
) -> None:
    fed: list[bytes] = []
    for first in range(0, 300, 100):
        if rig.remembers:
            fed += rig.feed(first, first + 50)
        with Receiving(rig.source(), data) as receiving:
            fed += feed(rig, receiving, first + 50, first + 100)
    if not rig.feeds_itself:
        assert receiving.frames() == fed


def test_a_spool_that_takes_no_more_ends_the_source_loudly(rig: Rig, data: Path) -> None:
    with Receiving(rig.source(), data) as receiving:
        receiving.wait_connected()
        receiving.intake.close(10)
        if not rig.feeds_itself:
            rig.feed(0, 10)
        receiving.wait(lambda: receiving.error is not None, "the end")
    assert "the spool is closed" in str(receiving.error)
