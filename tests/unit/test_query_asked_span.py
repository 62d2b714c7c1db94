"""From when to when a URL asks."""

import pytest

from armorstack.core.query.asked import parse_asked
from armorstack.core.query.parse import parse

SECOND = 1_000_000
NOON = 1_795_435_200 * SECOND
NOW = NOON + 17 * SECOND + 5


@pytest.mark.parametrize(
    ("said", "start_us"),
    [
        ("now-24h", NOON - 86_400 * SECOND),
        ("1h", NOON - 3600 * SECOND),
        # A shorter one is taken to the microsecond, and so is a moment that does not move.
        ("now-59m", NOW - 59 * 60 * SECOND),
        ("2026-11-23T10:00:17Z", 1_795_428_017 * SECOND),
        ("1795428017", 1_795_428_017 * SECOND),
    ],
)
def test_an_age_of_an_hour_or_more_begins_with_a_whole_minute(said: str, start_us: int) -> None:
    assert parse_asked([("from", said)], NOW, parse).start_us == start_us
    assert NOON % (60 * SECOND) == 0
