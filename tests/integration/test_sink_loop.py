"""The worker's loop over a real spool, into a sink that misbehaves on command."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from armorstack import config
from armorstack.core.batch import Batch, Rejected
from armorstack.core.decode import Decoded, decode
from armorstack.core.gap import Gap, encode_gap
from armorstack.errors import EngineError, StoreLocked
from armorstack.sinks.contract import Outcome
from armorstack.spool.rows import Row
from armorstack.spool.store import Spool
from armorstack.spool.work import Filter
from tests.support.loops import Bench, ScriptedSink, loop_bench, resources
from tests.support.running import synthetic_lines, until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with loop_bench(tmp_path) as made:
        yield made


def test_all_that_waits_is_stored_in_order_and_committed(bench: Bench) -> None:
    last = [bench.append(synthetic_lines(i, i + 10)) for i in range(0, 50, 10)][-1]
    sink = ScriptedSink()
    bench.drained(sink)
    assert sink.resources == resources(0, 50)
    assert bench.work.cursors()["scripted"].seq == last
    assert sink.closed


def test_the_spool_is_told_only_what_the_sink_calls_durable(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 5))
    sink = ScriptedSink(keeps_cursor=True)
    loop, orders = bench.loop(sink)
    until(lambda: len(sink.resources) == 5, "the events")
    before = sink.asked
    until(lambda: sink.asked > before + 2, "commits")
    assert bench.work.cursors()["scripted"].seq == 0
    orders.drain.set()
    loop.join(30)
    assert bench.work.cursors()["scripted"].seq == sink.durable > 0


def test_a_loop_begins_at_the_sinks_own_cursor_and_else_at_the_spools(bench: Bench) -> None:
    first = bench.append(synthetic_lines(0, 5))
    second = bench.append(synthetic_lines(5, 10))
    bench.append(synthetic_lines(10, 15))
    bench.work.enroll({"scripted": True})
    bench.work.commit("scripted", second, True)
    sink = ScriptedSink()
    bench.drained(sink)
    assert sink.resources == resources(10, 15)
    sink = ScriptedSink()
    sink.opened_at = first
    bench.drained(sink)
    assert sink.resources == resources(5, 15)


def refuse(_: Batch) -> Outcome:
    raise EngineError("no space on the store's disk")


def test_a_batch_that_the_engine_refuses_is_written_again_until_it_is_taken(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 10))
    sink = ScriptedSink(refuse, refuse)
    loop = bench.drained(sink)
    assert sink.resources == resources(0, 10)
    assert loop.state(0).waits_for == ""
    assert bench.work.count() == 0


def test_while_the_engine_refuses_the_state_says_why_and_nothing_moves(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 10))
    sink = ScriptedSink(*[refuse] * 1000)
    loop, orders = bench.loop(sink)
    until(lambda: loop.state(0).waits_for, "a reason")
    assert loop.state(0).waits_for == "no space on the store's disk"
    assert loop.state(60_000_000).lag_s > 30
    orders.stop.set()
    loop.join(10)
    assert not loop.is_alive()
    assert bench.work.cursors()["scripted"].seq == 0
    assert sink.resources == []


def test_only_rows_to_be_tried_again_are_written_again(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 4))
    bench.append('{"reason":"stop","source":"s","start_us":1,"end_us":2}', stream="gap")
    sink = ScriptedSink()

    def half(batch: Batch) -> Outcome:
        done = sink.take(batch, [0, 2])
        return Outcome(accepted=done.accepted, retry=(1, 3))

    sink._script.append(half)
    loop = bench.drained(sink)
    assert sink.resources == ["/etc/file-0", "/etc/file-2", "/etc/file-1", "/etc/file-3"]
    assert len(sink.gaps) == 1
    state = loop.state(0)
    assert (state.stored, state.retried) == (4, 2)


def test_rows_that_the_sink_will_never_take_become_dead_letters(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 3))
    sink = ScriptedSink()

    def reject_first(batch: Batch) -> Outcome:
        done = sink.take(batch, [1, 2])
        rejected = Rejected(b"{}", "mapper_parsing", "no such field", source="s")
        return Outcome(accepted=done.accepted, rejected=[rejected])

    sink._script.append(reject_first)
    bench.drained(sink)
    assert [letter.error_type for letter in bench.work.list()] == ["mapper_parsing"]
    assert sink.resources == resources(1, 3)


def test_a_frame_that_cannot_be_read_is_a_dead_letter_before_the_sink_sees_the_batch(
    bench: Bench,
) -> None:
    bench.append(synthetic_lines(0, 2), '{"Timestamp": tru', synthetic_lines(2, 4))
    seen: list[int] = []
    sink = ScriptedSink()

    def look(batch: Batch) -> Outcome:
        seen.append(bench.work.count())
        return sink.take(batch)

    sink._script.append(look)
    loop = bench.drained(sink)
    assert seen == [1]
    letter = bench.work.list()[0]
    assert (letter.frame, letter.source, letter.sink) == (b'{"Timestamp": tru', "s", "scripted")
    assert sink.resources == resources(0, 4)
    assert sum(loop.tally.dead_letters.values()) == 1


def test_what_is_read_again_after_a_crash_makes_no_second_dead_letter(bench: Bench) -> None:
    bad = '{"Timestamp": tru'
    bench.append(synthetic_lines(0, 2), bad, bad, synthetic_lines(2, 4))
    bench.drained(ScriptedSink())
    again = ScriptedSink()
    again.opened_at = 0
    loop = bench.drained(again)
    assert again.resources == resources(0, 4)
    assert bench.work.count() == 2
    assert not loop.tally.dead_letters
    bench.append(bad)
    bench.drained(ScriptedSink())
    assert bench.work.count() == 3


def test_what_is_stored_but_not_durable_is_told_apart(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 5))
    sink = ScriptedSink(keeps_cursor=True)
    loop, orders = bench.loop(sink)
    until(lambda: loop.state(0).stored == 5, "the events")
    assert loop.state(0).durable_stored == 0
    sink.flush()
    until(lambda: loop.state(0).durable_stored == 5, "the cursor")
    orders.drain.set()
    loop.join(10)


def test_a_frame_that_breaks_the_decoder_takes_no_neighbour_with_it(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 10))
    bench.append(synthetic_lines(10, 20))

    def brittle(rows: Sequence[Row]) -> Decoded:
        if any(b"file-13" in row.payload for row in rows):
            raise RuntimeError("a fault of ours")
        return decode(rows)

    sink = ScriptedSink()
    bench.drained(sink, brittle)
    assert sink.resources == [name for name in resources(0, 20) if name != "/etc/file-13"]
    assert [letter.error_type for letter in bench.work.list()] == ["decoder_failed"]


def limit_pages(bench: Bench, pages: int) -> None:
    """As a full disk would: SQLite says so when the file would grow beyond this."""
    bench.work._connection.execute(f"PRAGMA max_page_count={pages}").fetchall()


def test_while_dead_letters_cannot_be_kept_the_sink_does_not_see_the_batch(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 2), '{"Timestamp": tru' + "x" * 100_000)
    limit_pages(bench, 1)
    sink = ScriptedSink()
    loop, orders = bench.loop(sink)
    until(lambda: "work.db" in loop.state(0).waits_for, "the reason")
    assert sink.resources == []
    limit_pages(bench, 1_000_000)
    until(lambda: sink.resources == resources(0, 2), "the events")
    assert bench.work.count() == 1
    orders.drain.set()
    loop.join(10)


def test_a_sink_whose_engine_is_away_is_opened_later(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 2))
    sink = ScriptedSink()
    sink.refuse_opening = [EngineError("away"), EngineError("away")]
    bench.drained(sink)
    assert sink.resources == resources(0, 2)


def test_a_sink_that_cannot_ever_be_opened_ends_the_loop_with_its_error(bench: Bench) -> None:
    sink = ScriptedSink()
    sink.refuse_opening = [StoreLocked("another process has it")]
    loop, _ = bench.loop(sink)
    loop.join(10)
    assert isinstance(loop.error, StoreLocked)


def test_a_replayed_dead_letter_is_stored_and_deleted(bench: Bench) -> None:
    """It was refused by a decoder that has been mended since."""
    bench.append(synthetic_lines(0, 3))

    def old(rows: Sequence[Row]) -> Decoded:
        raise RuntimeError("a fault of ours")

    bench.drained(ScriptedSink(), old)
    assert bench.work.count() == 3
    assert bench.work.mark_replay(Filter()) == 3
    sink = ScriptedSink(keeps_cursor=True)
    loop, orders = bench.loop(sink)
    until(lambda: bench.work.count() == 0, "the letters to be replayed")
    orders.drain.set()
    loop.join(10)
    assert sorted(sink.resources) == resources(0, 3)


def test_a_replayed_letter_that_is_refused_again_stays_with_one_more_attempt(bench: Bench) -> None:
    bench.append('{"Timestamp": tru')
    bench.drained(ScriptedSink())
    bench.work.mark_replay(Filter())
    loop, orders = bench.loop(ScriptedSink())
    until(lambda: bench.work.list()[0].attempts == 2, "another attempt")
    orders.drain.set()
    loop.join(10)
    assert [letter.replay for letter in bench.work.list()] == [False]


def test_rows_that_were_freed_before_the_sink_took_them_are_told(bench: Bench) -> None:
    first = bench.append(synthetic_lines(0, 2))
    lost = bench.append(synthetic_lines(2, 4))
    bench.append(synthetic_lines(4, 6))
    bench.spool.trim(lost)
    sink = ScriptedSink()
    sink.opened_at = first
    loop = bench.drained(sink)
    assert sink.resources == resources(4, 6)
    assert loop.state(0).missed == {"dropped_oldest": 1}


def test_a_jump_of_positions_without_a_deletion_is_no_loss(bench: Bench) -> None:
    first = bench.append(synthetic_lines(0, 2))
    bench.spool.close()
    bench.spool = Spool.open(bench.folder, config.Spool(reserve_bytes=0), 10**15)
    assert bench.append(synthetic_lines(2, 4)) > first + 1
    sink = ScriptedSink()
    sink.opened_at = first
    assert bench.drained(sink).state(0).missed == {}


def test_a_cursor_beyond_a_spool_that_was_replaced_does_not_stall(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 2))
    sink = ScriptedSink()
    sink.opened_at = 2**60
    loop, orders = bench.loop(sink)
    until(lambda: sink.resources == resources(0, 2), "the events")
    orders.drain.set()
    loop.join(10)


def test_gaps_reach_the_sink_and_are_counted_by_reason(bench: Bench) -> None:
    gap = Gap("disconnect", "s", 1, 2, lost=7)
    bench.append(encode_gap(gap).decode(), stream="gap")
    sink = ScriptedSink()
    loop = bench.drained(sink)
    assert sink.gaps == [gap]
    assert loop.tally.gaps == {"disconnect": 1}


def test_a_row_that_was_spoiled_on_disk_is_passed_and_told_as_a_gap(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 2))
    spoiled = bench.append(synthetic_lines(2, 4))
    with contextlib.closing(sqlite3.connect(bench.folder / "spool.db")) as database:
        database.execute("UPDATE rows SET crc32 = crc32 + 1 WHERE seq = ?", (spoiled,))
        database.commit()
    sink = ScriptedSink()
    bench.drained(sink)
    assert sink.resources == resources(0, 2)
    assert [(gap.reason, gap.lost) for gap in sink.gaps] == [("spool_damaged", 2)]
    assert bench.work.cursors()["scripted"].seq == spoiled


def test_the_newest_events_are_kept_for_a_person_to_look_at(bench: Bench) -> None:
    bench.append(synthetic_lines(0, 20))
    loop = bench.drained(ScriptedSink())
    assert [event.resource for event in loop.tally.last] == resources(12, 20)[::-1]
