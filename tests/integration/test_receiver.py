"""The receiver around its sources: what it does when they end, fail, or are told to stop."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from armorstack.config import Config, RelaySource, Spool
from armorstack.control import Orders
from armorstack.core.gap import Gap, decode_gap
from armorstack.errors import SourceError
from armorstack.receiver import Receiver
from armorstack.source_threads import Make
from armorstack.sources.contract import Source
from armorstack.spool.intake import Intake
from armorstack.spool.reader import Reader
from armorstack.spool.rows import frames_of
from armorstack.spool.work import Work
from armorstack.state import ReceiverState, SourceState, read_state, receiver_path
from tests.support.running import until

Act = Callable[[Intake, threading.Event], None]


class ActingSource:
    """Does one act after the other, one per run."""

    def __init__(self, *acts: Act, finishes: bool = True) -> None:
        self.name = "acting"
        self.runs = 0
        self._acts, self._finishes = acts, finishes

    def run(self, intake: Intake, stop: threading.Event) -> None:
        act = self._acts[min(self.runs, len(self._acts) - 1)]
        self.runs += 1
        act(intake, stop)

    def state(self) -> SourceState:
        return SourceState(self.name, "acting", finished=self._finishes)


def put(count: int) -> Act:
    def act(intake: Intake, _: threading.Event) -> None:
        lane = intake.lane("acting", "alert", "json")
        for number in range(count):
            lane.put(b"%d" % number)

    return act


def put_at_the_last_moment(intake: Intake, stop: threading.Event) -> None:
    stop.wait()
    put(1000)(intake, stop)


def fail(error: Exception) -> Act:
    def act(_: Intake, __: threading.Event) -> None:
        raise error

    return act


def one(source: Source) -> Make:
    """Whatever the settings say: this source."""
    return lambda _: source


def settings(tmp_path: Path) -> Config:
    return Config(data_dir=str(tmp_path), source=(RelaySource("a:1"),),
                  spool=Spool(reserve_bytes=0))  # fmt: skip


def frames(tmp_path: Path) -> int:
    return Reader.open(tmp_path / "spool").status().frames


def report(tmp_path: Path) -> ReceiverState | None:
    return read_state(receiver_path(str(tmp_path)), ReceiverState)


def test_it_ends_when_its_sources_have_and_what_they_put_is_durable(tmp_path: Path) -> None:
    Receiver(settings(tmp_path), one(ActingSource(put(500))), Orders()).run()
    assert frames(tmp_path) == 500
    state = report(tmp_path)
    assert state is not None
    assert (state.phase, state.received, state.sources[0].finished) == ("stopped", 500, True)
    assert state.last_commit_us > state.started_us


def test_what_a_source_puts_while_it_is_stopped_is_durable(tmp_path: Path) -> None:
    orders = Orders()
    threading.Timer(0.2, orders.stop.set).start()
    Receiver(settings(tmp_path), one(ActingSource(put_at_the_last_moment)), orders).run()
    assert frames(tmp_path) == 1000


def test_a_source_that_breaks_down_is_told_and_run_again(tmp_path: Path) -> None:
    orders = Orders()
    broken = fail(SourceError("the relay speaks Greek", hint="teach it"))
    source = ActingSource(broken, broken, put(5), finishes=False)
    thread = threading.Thread(target=Receiver(settings(tmp_path), one(source), orders).run)
    thread.start()
    until(
        lambda: (state := report(tmp_path)) and state.sources[0].error == "the relay speaks Greek",
        "the reason",
    )
    thread.join(20)
    assert not thread.is_alive()
    assert source.runs == 3
    assert frames(tmp_path) == 5


def test_a_spool_that_was_damaged_is_replaced_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool/spool.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 100_000)
    Receiver(settings(tmp_path), one(ActingSource(put(5))), Orders()).run()
    assert frames(tmp_path) >= 5
    state = report(tmp_path)
    assert state is not None
    assert state.spool.recoveries == 1


def test_a_fault_of_our_own_ends_it_loudly_with_the_rest_durable(tmp_path: Path) -> None:
    source = ActingSource(fail(ZeroDivisionError("a fault of ours")))
    other = ActingSource(put_at_the_last_moment)
    acting = {"a:1": source, "b:1": other}
    both = replace(settings(tmp_path), source=(RelaySource("a:1"), RelaySource("b:1")))
    with pytest.raises(ZeroDivisionError):
        Receiver(both, lambda settings: acting[settings.address], Orders()).run()
    assert frames(tmp_path) == 1000


def drained_gaps(tmp_path: Path, stop: threading.Event) -> Iterator[Gap]:
    """Take everything from the spool, as a worker would; the gaps among it."""
    work, reader, position = Work.open(tmp_path / "spool"), Reader.open(tmp_path / "spool"), 0
    work.enroll({"sink": True})
    while not stop.wait(0.05):
        for row in reader.read(position, 1 << 20):
            position = row.seq
            yield from map(decode_gap, frames_of(row) if row.stream == "gap" else ())
        work.commit("sink", position, True)
    work.close()


def test_what_a_relay_may_have_lost_to_a_full_spool_is_a_gap_when_it_is_over(
    tmp_path: Path,
) -> None:
    orders = Orders(grace_s=3600.0)

    def put_and_stay(intake: Intake, stop: threading.Event) -> None:
        put(20_000)(intake, stop)
        stop.wait()

    source = ActingSource(put_and_stay)
    source.state = lambda: SourceState("relay/a:1", "relay", connected=True)  # type: ignore[method-assign]
    small = Spool(reserve_bytes=0, max_bytes=30_000, max_memory_bytes=30_000, flush_bytes=5_000)
    config = replace(settings(tmp_path), spool=small)
    thread = threading.Thread(target=Receiver(config, one(source), orders).run)
    thread.start()
    until(lambda: (state := report(tmp_path)) and state.spool.full, "a full spool")
    gap = next(drained_gaps(tmp_path, orders.stop))
    assert (gap.reason, gap.source, gap.lost) == ("spool_overflow", "relay/a:1", None)
    assert 0 < gap.start_us < gap.end_us
    orders.stop.set()
    thread.join(20)
    assert not thread.is_alive()
