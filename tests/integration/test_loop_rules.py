"""Filters, matches and sinks that may be late, in the worker's loop over a real spool."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from armorstack.config import (
    Config,
    DropFilter,
    FoldFilter,
    Match,
    RedactFilter,
    Select,
    SetFilter,
    ThrottleFilter,
)
from armorstack.control import Orders
from armorstack.core.batch import Batch
from armorstack.core.decode import Decoded
from armorstack.core.gap import decode_gap
from armorstack.counting import EventCounts
from armorstack.errors import EngineError
from armorstack.pipeline.loop import SinkLoop
from armorstack.pipeline.tally import Tally
from armorstack.sinks.contract import Outcome
from armorstack.spool.reader import Reader
from armorstack.spool.rows import Row
from armorstack.spool.work import Filter
from armorstack.worker import Worker
from tests.support.loops import Bench, ScriptedSink, loop_bench, now_us, resources
from tests.support.running import synthetic_lines, until

FAR_US = 1 << 60
ODD = DropFilter(select=Select(resources=("*[13579]",)))
UNREADABLE = '{"Timestamp": tru, "token=hunter2"'
SECRET = RedactFilter(patterns=("hunter2",))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with loop_bench(tmp_path) as made:
        yield made


def away(_: Batch) -> Outcome:
    raise EngineError("away")


def test_dropped_events_are_passed_by_the_cursor_and_counted(bench: Bench) -> None:
    last = bench.append(synthetic_lines(0, 10))
    sink = ScriptedSink()
    loop = bench.drained(sink, filter=(ODD,))
    assert sink.resources == resources(0, 10)[::2]
    assert bench.work.cursors()["scripted"].seq == last
    assert [(each.name, each.dropped) for each in loop.job.rules.counts()] == [("drop-1", 5)]


def test_only_what_a_match_gives_to_the_sink_is_written_but_all_is_counted(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 10))
    sink = ScriptedSink()
    match = Match(sink="scripted", select=Select(resources=("*[0-4]",)))
    loop = bench.drained(sink, match=(match,))
    assert sink.resources == resources(0, 5)
    assert loop.tally.unmatched == 5
    assert len(loop.tally.last) == 8


def test_while_events_are_kept_back_the_cursor_waits_before_them(bench: Bench) -> None:
    before = bench.append(synthetic_lines(0, 2))
    sink = ScriptedSink()
    fold = FoldFilter(interval_s=300, select=Select(resources=("*file-[2-9]",)))
    loop, orders = bench.loop(sink, filter=(fold,))
    until(lambda: loop.state(0).stored == 2, "the events outside the fold")
    bench.append(synthetic_lines(2, 4), received_us=now_us())
    last = bench.append(synthetic_lines(0, 1))
    until(lambda: len(sink.resources) == 3, "the event behind the fold")
    asked = sink.asked
    until(lambda: sink.asked > asked + 2, "the cursor to be told again")
    assert bench.work.cursors()["scripted"].seq == before
    assert sink.taken == before
    orders.drain.set()
    loop.join(10)
    assert sorted(sink.resources) == sorted([*resources(0, 4), *resources(0, 1)])
    assert bench.work.cursors()["scripted"].seq == last


def test_folded_events_go_on_when_their_time_is_over_though_nothing_comes(bench: Bench) -> None:
    last = bench.append(synthetic_lines(0, 3), received_us=now_us())
    sink = ScriptedSink()
    fold = FoldFilter(interval_s=0.3, by=("type",))
    loop, orders = bench.loop(sink, filter=(fold,))
    until(lambda: sink.resources == resources(0, 1), "the first of the three")
    until(lambda: bench.work.cursors()["scripted"].seq == last, "the cursor")
    assert loop.job.rules.counts()[0].dropped == 2
    orders.drain.set()
    loop.join(10)


def test_what_a_throttle_lets_go_reaches_the_sink_and_the_list_of_gaps(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 10), received_us=now_us())
    sink = ScriptedSink()
    loop = bench.drained(sink, filter=(ThrottleFilter(events=4, interval_s=3600),))
    assert sink.resources == resources(0, 4)
    assert [(gap.reason, gap.source, gap.lost) for gap in sink.gaps] == [
        ("filter_throttle", "throttle-1", 6)
    ]
    assert [decode_gap(each) for each in bench.work.gaps(0, FAR_US)] == sink.gaps
    assert loop.tally.gaps == {"filter_throttle": 1}


def test_nodes_are_remembered_although_their_events_are_dropped(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 3), received_us=now_us())
    bench.drained(ScriptedSink(), filter=(DropFilter(),))
    assert [(seen.node, seen.events) for seen in bench.work.nodes()] == [("node-1", 3)]


def test_a_sink_that_is_not_required_passes_over_what_is_too_old(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 4), received_us=now_us() - 60_000_000)
    last = bench.append(synthetic_lines(4, 6), received_us=now_us())
    sink = ScriptedSink(required=False)
    loop = bench.drained(sink, max_lag_s=30)
    assert sink.resources == resources(4, 6)
    assert [(gap.reason, gap.source, gap.lost) for gap in sink.gaps] == [
        ("sink_behind", "scripted", 4)
    ]
    assert loop.state(0).passed_over == 4
    assert bench.work.cursors()["scripted"].seq == last


def test_a_required_sink_passes_over_nothing(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 4), received_us=now_us() - 60_000_000)
    sink = ScriptedSink()
    bench.drained(sink, max_lag_s=30)
    assert sink.resources == resources(0, 4)


def test_a_batch_that_cannot_be_written_in_time_is_given_up_and_told(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 4), received_us=now_us())
    sink = ScriptedSink(*([away] * 3), required=False)
    loop, orders = bench.loop(sink, max_lag_s=0.3)
    until(lambda: loop.state(0).passed_over == 4, "the batch to be given up")
    assert loop.state(0).waits_for == ""
    sink._script.clear()
    bench.append(synthetic_lines(4, 6), received_us=now_us() + 3600_000_000)
    until(lambda: sink.resources == resources(4, 6), "the events after it")
    assert [(gap.reason, gap.lost) for gap in sink.gaps] == [("sink_behind", 4)]
    orders.drain.set()
    loop.join(10)


def test_what_the_spool_let_go_of_is_told_to_a_sink_that_is_not_required(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 2), received_us=now_us())
    sink = ScriptedSink(required=False)
    loop, orders = bench.loop(sink, max_lag_s=600)
    until(lambda: len(sink.resources) == 2, "the first events")
    gate = [away] * 1000
    sink._script = gate
    lost = bench.append(synthetic_lines(2, 5), received_us=now_us())
    until(lambda: loop.state(0).waits_for != "", "the sink to be away")
    more = bench.append(synthetic_lines(5, 9), received_us=now_us())
    bench.append(synthetic_lines(9, 10), received_us=now_us())
    bench.spool.trim(more)
    gate.clear()
    until(lambda: sink.resources[-1:] == resources(9, 10), "the last event")
    assert sink.resources == [*resources(0, 5), *resources(9, 10)]
    assert [(gap.reason, gap.lost) for gap in sink.gaps] == [("sink_behind", 4)]
    assert loop.state(0).missed_frames == {"optional_sink_behind": 4}
    assert lost < more
    orders.drain.set()
    loop.join(10)


def test_a_fault_in_a_sink_that_is_not_required_ends_only_its_own_loop(
    bench: Bench, tmp_path: Path
) -> None:
    bench.append(synthetic_lines(0, 4), received_us=now_us())

    def fault(_: Batch) -> Outcome:
        raise ZeroDivisionError("a fault of ours")

    good, bad = ScriptedSink(), ScriptedSink(fault, required=False, name="bad")
    jobs = [bench.job(good), replace(bench.job(bad), leads=False)]
    orders = Orders(grace_s=3600.0)
    worker = Worker(Config(data_dir=str(tmp_path)), jobs, orders, "")
    thread = threading.Thread(target=worker.run)
    thread.start()
    until(lambda: good.resources == resources(0, 4), "the good sink")
    until(lambda: "ZeroDivisionError" in worker._state("running").sinks[1].waits_for, "the fault")
    bench.append(synthetic_lines(4, 6), received_us=now_us())
    until(lambda: good.resources == resources(0, 6), "the good sink to go on")
    orders.drain.set()
    thread.join(20)
    assert not thread.is_alive()


def test_undecodable_frames_are_set_aside_without_what_is_redacted(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 1), UNREADABLE)
    bench.drained(ScriptedSink(), filter=(SECRET,))
    letter = bench.work.list()[0]
    assert b"hunter2" not in letter.frame
    assert "hunter2" not in letter.reason
    assert b"token=[redacted]" in letter.frame
    bench.drained(ScriptedSink(), filter=(SECRET,))
    assert bench.work.count() == 1


def test_an_undecodable_frame_is_kept_for_each_required_sink_and_counted_once(
    bench: Bench,
) -> None:
    bench.append(UNREADABLE)
    counts = {}
    for name, required, leads in [
        ("first", True, True), ("second", True, False), ("chat", False, False),
    ]:  # fmt: skip
        sink = ScriptedSink(required=required, name=name)
        bench.work.enroll({name: required})
        job = replace(bench.job(sink), leads=leads)
        orders, tally = Orders(), Tally(EventCounts(0))
        loop = SinkLoop(job, Reader.open(bench.folder), bench.work, tally, orders)
        orders.drain.set()
        loop.start()
        loop.join(20)
        counts[name] = sum(tally.dead_letters.values())
    assert {letter.sink for letter in bench.work.list()} == {"first", "second"}
    assert counts == {"first": 1, "second": 0, "chat": 0}


def broken(_: Sequence[Row]) -> Decoded:
    raise RuntimeError("a fault of ours")


def test_a_letter_is_replayed_through_the_filters_and_only_into_its_own_sink(
    bench: Bench,
) -> None:
    last = bench.append(synthetic_lines(0, 2))
    bench.drained(ScriptedSink(), broken)
    assert bench.work.mark_replay(Filter()) == 2
    other = ScriptedSink(name="other")
    other.opened_at = last
    loop, orders = bench.loop(other)
    until(lambda: loop.state(0).is_open, "the other sink")
    orders.stop.wait(1.5)
    orders.drain.set()
    loop.join(10)
    assert (other.resources, bench.work.count()) == ([], 2)
    sink = ScriptedSink()
    sink.opened_at = last
    loop, orders = bench.loop(sink, filter=(SetFilter(fields={"cluster": "again"}), ODD))
    until(lambda: bench.work.count() == 0, "the letters to be replayed")
    orders.drain.set()
    loop.join(10)
    assert sink.resources == resources(0, 1)


def test_letters_of_a_sink_that_is_gone_are_taken_over(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 2))
    bench.drained(ScriptedSink(name="gone"), broken)
    bench.work.enroll({"scripted": True})
    assert bench.work.adopt("scripted") == 2
    assert {letter.sink for letter in bench.work.list()} == {"scripted"}
