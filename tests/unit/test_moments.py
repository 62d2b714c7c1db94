"""Moments as people type them, and what is none."""

from zoneinfo import ZoneInfo

import pytest

from armorstack.core.moments import parse_moment

NOW_US = 1_795_446_000_000_000
HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("written", "moment_us"),
    [
        ("now", NOW_US),
        ("now-1h", NOW_US - HOUR_US),
        ("1h", NOW_US - HOUR_US),
        ("1795446000", NOW_US),
        ("1795446000000", NOW_US),
        ("2026-11-23T15:00:00Z", NOW_US),
    ],
)
def test_a_moment_may_be_said_in_several_ways(written: str, moment_us: int) -> None:
    assert parse_moment(written, NOW_US) == moment_us


def test_a_time_without_a_zone_is_meant_in_the_zone_that_was_asked_for() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert parse_moment("2026-11-23T16:00:00", NOW_US, berlin) == NOW_US
    assert parse_moment("2026-11-23T16:00:00", NOW_US) is None


@pytest.mark.parametrize("written", ["9" * 400, "1" * 19, "١٢٣", "-1", "", "1e9", "9" * 400 + "d"])
def test_what_is_no_moment_is_told_as_none(written: str) -> None:
    assert parse_moment(written, NOW_US) is None
