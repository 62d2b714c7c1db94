"""The last ids: what counts as seen, and what is forgotten."""

from armorstack.sinks.recent import RecentIds


def ids(names: str) -> list[bytes]:
    return [name.encode() for name in names]


def test_of_ids_that_come_twice_only_the_first_is_unseen() -> None:
    assert RecentIds().unseen(ids("abacb")) == [0, 1, 3]


def test_asking_marks_nothing() -> None:
    recent = RecentIds()
    recent.unseen(ids("ab"))
    assert recent.unseen(ids("ab")) == [0, 1]


def test_what_was_added_is_seen() -> None:
    recent = RecentIds()
    recent.add(ids("ab"))
    assert recent.unseen(ids("abc")) == [2]


def test_the_oldest_is_forgotten_first() -> None:
    recent = RecentIds(limit=3)
    recent.add(ids("abcd"))
    assert recent.unseen(ids("abcd")) == [0]
    assert len(recent) == 3


def test_an_id_that_is_added_again_takes_no_further_place() -> None:
    recent = RecentIds(limit=2)
    recent.add(ids("aaab"))
    assert recent.unseen(ids("ab")) == []


def test_a_batch_beyond_the_limit_leaves_its_end() -> None:
    recent = RecentIds(limit=2)
    recent.add(ids("abcde"))
    assert recent.unseen(ids("abcde")) == [0, 1, 2]
