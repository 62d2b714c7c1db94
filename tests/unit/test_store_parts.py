"""Parts, buckets, days; what is retired and what is merged: decisions without a store."""

import pyarrow as pa
import pytest

from armorstack.engines.duckdb import upkeep
from armorstack.engines.duckdb.part import (
    BUCKET_US,
    LATE,
    Kind,
    Part,
    bucket_of,
    buckets_of,
    joined,
    runs_of,
)
from tests.support.stores import DAY_US, HOUR_US, NOW_US, rows

TODAY = "2026-11-23"


def part(
    number: int, day: str = TODAY, *, at_us: int = NOW_US, received_us: int = NOW_US,
    count: int = 10, size: int = 1000, kind: Kind = "timed", layout: str = "now",
) -> Part:  # fmt: skip
    return Part(
        name=f"day={day}/{number}-0.parquet", day=day, kind=kind, layout=layout, cursor=number,
        rows=count, bytes=size, min_time_us=at_us, max_time_us=at_us,
        min_received_us=received_us, max_received_us=received_us,
        runs=runs_of([bucket_of(at_us)]),
    )  # fmt: skip


@pytest.mark.parametrize("time_us", [0, 1, 9_999_999, 10_000_000, NOW_US, -1, -10_000_001])
def test_a_bucket_is_the_same_in_python_and_in_arrow(time_us: int) -> None:
    times = pa.array([time_us], pa.timestamp("us"))
    assert buckets_of(times).to_pylist() == [bucket_of(time_us)]


def test_a_part_covers_exactly_the_buckets_of_its_rows() -> None:
    found = part(1)
    assert found.covers(bucket_of(NOW_US))
    assert not found.covers(bucket_of(NOW_US) - 1)
    assert not found.covers(bucket_of(NOW_US) + 1)


def test_neighbouring_buckets_become_one_run() -> None:
    assert runs_of([7, 3, 4, 5, 9]) == (3, 6, 7, 8, 9, 10)
    assert runs_of([]) == ()


def test_runs_of_several_parts_are_joined_where_they_touch_or_overlap() -> None:
    assert joined([(1, 3, 8, 9), (2, 5), (5, 6)]) == (1, 6, 8, 9)


def days(*times_us: int, max_age_us: int = 30 * DAY_US) -> dict[str, int]:
    table = pa.Table.from_batches([rows(enumerate(times_us))])
    return {day: len(each) for day, each in upkeep.by_day(table, NOW_US, max_age_us).items()}


def test_rows_are_divided_by_the_utc_day_of_the_event() -> None:
    assert days(NOW_US, NOW_US - HOUR_US, NOW_US - DAY_US) == {TODAY: 2, "2026-11-22": 1}


def test_a_day_begins_at_midnight() -> None:
    midnight_us = NOW_US - 15 * HOUR_US
    assert days(midnight_us, midnight_us - 1) == {TODAY: 1, "2026-11-22": 1}


def test_events_older_than_the_retention_or_over_a_day_ahead_are_late() -> None:
    assert days(NOW_US - 31 * DAY_US) == {LATE: 1}
    assert days(NOW_US + DAY_US + 1) == {LATE: 1}
    assert days(NOW_US, NOW_US - 31 * DAY_US, NOW_US + 2 * DAY_US) == {TODAY: 1, LATE: 2}


def test_events_at_the_edges_are_not_late() -> None:
    assert days(NOW_US - 30 * DAY_US, NOW_US + DAY_US) == {"2026-10-24": 1, "2026-11-24": 1}


def test_without_a_retention_only_times_before_1970_and_the_far_future_are_late() -> None:
    assert days(0, max_age_us=0) == {"1970-01-01": 1}
    assert days(-1, -(1 << 62), (1 << 62), max_age_us=0) == {LATE: 3}


def test_a_part_is_too_old_when_its_newest_event_is() -> None:
    old = part(1, at_us=NOW_US - 2 * DAY_US)
    parts = [old, part(2, at_us=NOW_US - DAY_US)]
    assert upkeep.too_old(parts, NOW_US, round(1.5 * DAY_US)) == [old]


def test_late_parts_age_by_arrival() -> None:
    fresh = part(1, LATE, at_us=NOW_US - 300 * DAY_US)
    stale = part(2, LATE, at_us=NOW_US + 300 * DAY_US, received_us=NOW_US - 3 * DAY_US)
    assert upkeep.too_old([fresh, stale], NOW_US, 2 * DAY_US) == [stale]


def test_nothing_is_too_old_without_a_retention() -> None:
    assert upkeep.too_old([part(1, at_us=0)], NOW_US, 0) == []


def test_the_oldest_day_makes_room_first_then_the_first_written() -> None:
    today, second, first = part(1), part(3, at_us=NOW_US - DAY_US), part(2, at_us=NOW_US - DAY_US)
    assert upkeep.too_much([today, second, first], 2000) == [first]
    assert upkeep.too_much([today, second, first], 1999) == [first, second]
    assert upkeep.too_much([today, second, first], 3000) == []


def test_nothing_is_too_much_without_a_bound() -> None:
    assert upkeep.too_much([part(1, size=1 << 60)], 0) == []


def test_small_parts_of_one_day_are_merged_once_there_are_enough() -> None:
    parts = [part(number) for number in range(upkeep.MERGE_AT_LEAST)]
    assert list(upkeep.to_merge(parts, 100, "now")) == parts
    assert not upkeep.to_merge(parts[1:], 100, "now")


@pytest.mark.parametrize(
    "other",
    [
        part(0, day="2026-11-22"),
        part(0, count=50),
        part(0, kind="full"),
        part(0, layout="older"),
    ],
    ids=["another day", "large", "written because the tail was full", "other columns"],
)
def test_parts_that_do_not_belong_are_not_merged(other: Part) -> None:
    parts = [other, *(part(number) for number in range(1, upkeep.MERGE_AT_LEAST))]
    assert not upkeep.to_merge(parts, 100, "now")


def test_late_parts_are_merged_only_with_those_that_arrived_the_same_day() -> None:
    parts = [part(number, LATE) for number in range(upkeep.MERGE_AT_LEAST)]
    assert upkeep.to_merge(parts, 100, "now")
    early = part(0, LATE, received_us=NOW_US - DAY_US)
    assert not upkeep.to_merge([early, *parts[1:]], 100, "now")


def test_ten_seconds_are_one_bucket() -> None:
    assert bucket_of(NOW_US + BUCKET_US) == bucket_of(NOW_US) + 1
