"""How many bulk requests may be under way at once."""

from armorstack.engines.elastic.pace import Pace


def grown() -> Pace:
    pace = Pace(8)
    for _ in range(60):
        pace.note(1.0, 1000)
    return pace


def test_an_engine_that_keeps_up_gets_more_but_never_too_many() -> None:
    assert (Pace(8).limit, grown().limit) == (1, 8)


def test_one_that_asks_for_patience_gets_half_and_never_none() -> None:
    pace = grown()
    pace.note_busy()
    assert pace.limit == 4
    for _ in range(9):
        pace.note_busy()
    assert pace.limit == 1


def test_a_request_far_slower_than_usual_takes_a_quarter_away() -> None:
    pace = grown()
    pace.note(10.0, 1000)
    assert pace.limit == 6
