"""When the next message of a webhook may go."""

import pytest

from armorstack.sinks.webhook.pace import LONGEST_HOLD_S, Pace


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_no_minute_has_more_messages_than_are_allowed(clock: Clock) -> None:
    pace, sent = Pace(3, clock), []
    for tick in range(600):
        clock.now_s = 1000.0 + tick * 0.5
        if not pace.wait_s():
            pace.note_sent()
            sent.append(clock.now_s)
    assert len(sent) == 15
    assert all(later - earlier >= 60 for earlier, later in zip(sent, sent[3:], strict=False))


def test_the_wait_ends_when_the_oldest_message_is_a_minute_old(clock: Clock) -> None:
    pace = Pace(2, clock)
    pace.note_sent()
    clock.now_s += 10
    pace.note_sent()
    assert pace.wait_s() == 50
    clock.now_s += 50
    assert pace.wait_s() == 0


def test_nothing_goes_before_the_server_wants_it(clock: Clock) -> None:
    pace = Pace(100, clock)
    assert pace.wait_s() == 0
    pace.hold(30)
    assert pace.wait_s() == 30
    clock.now_s += 30
    assert pace.wait_s() == 0


@pytest.mark.parametrize(("asked_s", "held_s"), [(1e9, LONGEST_HOLD_S), (-5, 0), (0, 0)])
def test_a_server_cannot_hold_us_for_ever(clock: Clock, asked_s: float, held_s: float) -> None:
    pace = Pace(100, clock)
    pace.hold(asked_s)
    assert pace.wait_s() == held_s
