"""Round intervals and aligned buckets."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armorstack.store.buckets import MAX_BUCKETS, ROUND_US, buckets_of, round_interval
from tests.support.stores import DAY_US, HOUR_US, NOW_US, SECOND_US

MOMENTS = st.integers(-(1 << 55), 1 << 55)


@given(MOMENTS, st.integers(1, 1 << 55), st.integers(1, 5000), st.none() | st.integers(1, 1 << 40))
def test_buckets_cover_the_span_and_begin_at_multiples(
    start_us: int, span_us: int, wanted: int, interval_us: int | None
) -> None:
    made = buckets_of(start_us, start_us + span_us, wanted, interval_us)
    assert made.start_us % made.interval_us == 0
    assert made.start_us <= start_us < made.start_us + made.interval_us
    assert made.end_us - made.interval_us < start_us + span_us <= made.end_us
    assert 1 <= made.count <= MAX_BUCKETS


@pytest.mark.parametrize(
    ("span_us", "interval_us"),
    [
        (60 * SECOND_US, SECOND_US),
        (HOUR_US, 60 * SECOND_US),
        (DAY_US, HOUR_US // 2),
        (7 * DAY_US, 3 * HOUR_US),
        (30 * DAY_US, 12 * HOUR_US),
        (365 * DAY_US, 10 * DAY_US),
        (3650 * DAY_US, 100 * DAY_US),
        (365_000 * DAY_US, 17 * 365 * DAY_US),
    ],
)
def test_a_span_is_cut_as_people_would(span_us: int, interval_us: int) -> None:
    assert buckets_of(NOW_US, NOW_US + span_us, 60).interval_us == interval_us


def test_round_intervals_grow() -> None:
    assert all(one < other for one, other in pairwise(ROUND_US))
    assert round_interval(1) == ROUND_US[0]


def test_an_empty_span_has_one_bucket() -> None:
    assert buckets_of(NOW_US, NOW_US, 60).count == 1
