"""The embedded store asked while it goes on: what is opened, counted again, interrupted."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from armorstack.core.batch import SCHEMA, Batch
from armorstack.core.gap import Gap
from armorstack.core.query.names import FACETS
from armorstack.core.query.parse import parse
from armorstack.core.query.question import Question
from armorstack.engines.duckdb.snapshot import Snapshot
from armorstack.engines.duckdb.store import Store
from armorstack.errors import QueryStopped, StoreError
from armorstack.store.budget import Budget
from armorstack.store.contract import Arrivals
from armorstack.store.duckdb import LinesStore, LiveStore, PartsStore, counting
from armorstack.store.duckdb.event_store import DuckdbEventStore
from armorstack.store.duckdb.moment import Namespaces, Source
from tests.support.event_stores import batch_of, event, keys, patience, put, varied
from tests.support.stores import DAY_US, HOUR_US, NOW_US, Clock, batch, open_store, rows

EVERYTHING = Question()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "store", part_rows=100_000)
    yield store
    store.close()


def hourly(store: Store, hours: int) -> None:
    """An event an hour, each in a part of its own; `0` is now."""
    for number in reversed(range(hours)):
        put(store, [event(number, NOW_US - number * HOUR_US)], hours - number)
        store.flush()


def remove_parts(store: Store, *, but: int) -> None:
    """Take the files of all parts but the newest ones, so that opening one is an error."""
    parts = sorted(store.view().parts, key=lambda part: part.max_time_us)
    for part in parts[:-but]:
        (store._root / part.name).unlink()


@pytest.mark.parametrize("size", [1, 3])
def test_the_newest_page_opens_the_newest_parts_only(store: Store, size: int) -> None:
    hourly(store, 20)
    remove_parts(store, but=size + 1)
    found = LiveStore(store).events(EVERYTHING, patience(), size=size)
    assert keys(found.rows) == [str(n) for n in range(size)]
    assert found.older


def test_a_page_further_back_opens_neither_newer_nor_much_older_parts(store: Store) -> None:
    hourly(store, 20)
    asked = LiveStore(store)
    first = asked.events(EVERYTHING, patience(), size=5)
    parts = sorted(store.view().parts, key=lambda part: part.max_time_us)
    for part in (*parts[:-8], *parts[-3:]):
        (store._root / part.name).unlink()
    second = asked.events(EVERYTHING, patience(), size=2, before=first.older)
    assert keys(second.rows) == ["5", "6"]


def test_a_rare_event_is_found_however_old_it_is(store: Store) -> None:
    hourly(store, 20)
    question = Question(parse("resource:19 or resource:17", NOW_US))
    assert keys(LiveStore(store).events(question, patience(), size=5).rows) == ["17", "19"]


def test_a_search_goes_back_step_by_step(store: Store) -> None:
    hourly(store, 40)
    remove_parts(store, but=32)
    question = Question(parse("resource:8 or resource:9", NOW_US))
    assert keys(LiveStore(store).events(question, patience(), size=1).rows) == ["8"]


def test_an_event_whose_time_is_known_opens_its_part_only(store: Store) -> None:
    hourly(store, 20)
    remove_parts(store, but=2)
    row = LiveStore(store).event(event(1)["id"], patience(), near_us=NOW_US - HOUR_US + 500)
    assert row is not None
    assert row["resource"] == "1"


def answers(asked: LiveStore, budget: Budget) -> list[object]:
    """What is counted, in each way of counting."""
    day = Question(start_us=NOW_US - DAY_US, end_us=NOW_US + 1)
    narrow = Question(parse("severity>=7", NOW_US), start_us=NOW_US - 15_000_000)
    return [
        work
        for question in (EVERYTHING, day, narrow)
        for work in (
            asked.count(question, budget),
            asked.facets(question, budget, fields=(*FACETS, "label", "intended"), size=5),
            asked.top(question, budget, fields=("pod", "tag"), distinct="label", size=9),
            asked.top(question, budget, fields=("process",), smallest=True, size=3),
            asked.histogram(question, budget, by="severity"),
            asked.histogram(question, budget, by="pod", size=2),
        )
    ]


def test_counts_that_are_kept_count_like_one_reading(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, group in enumerate(varied(200)):
        put(store, group, number + 1)
        if number < 3:
            store.flush()
    asked = LiveStore(store, Clock())
    first, again = answers(asked, patience()), answers(asked, patience())
    # Every field that has two values then has too many to keep.
    monkeypatch.setattr(counting, "MAX_GROUPS", 1)
    at_once = answers(LiveStore(store, Clock()), patience())
    assert first == again == at_once


def test_each_span_is_counted_for_itself(store: Store) -> None:
    put(store, [event(number, NOW_US - number) for number in range(20)], 1)
    store.flush()
    put(store, [event(-number, NOW_US + number) for number in range(1, 20)], 2)
    asked = LiveStore(store)
    for start, end in ((3, 9), (4, 9), (4, 8), (-3, 8), (-3, 7), (-9, -3), (-9, -4)):
        span = Question(start_us=NOW_US - end, end_us=NOW_US - start)
        assert asked.count(span, patience()) == end - start


def test_parts_that_are_counted_are_not_read_again(store: Store) -> None:
    hourly(store, 20)
    asked = LiveStore(store, Clock())
    day = Question(start_us=NOW_US - DAY_US, end_us=NOW_US + 1)
    before = (
        asked.count(day, patience()),
        asked.facets(day, patience(), fields=FACETS),
        asked.histogram(day, patience(), by="severity"),
    )
    remove_parts(store, but=1)
    after = (
        asked.count(day, patience()),
        asked.facets(day, patience(), fields=FACETS),
        asked.histogram(day, patience(), by="severity"),
    )
    assert before == after
    assert before[0] == 20


def test_what_comes_after_counting_is_counted_too(store: Store) -> None:
    asked = LiveStore(store)
    for number in range(40):
        put(store, [event(number, pod_name="a")], number + 1)
        if number % 3 == 2:
            store.flush()
        assert asked.count(EVERYTHING, patience()) == number + 1
        store.tick()
    [facet] = asked.facets(EVERYTHING, patience(), fields=("pod",))
    assert facet.values[0].count == 40


def test_merged_parts_are_counted_once(tmp_path: Path) -> None:
    with LiveAndStore(tmp_path, part_rows=1000) as (store, asked):
        for number in range(16):
            store.write(batch(number + 1, [f"e{number}"], pod_name="a"))
            store.flush()
        assert asked.count(EVERYTHING, patience()) == 16
        while store.status().merges == 0:
            store.tick()
        assert len(store.view().parts) == 1
        assert asked.count(EVERYTHING, patience()) == 16


class LiveAndStore:
    """An open store, and how it is asked."""

    def __init__(self, folder: Path, **settings: float) -> None:
        self._store = open_store(folder / "other", **settings)

    def __enter__(self) -> tuple[Store, LiveStore]:
        return self._store, LiveStore(self._store, Clock())

    def __exit__(self, *_: object) -> None:
        self._store.close()


def test_a_stream_sees_one_moment_and_keeps_its_files(tmp_path: Path) -> None:
    with LiveAndStore(tmp_path, part_rows=1000) as (store, asked):
        for number in range(16):
            store.write(batch(number + 1, [f"e{number}"]))
            store.flush()
        stream = asked.stream(EVERYTHING, patience())
        seen = next(stream).column("resource").to_pylist()
        while store.status().merges == 0:
            store.tick()
        store.write(batch(17, ["later"]))
        seen += [key for rows in stream for key in rows.column("resource").to_pylist()]
        assert sorted(seen) == sorted(f"e{number}" for number in range(16))
        assert len(list((tmp_path / "other").glob("parts/*/*.parquet"))) == 1


def heavy(count: int = 300_000) -> pa.RecordBatch:
    """Events that take long to search."""
    return rows((f"{number:032x}" * 4, NOW_US + number) for number in range(count))


def labelled(events: pa.RecordBatch) -> pa.RecordBatch:
    """The same, each with a label of its own."""
    place = SCHEMA.get_field_index("labels")
    return events.set_column(place, SCHEMA.field(place), events.column("resource"))


SLOW = " or ".join(f"resource:*{n}?{n}*{n}?f*{n}?a*" for n in range(10))


def test_a_long_search_ends_when_nobody_waits_any_more(store: Store) -> None:
    store.write(Batch(heavy(), (), 1))
    asked, budget = LiveStore(store), Budget(50.0)
    ended: list[BaseException | int] = []

    def ask() -> None:
        try:
            while True:
                asked.count(Question(parse(SLOW, NOW_US)).narrowed(), budget)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while not budget._running:
        thread.join(0.001)
    budget.cancel()
    thread.join()
    assert isinstance(ended[0], QueryStopped)
    assert "nobody waits" in str(ended[0])
    # The error that the interruption made, in whose place it stands; not the check before a query.
    assert isinstance(ended[0].__context__, StoreError)
    assert asked.count(EVERYTHING, patience()) == 300_000


def test_a_long_search_ends_when_its_time_is_up(store: Store) -> None:
    store.write(Batch(heavy(), (), 1))
    with pytest.raises(QueryStopped, match=r"longer than 0\.05 s"):
        LiveStore(store).count(Question(parse(SLOW, NOW_US)), Budget(0.05))


def test_a_statement_that_had_not_begun_is_interrupted_too(store: Store) -> None:
    with store.snapshot() as snapshot:
        snapshot.interrupt()
        with pytest.raises(StoreError, match="interrupted"):
            snapshot.query("SELECT 1 FROM events")


def test_a_question_that_needs_too_much_memory_is_refused_and_the_store_lives_on(
    tmp_path: Path,
) -> None:
    with LiveAndStore(tmp_path, memory_bytes=24 * 1024 * 1024) as (store, asked):
        store.write(Batch(labelled(heavy(200_000)), (), 1))
        with pytest.raises(StoreError) as caught:
            asked.top(EVERYTHING, patience(), fields=("stream",), distinct="label")
        assert "shorter time" in caught.value.hint
        assert not isinstance(caught.value, QueryStopped)
        assert asked.count(EVERYTHING, patience()) == 200_000
        store.write(batch(2, ["more"]))
        assert asked.newest() == NOW_US + 199_999


def test_a_gap_that_goes_on_is_shown_too(store: Store) -> None:
    going_on = Gap(reason="disconnect", source="relay", start_us=NOW_US - 5, end_us=NOW_US)
    asked = LiveStore(store, Clock(), open_gaps=lambda: [going_on])
    assert asked.gaps(NOW_US - 2, None) == [going_on]
    assert asked.gaps(None, NOW_US - 5) == []


class Merging:
    """A source the parts of which are merged once, as soon as they have been listed."""

    def __init__(self, inner: Source, store: Store) -> None:
        self._inner, self._store = inner, store

    @contextlib.contextmanager
    def snapshot(self, namespaces: Namespaces) -> Iterator[Snapshot]:
        with self._inner.snapshot(namespaces) as snapshot:
            while self._store.status().merges == 0:
                self._store.tick()
            yield snapshot

    def gaps(self, start_us: int | None, end_us: int | None) -> list[Gap]:
        return self._inner.gaps(start_us, end_us)

    def arrivals(self, place: str, limit: int, namespaces: Namespaces) -> Arrivals:
        return self._inner.arrivals(place, limit, namespaces)


def test_parts_that_are_merged_away_meanwhile_make_a_question_begin_anew(tmp_path: Path) -> None:
    with (
        LiveAndStore(tmp_path, part_rows=1000) as (store, _),
        PartsStore(tmp_path / "other") as beside,
    ):
        for number in range(16):
            store.write(batch(number + 1, [f"e{number}"]))
            store.flush()
        late = DuckdbEventStore(Merging(beside._source, store), Clock())
        assert late.count(EVERYTHING, patience()) == 16
        assert len(store.view().parts) == 1
        # What was counted of the parts before is not counted again.
        assert beside.count(EVERYTHING, patience()) == 16


def test_a_question_that_cannot_begin_anew_says_what_to_do(tmp_path: Path) -> None:
    with (
        LiveAndStore(tmp_path, part_rows=1000) as (store, _),
        PartsStore(tmp_path / "other") as beside,
    ):
        for number in range(16):
            store.write(batch(number + 1, [f"e{number}"]))
            store.flush()
        stream = beside.stream(EVERYTHING, patience())
        next(stream)
        while store.status().merges == 0:
            store.tick()
        with pytest.raises(StoreError, match="went away"):
            list(stream)


def test_nothing_is_left_of_lines_and_nothing_is_made_beside_a_store(
    tmp_path: Path, store: Store
) -> None:
    put(store, [event(1)], 1)
    store.flush()
    before = sorted(tmp_path.rglob("*"))
    with PartsStore(tmp_path / "store") as asked:
        assert asked.count(EVERYTHING, patience()) == 1
        asked.arrivals(asked.arrivals().place)
    assert sorted(tmp_path.rglob("*")) == before
    lines = LinesStore([batch_of([event(1)])])
    folder = lines._session.folder
    assert lines.count(EVERYTHING, patience()) == 1
    lines.close()
    assert not folder.exists()
    with pytest.raises(StoreError):
        lines.count(EVERYTHING, patience())


def test_lines_tell_the_gaps_that_kubearmor_tells() -> None:
    told = event(1, operation="AlertThreshold", dropping_alerts_interval=30, host_name="node-1")
    with LinesStore([batch_of([told, event(2)]), batch_of([told])]) as lines:
        [gap] = lines.gaps(None, None)
        assert (gap.reason, gap.node) == ("throttled", "node-1")
        assert (gap.start_us, gap.end_us) == (NOW_US, NOW_US + 30_000_000)
        assert lines.gaps(NOW_US + 30_000_001, None) == []
        assert lines.gaps(None, NOW_US) == []
        assert lines.histogram(EVERYTHING, patience()).gaps == (gap,)


def test_lines_that_cannot_be_read_leave_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield batch_of([event(1)])
        raise OSError("the pipe broke")

    with pytest.raises(OSError, match="pipe"):
        LinesStore(broken())
