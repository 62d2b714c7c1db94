"""Gaps and nodes in the worker's file: each gap once, and bounded whatever comes."""

import sqlite3
import time
from pathlib import Path

import pytest

from armorstack.errors import SpoolTooNew
from armorstack.spool import history
from armorstack.spool.history import GapNote, Seen, look
from armorstack.spool.work import Work

NOW = time.time_ns() // 1000
DAY_US = 86_400_000_000


def gap(number: int, start_us: int = NOW, end_us: int = NOW) -> GapNote:
    return GapNote(b'{"n":%d}' % number, start_us, end_us)


def seen(node: str, *, event: int = 1, received: int = 1, events: int = 1) -> Seen:
    return Seen("c", node, event, received, events)


def frames(work: Work, start_us: int = 0, end_us: int = 2 * NOW) -> list[bytes]:
    return list(work.gaps(start_us, end_us))


def test_a_gap_that_comes_twice_is_kept_once(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.note([gap(1), gap(2)])
    work.note([gap(1), gap(1), gap(3)])
    assert sorted(frames(work)) == [b'{"n":1}', b'{"n":2}', b'{"n":3}']
    work.close()
    work = Work.open(tmp_path)
    assert len(frames(work)) == 3
    work.close()


def test_gaps_are_found_by_the_time_that_they_reach_into(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.note([gap(1, NOW - 90, NOW - 70), gap(2, NOW - 60, NOW - 10), gap(3, NOW - 40, NOW - 20)])
    assert frames(work) == [b'{"n":1}', b'{"n":3}', b'{"n":2}']
    assert frames(work, NOW - 70, NOW - 60) == [b'{"n":1}', b'{"n":2}']
    assert frames(work, NOW - 69, NOW - 61) == []
    assert frames(work, NOW - 15) == [b'{"n":2}']
    assert list(work.gaps(0, NOW, limit=2)) == [b'{"n":3}', b'{"n":2}']
    work.close()


def test_of_too_many_gaps_those_that_ended_first_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_GAPS", 5)
    work = Work.open(tmp_path)
    for n in range(8):
        work.note([gap(n, NOW - 100, NOW - 50 + n)])
    assert frames(work) == [b'{"n":%d}' % n for n in range(3, 8)]
    work.note([gap(n, NOW - 100, NOW + n) for n in range(10, 30)])
    assert frames(work) == [b'{"n":%d}' % n for n in range(25, 30)]
    work.close()


def test_gaps_of_the_year_before_last_go_a_bounded_number_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work.open(tmp_path)
    old = [gap(n, 1, NOW - 399 * DAY_US - n) for n in range(5)]
    work.note([*old, gap(9, 1, NOW - 401 * DAY_US)])
    assert len(frames(work)) == 5
    monkeypatch.setattr(history, "MAX_GAP_AGE_US", 398 * DAY_US)
    monkeypatch.setattr(history, "STEP", 2)
    left = []
    for _ in range(3):
        work.note([], [seen("any")])
        left.append(len(frames(work)))
    assert left == [3, 1, 0]
    work.close()


def test_a_node_keeps_its_newest_times_and_counts_on(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.note([], [seen("a", event=10, received=20, events=3), seen("b")])
    work.note([], [seen("a", event=7, received=25, events=2), Seen("other", "a", 1, 2, 1)])
    work.note([], [seen("a", event=8, received=22, events=0)])
    assert list(work.nodes()) == [
        Seen("c", "a", 10, 25, 5),
        Seen("other", "a", 1, 2, 1),
        Seen("c", "b", 1, 1, 1),
    ]
    assert [node.node for node in work.nodes(limit=1)] == ["a"]
    work.close()


def test_of_too_many_nodes_the_longest_silent_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_NODES", 3)
    work = Work.open(tmp_path)
    work.note([], [seen(f"n{n}", event=100 - n, received=n) for n in range(5)])
    assert [node.node for node in work.nodes()] == ["n4", "n3", "n2"]
    work.note([], [seen("n2", received=9)])
    work.note([], [seen("new", received=8)])
    assert [node.node for node in work.nodes()] == ["n2", "new", "n4"]
    work.close()


def test_noting_is_one_transaction_and_not_synced(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    said: list[str] = []
    work._connection.set_trace_callback(said.append)
    work.note([gap(1)], [seen("a")])
    assert "PRAGMA synchronous=NORMAL" in said
    assert said.count("BEGIN IMMEDIATE") == said.count("COMMIT") == 1
    with pytest.raises(sqlite3.Error):
        work.note([gap(2)], [Seen("c", "b", object(), 1, 1)])  # type: ignore[arg-type]
    assert frames(work) == [b'{"n":1}']
    work.close()


def test_looking_beside_a_worker_sees_what_it_noted_and_makes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    assert not look(folder).known
    assert not folder.exists()
    work = Work.open(folder)
    assert look(folder) == history.History(known=True)
    work.note([gap(1)], [seen("a")])
    found = look(folder)
    assert (found.gaps, [node.node for node in found.nodes]) == ((b'{"n":1}',), ["a"])
    assert look(folder, NOW + 1).gaps == ()
    work.close()


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    Work.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "work.db")
    connection.execute("PRAGMA user_version=3")
    connection.close()
    with pytest.raises(SpoolTooNew):
        look(tmp_path)


def test_gaps_and_nodes_of_a_damaged_file_go_with_it(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.enroll({"duckdb": True})
    work.note([gap(1)], [seen("a")])
    work.close()
    (tmp_path / "work.db").write_bytes(b"garbage " * 2000)
    work = Work.open(tmp_path)
    assert work.recovered is not None
    assert (frames(work), list(work.nodes())) == ([], [])
    work.note([gap(2)], [seen("b")])
    assert frames(work) == [b'{"n":2}']
    work.close()
