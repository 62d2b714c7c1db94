"""Retention and merging, as the store does them."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from armorstack.core.gap import Gap
from armorstack.engines.duckdb.store import Store
from armorstack.engines.duckdb.upkeep import MERGE_AT_LEAST
from tests.support.stores import (
    DAY_US,
    HOUR_US,
    NOW_US,
    SECOND_US,
    Clock,
    batch,
    open_store,
    part_files,
    stored,
)

Opening = Callable[..., Store]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opening(tmp_path: Path, clock: Clock) -> Iterator[Opening]:
    opened: list[Store] = []

    def opens(**settings: object) -> Store:
        opened.append(open_store(tmp_path, clock, **settings))
        return opened[-1]

    yield opens
    for each in opened:
        each.close()


def write_part(store: Store, last: int, keys: list[object], at_us: int = NOW_US) -> None:
    store.write(batch(last, keys, at_us=at_us))
    store.flush()


def settled(store: Store) -> None:
    """Tick until a merge that is under way has ended."""
    for _ in range(200):
        store.tick()


def disk(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


def test_parts_go_when_their_newest_event_is_too_old(
    opening: Opening, clock: Clock, tmp_path: Path
) -> None:
    store = opening(max_age_days=2.0)
    write_part(store, 1, ["old"], NOW_US - 2 * DAY_US + HOUR_US)
    write_part(store, 2, ["young"], NOW_US - DAY_US)
    store.tick()
    assert stored(store) == ["old", "young"]
    clock.now_us += 2 * HOUR_US
    store.tick()
    assert stored(store) == ["young"]
    assert len(part_files(tmp_path)) == 1
    assert store.status().retired == {"age": 1, "bytes": 0, "damaged": 0}


def test_late_events_are_kept_for_as_long_as_others_after_they_arrived(
    opening: Opening, clock: Clock
) -> None:
    store = opening(max_age_days=2.0)
    write_part(store, 1, ["ancient"], NOW_US - 300 * DAY_US)
    clock.now_us += DAY_US
    store.tick()
    assert stored(store) == ["ancient"]
    clock.now_us += DAY_US + SECOND_US
    store.tick()
    assert stored(store) == []


def test_retention_by_bytes_frees_the_disk_and_spares_the_tail(
    opening: Opening, tmp_path: Path
) -> None:
    store = opening(max_bytes=1 << 60)
    for day in range(6):
        many: list[object] = [f"{day}-{number}" for number in range(3000)]
        write_part(store, 6 - day, many, NOW_US - day * DAY_US)
    before = disk(tmp_path)
    size = store.status().part_bytes
    store.close()
    store = opening(max_bytes=size // 2)
    store.write(batch(9, ["in the tail"]))
    store.tick()
    assert store.status().part_bytes <= size // 2
    assert disk(tmp_path) < before * 0.7
    left = {key.partition("-")[0] for key in stored(store)}
    assert left >= {"0", "in the tail"}
    assert left.isdisjoint({"4", "5"})
    assert store.status().retired["bytes"] > 0


def test_retention_is_looked_at_once_a_minute(opening: Opening, clock: Clock) -> None:
    store = opening(max_age_days=1.0)
    write_part(store, 1, ["a"])
    store.tick()
    clock.now_us += 30 * SECOND_US
    write_part(store, 2, ["b"], clock.now_us - DAY_US + SECOND_US)
    store.tick()
    clock.now_us += 10 * SECOND_US
    store.tick()
    assert stored(store) == ["a", "b"]
    clock.now_us += 20 * SECOND_US
    store.tick()
    assert stored(store) == ["a"]


def test_gaps_go_with_the_events_of_their_time(opening: Opening, clock: Clock) -> None:
    store = opening(max_age_days=1.0)
    gap = Gap(reason="stop", source="a", start_us=NOW_US, end_us=NOW_US)
    store.write(batch(1, "a", gaps=[gap]))
    store.flush()
    clock.now_us += 2 * DAY_US
    store.tick()
    assert store.gaps(0, clock.now_us) == []


def test_small_parts_become_one_without_loss(opening: Opening, tmp_path: Path) -> None:
    store = opening(part_rows=1000)
    for number in range(MERGE_AT_LEAST):
        write_part(
            store, number + 1, [f"{number}-a", f"{number}-b"], NOW_US + number * HOUR_US // 2
        )
    keys = stored(store)
    settled(store)
    assert stored(store) == keys
    assert len(part_files(tmp_path)) == 1
    assert (store.status().merges, store.status().parts) == (1, 1)
    assert store.cursor() == MERGE_AT_LEAST


def test_what_was_merged_is_still_known_and_survives_a_restart(opening: Opening) -> None:
    store = opening(part_rows=1000)
    for number in range(MERGE_AT_LEAST):
        write_part(store, number + 1, [number], NOW_US + number * HOUR_US // 2)
    settled(store)
    store.close()
    again = opening()
    for number in range(MERGE_AT_LEAST):
        outcome = again.write(batch(90, [number], at_us=NOW_US + number * HOUR_US // 2))
        assert outcome == (0, 1)
    assert len(stored(again)) == MERGE_AT_LEAST


def test_merged_rows_are_equal_in_every_column(opening: Opening) -> None:
    store = opening(part_rows=1000)
    event = {"atags": ["x"], "event_data": [("k", "v")], "host_pid": 5, "severity": "3"}
    for number in range(MERGE_AT_LEAST):
        store.write(batch(number + 1, [number], **event))
        store.flush()
    everything = "SELECT * FROM events ORDER BY id"
    before = store.query(everything)
    settled(store)
    assert store.status().merges == 1
    assert store.query(everything) == before


def test_a_merge_ends_when_retention_takes_one_of_its_parts(
    opening: Opening, clock: Clock, tmp_path: Path
) -> None:
    store = opening(part_rows=1_000_000, max_age_days=1.0)
    for number in range(MERGE_AT_LEAST):
        keys: list[object] = [f"{number}-{key}" for key in range(9000)]
        write_part(store, number + 1, keys)
    store.tick()
    assert list(tmp_path.glob("parts/*/*.tmp")), "the merge ended within one tick"
    clock.now_us += 2 * DAY_US
    settled(store)
    assert (stored(store), part_files(tmp_path)) == ([], [])
    assert not list(tmp_path.glob("parts/*/*.tmp"))
    assert store.status().merges == 0


def test_a_damaged_part_is_set_aside_when_a_merge_meets_it(
    opening: Opening, tmp_path: Path
) -> None:
    store = opening(part_rows=1000)
    for number in range(MERGE_AT_LEAST):
        write_part(store, number + 1, [number])
    victim = tmp_path / part_files(tmp_path)[3]
    content = bytearray(victim.read_bytes())
    content[4 : len(content) - 4] = bytes(len(content) - 8)
    victim.write_bytes(content)
    settled(store)
    assert len(stored(store)) == MERGE_AT_LEAST - 1
    assert store.status().retired["damaged"] == 1
    assert victim.with_name(victim.name + ".damaged").exists()
    (gap,) = store.gaps(0, 1 << 62)
    assert (gap.reason, gap.lost) == ("store_damaged", 1)


def test_a_running_query_keeps_the_files_that_it_may_read(opening: Opening, tmp_path: Path) -> None:
    store = opening(part_rows=1000)
    for number in range(MERGE_AT_LEAST):
        write_part(store, number + 1, [number])
    with store._reader._lease():
        settled(store)
        assert store.status().parts == 1
        assert len(part_files(tmp_path)) == MERGE_AT_LEAST + 1
        with store._reader._lease():
            pass
        assert len(part_files(tmp_path)) == MERGE_AT_LEAST + 1
    assert len(part_files(tmp_path)) == 1


def test_queries_count_right_while_parts_are_written_merged_and_retired(
    opening: Opening, clock: Clock
) -> None:
    store = opening(part_rows=200, part_interval_s=1.0)
    store.write(batch(1, ["first"]))
    stop = threading.Event()
    wrong: list[object] = []

    def ask() -> None:
        least = 1
        while not stop.is_set():
            found = store.query("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM events")
            count = found.to_pylist()[0]
            if count["n"] != count["ids"] or count["n"] < least:
                wrong.append((least, count))
            least = count["n"]

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for last in range(2, 100):
        store.write(batch(last, [f"{last}-{key}" for key in range(20)]))
        clock.now_us += 2 * SECOND_US
        store.tick()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert store.status().merges > 0


def test_the_few_rows_of_a_slow_clock_are_merged_though_the_tail_was_full(
    opening: Opening, tmp_path: Path
) -> None:
    store = opening(part_rows=20)
    for last in range(1, MERGE_AT_LEAST + 1):
        store.write(batch(last, [f"{last}-{number}" for number in range(19)]))
        store.write(batch(last, [f"{last}-slow"], at_us=NOW_US - DAY_US))
        store.flush()
    settled(store)
    assert len(list(tmp_path.glob("parts/day=2026-11-22/*.parquet"))) == 1
    assert len(list(tmp_path.glob("parts/day=2026-11-23/*.parquet"))) == MERGE_AT_LEAST
    assert len(stored(store)) == 20 * MERGE_AT_LEAST
