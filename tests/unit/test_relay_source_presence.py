"""When a stream counts as connected, and which gaps that makes."""

from armorstack.core.gap import Gap
from armorstack.sources.relay_presence import SETTLE_US, Presence

SECOND = 1_000_000


def connected_at(moment_us: int) -> Presence:
    presence = Presence("relay/a", "alert")
    presence.open(moment_us)
    assert presence.confirm(moment_us) is None
    return presence


def test_the_time_before_the_first_connection_is_no_gap() -> None:
    presence = Presence("relay/a", "alert")
    presence.lose(5, "disconnect", "refused")
    presence.open(100 * SECOND)
    assert presence.confirm(101 * SECOND) is None
    assert presence.connected
    assert presence.give_up(102 * SECOND) is None
    assert not presence.connected


def test_a_call_alone_is_no_connection_but_a_quiet_second_is() -> None:
    presence = Presence("relay/a", "log")
    presence.open(10 * SECOND)
    presence.settle(10 * SECOND + SETTLE_US - 1)
    assert not presence.connected
    presence.settle(10 * SECOND + SETTLE_US)
    assert presence.connected
    assert presence.since_us == 10 * SECOND + SETTLE_US


def test_a_gap_spans_all_attempts_between_two_connections() -> None:
    presence = connected_at(10 * SECOND)
    presence.lose(20 * SECOND, "disconnect", "closed")
    presence.open(21 * SECOND)
    presence.lose(22 * SECOND, "oversize", "a later cause")
    presence.open(29 * SECOND)
    gap = presence.confirm(30 * SECOND)
    assert gap == Gap(
        reason="disconnect", source="relay/a", stream="alert", start_us=20 * SECOND,
        end_us=30 * SECOND, detail="closed",
    )  # fmt: skip
    assert presence.confirm(31 * SECOND) is None
    assert presence.connections == 2


def test_a_stall_begins_when_it_was_last_heard_of_but_not_before_the_connection() -> None:
    presence = connected_at(100 * SECOND)
    presence.lose(150 * SECOND, "disconnect", "no pings", unseen_us=40 * SECOND)
    gap = presence.confirm(151 * SECOND)
    assert gap is not None
    assert gap.start_us == 110 * SECOND
    presence.lose(152 * SECOND, "disconnect", "no pings", unseen_us=40 * SECOND)
    gap = presence.confirm(153 * SECOND)
    assert gap is not None
    assert gap.start_us == 151 * SECOND


def test_a_gap_that_is_open_at_the_end_ends_there() -> None:
    presence = connected_at(10 * SECOND)
    presence.lose(20 * SECOND, "disconnect", "closed")
    gap = presence.give_up(25 * SECOND)
    assert gap is not None
    assert (gap.start_us, gap.end_us) == (20 * SECOND, 25 * SECOND)


def test_a_clock_that_was_set_back_makes_no_gap_of_negative_length() -> None:
    presence = connected_at(100 * SECOND)
    presence.lose(110 * SECOND, "disconnect", "closed")
    gap = presence.confirm(50 * SECOND)
    assert gap is not None
    assert gap.start_us == gap.end_us == 110 * SECOND
