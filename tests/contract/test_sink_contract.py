"""What `sinks/contract.py` promises, kept by every sink of the registry.

A new sink needs one entry in `CASES`: its settings, and how a test reads back what it holds.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from armorstack import config
from armorstack.core.gap import Gap
from armorstack.sinks import SINKS, make_sink
from armorstack.sinks.contract import Outcome, Sink
from armorstack.sinks.duckdb import StoreSink
from tests.support.stores import DAY_US, NOW_US, batch, stored

GAP = Gap(reason="stop", source="relay/a", start_us=NOW_US, end_us=NOW_US + 1, lost=3)


class Case(Struct, frozen=True):
    """How a sink is made, and the keys of the events that it holds."""

    settings: Any
    held: Callable[[Sink], list[str]]


def held_in_store(sink: Sink) -> list[str]:
    assert isinstance(sink, StoreSink)
    return stored(sink.store)


CASES: dict[type[Any], Case] = {
    config.DuckdbSink: Case(config.DuckdbSink(max_age_days=0.0), held_in_store),
}


class Bench:
    """Sinks of one kind over one place, and what they hold."""

    def __init__(self, kind: type[Any], folder: Path) -> None:
        self.case = CASES[kind]
        self.folder = folder
        self.opened: list[Sink] = []

    def make(self, folder: Path | None = None) -> Sink:
        self.opened.append(make_sink("under-test", self.case.settings, folder or self.folder))
        return self.opened[-1]

    def open(self, folder: Path | None = None) -> Sink:
        sink = self.make(folder)
        sink.open()
        return sink

    def held(self, sink: Sink) -> list[str]:
        return self.case.held(sink)


@pytest.fixture(params=SINKS, ids=lambda kind: str(kind.__name__))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(request.param, tmp_path / "data")
    yield bench
    for sink in bench.opened:
        sink.close()


def test_every_sink_of_the_registry_is_under_contract() -> None:
    assert CASES.keys() == SINKS.keys()


def test_a_sink_says_its_name_and_whether_it_is_required(bench: Bench) -> None:
    sink = bench.make()
    assert (sink.name, sink.required) == ("under-test", bench.case.settings.required)


def test_every_row_has_one_fate(bench: Bench) -> None:
    sink = bench.open()
    for last, keys in enumerate(["abc", "", "cd", "dd", "xyx"], start=1):
        outcome = sink.write(batch(last, keys))
        fates = outcome.accepted + outcome.duplicates + len(outcome.retry) + len(outcome.rejected)
        assert fates == len(keys)


def test_what_was_accepted_can_be_read_back_when_write_returns(bench: Bench) -> None:
    sink = bench.open()
    assert sink.write(batch(1, "ab")) == Outcome(accepted=2)
    assert bench.held(sink) == ["a", "b"]


def test_the_same_events_twice_are_duplicates_and_stored_once(bench: Bench) -> None:
    sink = bench.open()
    sink.write(batch(1, "ab"))
    assert sink.write(batch(1, "ab")) == Outcome(duplicates=2)
    assert sink.write(batch(2, "bcc")) == Outcome(accepted=1, duplicates=2)
    sink.flush()
    assert sink.write(batch(3, "abcd")) == Outcome(accepted=1, duplicates=3)
    assert bench.held(sink) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("days", [-400, -1, 0, 1, 400])
def test_events_of_any_date_are_stored_once(bench: Bench, days: int) -> None:
    sink = bench.open()
    for last in (1, 2):
        sink.write(batch(last, "ab", at_us=NOW_US + days * DAY_US))
        sink.flush()
    assert bench.held(sink) == ["a", "b"]


def test_events_without_any_value_but_their_own_columns_are_stored(bench: Bench) -> None:
    sink = bench.open()
    assert sink.write(batch(1, "a", stream=None, resource=None)).accepted == 1


def test_gaps_may_come_twice_and_without_events(bench: Bench) -> None:
    sink = bench.open()
    for last in (1, 2):
        assert sink.write(batch(last, gaps=[GAP, GAP])) == Outcome()
    sink.flush()
    assert bench.held(sink) == []


def test_flush_makes_durable_all_that_was_taken(bench: Bench) -> None:
    sink = bench.open()
    sink.write(batch(5, "a"))
    sink.flush()
    assert sink.cursor() in (5, None)


def test_close_makes_durable_all_that_was_taken(bench: Bench) -> None:
    sink = bench.open()
    sink.write(batch(5, "ab"))
    sink.close()
    again = bench.make()
    assert again.open() in (5, None)
    assert again.cursor() in (5, None)
    assert bench.held(again) == ["a", "b"]


def test_close_may_come_twice_or_without_open(bench: Bench) -> None:
    bench.make().close()
    sink = bench.open()
    sink.close()
    sink.close()


def test_a_crash_loses_nothing_up_to_the_cursor(bench: Bench, tmp_path: Path) -> None:
    sink = bench.open()
    for last in range(1, 8):
        sink.write(batch(last, [f"{last}-{key}" for key in range(3)]))
        if last % 3 == 0:
            sink.flush()
        copy = tmp_path / f"crashed-{last}"
        shutil.copytree(bench.folder, copy)
        after = bench.make(copy)
        cursor = after.open()
        if cursor is not None:
            durable = {f"{n}-{key}" for n in range(1, cursor + 1) for key in range(3)}
            assert durable <= set(bench.held(after))
            replayed(after, cursor, last)
        assert set(Counter(bench.held(after)).values()) == {1}
        assert len(bench.held(after)) == 3 * last
        after.close()


def replayed(sink: Sink, cursor: int, last: int) -> None:
    """What the worker does after a crash: write again what lies after the cursor."""
    for number in range(cursor + 1, last + 1):
        sink.write(batch(number, [f"{number}-{key}" for key in range(3)]))


def test_positions_of_another_spool_are_durable_only_after_they_were_flushed(bench: Bench) -> None:
    """A spool that was replaced may count from lower down."""
    sink = bench.open()
    sink.write(batch(9, "a"))
    sink.flush()
    sink.write(batch(4, "b"))
    cursor = sink.cursor()
    assert cursor is None or cursor < 4
    sink.flush()
    assert sink.cursor() in (4, None)
    sink.close()
    again = bench.make()
    assert again.open() in (4, None)
    assert bench.held(again) == ["a", "b"]


def test_ticks_are_harmless_at_any_time(bench: Bench) -> None:
    sink = bench.open()
    for last in range(1, 4):
        sink.tick()
        sink.write(batch(last, [last]))
        sink.tick()
    assert bench.held(sink) == ["1", "2", "3"]


def test_removed_events_are_counted_by_reason_whether_open_or_not(bench: Bench) -> None:
    sink = bench.make()
    assert sum(sink.removed().values()) == 0
    sink.open()
    assert sum(sink.removed().values()) == 0
