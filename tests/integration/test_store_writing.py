"""What the store takes, when it becomes durable, where it lies."""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from armorstack.core.gap import Gap
from armorstack.engines.duckdb.part import BUCKET_US
from armorstack.engines.duckdb.store import Store
from armorstack.errors import StoreError, StoreLocked
from tests.support.stores import (
    DAY_US,
    NOW_US,
    SECOND_US,
    Clock,
    batch,
    open_store,
    part_files,
    stored,
)

GAP = Gap(reason="stop", source="relay/a", start_us=NOW_US, end_us=NOW_US + 1, lost=3)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


Opening = Callable[..., Store]


@pytest.fixture
def opening(tmp_path: Path) -> Iterator[Opening]:
    """`opening(clock, **settings)`: a store that is closed at the end of the test."""
    opened: list[Store] = []

    def opens(clock: Clock | None = None, **settings: object) -> Store:
        opened.append(open_store(tmp_path, clock, **settings))
        return opened[-1]

    yield opens
    for each in opened:
        each.close()


def test_a_row_is_searchable_when_write_returns(store: Store) -> None:
    assert store.write(batch(1, "ab")) == (2, 0)
    assert stored(store) == ["a", "b"]


def test_the_cursor_moves_with_the_flush_and_not_before(store: Store, tmp_path: Path) -> None:
    store.write(batch(7, "a"))
    assert (store.cursor(), part_files(tmp_path)) == (0, [])
    store.flush()
    assert store.cursor() == 7
    assert part_files(tmp_path) == ["parts/day=2026-11-23/7-0.parquet"]
    assert stored(store) == ["a"]


def test_the_same_event_is_stored_once_whether_in_the_tail_or_in_a_part(store: Store) -> None:
    assert store.write(batch(1, "aba")) == (2, 1)
    assert store.write(batch(2, "bc")) == (1, 1)
    store.flush()
    assert store.write(batch(3, "abcd")) == (1, 3)
    assert stored(store) == ["a", "b", "c", "d"]


def test_what_an_earlier_process_stored_is_not_stored_again(opening: Opening) -> None:
    first = opening()
    first.write(batch(1, "ab"))
    first.close()
    second = opening()
    assert second.cursor() == 1
    assert second.write(batch(2, "abc")) == (1, 2)
    assert stored(second) == ["a", "b", "c"]


def test_an_empty_batch_moves_the_cursor_at_the_next_tick(store: Store, tmp_path: Path) -> None:
    store.write(batch(5))
    store.tick()
    assert (store.cursor(), part_files(tmp_path)) == (5, [])


def test_a_tick_flushes_when_the_oldest_row_has_waited_long_enough(opening: Opening) -> None:
    clock = Clock()
    store = opening(clock, part_interval_s=300.0)
    store.write(batch(1, "a"))
    clock.now_us += 299 * SECOND_US
    store.tick()
    assert store.cursor() == 0
    clock.now_us += SECOND_US
    store.tick()
    assert store.cursor() == 1


def test_a_full_tail_is_flushed_before_it_takes_more(opening: Opening) -> None:
    store = opening(part_rows=3)
    store.write(batch(1, "abc"))
    assert store.cursor() == 0
    store.write(batch(2, "d"))
    assert (store.cursor(), stored(store)) == (1, ["a", "b", "c", "d"])


def test_a_stream_of_duplicates_moves_the_cursor_too(opening: Opening) -> None:
    store = opening(part_rows=5)
    for last in range(1, 7):
        store.write(batch(last, "ab"))
    assert store.cursor() == 3


def test_events_lie_in_the_part_of_their_day(store: Store, tmp_path: Path) -> None:
    store.write(batch(1, "a"))
    store.write(batch(2, "b", at_us=NOW_US - DAY_US))
    store.write(batch(3, "c", at_us=NOW_US + 2 * DAY_US))
    store.flush()
    folders = [file.split("/")[1] for file in part_files(tmp_path)]
    assert folders == ["day=2026-11-22", "day=2026-11-23", "day=late"]
    assert stored(store) == ["a", "b", "c"]


def test_a_late_event_is_still_stored_once(store: Store) -> None:
    for last in (1, 2):
        store.write(batch(last, "a", at_us=NOW_US + 40 * DAY_US))
        store.flush()
    assert stored(store) == ["a"]


def test_parts_of_other_times_are_not_opened(store: Store, tmp_path: Path) -> None:
    """A node whose clock is off must not make each batch read what lies in between."""
    for number in range(20):
        store.write(batch(number + 1, [number], at_us=NOW_US - number * 100 * BUCKET_US))
        store.flush()
    names = {part.cursor: part.name for part in store._listed}
    for number in range(1, 19):
        (tmp_path / "parts" / names[number + 1]).write_bytes(b"damaged")
    store.write(batch(90, ["new"]))
    store.write(batch(91, ["slow clock"], at_us=NOW_US - 19 * 100 * BUCKET_US))
    assert store.status().findings == ()


def test_originals_are_dropped_unless_they_are_wanted(opening: Opening) -> None:
    store = opening(keep_original=False)
    store.write(batch(1, "a", original=b"raw"))
    assert store.query("SELECT original FROM events").to_pylist() == [{"original": None}]


def test_wanted_originals_outlive_the_flush(opening: Opening) -> None:
    store = opening(keep_original=True)
    store.write(batch(1, "a", original=b"raw"))
    store.flush()
    assert store.query("SELECT original FROM events").to_pylist() == [{"original": b"raw"}]


def test_a_gap_is_told_at_once_and_kept_once(opening: Opening, tmp_path: Path) -> None:
    store = opening()
    for last in (1, 2):
        store.write(batch(last, gaps=[GAP, GAP]))
        assert store.gaps(NOW_US, NOW_US + 1) == [GAP]
        store.flush()
    assert store.gaps(NOW_US, NOW_US + 1) == [GAP]
    store.close()
    again = opening()
    again.write(batch(3, gaps=[GAP]))
    assert again.gaps(NOW_US, NOW_US + 1) == [GAP]
    assert again.gaps(NOW_US + 2, NOW_US + 3) == []
    again.close()
    with duckdb.connect(tmp_path / "catalog.duckdb") as connection:
        assert connection.execute("SELECT count(*) FROM gaps").fetchone() == (1,)


def test_close_makes_durable_what_was_taken_and_can_be_called_twice(opening: Opening) -> None:
    store = opening()
    store.write(batch(4, "a"))
    store.close()
    store.close()
    assert (opening().cursor(), store.cursor()) == (4, 4)


def test_the_store_counts_what_it_does(opening: Opening) -> None:
    store = opening()
    store.write(batch(1, "aab"))
    store.flush()
    store.write(batch(2, "c"))
    status = store.status()
    assert (status.accepted, status.duplicates, status.flushes) == (3, 1, 1)
    assert (status.parts, status.part_rows, status.tail_rows) == (1, 2, 1)
    assert status.part_bytes > 0 < status.tail_bytes


def test_a_store_opens_once_even_in_one_process(store: Store, tmp_path: Path) -> None:
    store.write(batch(1, "a"))
    with pytest.raises(StoreLocked, match="open in process") as caught:
        open_store(tmp_path)
    assert "stop it" in caught.value.hint
    assert stored(store) == ["a"]


@pytest.mark.parametrize("name", ["a*b", "a?b", "a[b]", "a\\b"])
def test_a_folder_that_duckdb_would_read_as_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot lie in"):
        open_store(tmp_path / name)


@pytest.mark.parametrize("name", ["it's", "a b#c%20", "ü{x,y}", "~x", "s3:"])
def test_any_other_folder_will_do(tmp_path: Path, name: str) -> None:
    store = open_store(tmp_path / name)
    store.write(batch(1, "a"))
    store.flush()
    found = stored(store)
    store.close()
    assert found == ["a"]


def test_the_folder_is_closed_to_others(store: Store, tmp_path: Path) -> None:
    store.write(batch(1, "a"))
    store.flush()
    folders = [tmp_path / "parts", tmp_path / "tmp", *tmp_path.glob("parts/*")]
    assert [oct(folder.stat().st_mode & 0o077) for folder in folders] == ["0o0"] * 3
