"""Which indices go: by the end of their period, and the oldest first until the rest fits."""

from armorstack.config.sinks import ElasticSink
from armorstack.engines.elastic.periods import DAY_US
from armorstack.engines.elastic.retention import Kept, choose

NOW = 20_000 * DAY_US + DAY_US // 2


def kept(name: str, end_days: float, size: int = 10, is_late: bool = False) -> Kept:
    return Kept(name, 1, size, NOW + round(end_days * DAY_US), is_late)


def chosen(*there: Kept, days: float = 0, most: int = 0) -> list[tuple[str, str]]:
    settings = ElasticSink(max_age_days=days, max_bytes=most)
    return [(each.index.name, each.reason) for each in choose(there, settings, NOW)]


def test_an_index_goes_when_the_end_of_its_period_is_old_enough() -> None:
    there = kept("young", -29.9), kept("old", -30), kept("older", -31)
    assert chosen(*there, days=30) == [("older", "age"), ("old", "age")]


def test_nothing_goes_where_all_is_kept() -> None:
    assert chosen(kept("old", -9000)) == []


def test_by_size_the_oldest_goes_until_the_rest_fits() -> None:
    there = kept("b", -2), kept("c", -1), kept("a", -3)
    assert chosen(*there, most=20) == [("a", "bytes")]
    assert chosen(*there, most=19) == [("a", "bytes"), ("b", "bytes")]
    assert chosen(*there, most=30) == []


def test_what_goes_by_age_does_not_count_for_the_size() -> None:
    there = kept("a", -31), kept("b", -2), kept("c", -1)
    assert chosen(*there, days=30, most=20) == [("a", "age")]


def test_a_period_that_is_not_over_is_kept_whatever_its_size() -> None:
    assert chosen(kept("today", 0.5, 1000), kept("old", -3), most=5) == [("old", "bytes")]


def test_a_late_index_goes_by_its_last_arrival() -> None:
    assert chosen(kept("late", -31, is_late=True), days=30) == [("late", "age")]
    assert chosen(kept("late", -1, is_late=True), days=30) == []
