"""The worker's file: cursors and dead letters."""

import sqlite3
import threading
from pathlib import Path

import pytest

from armorstack.errors import SpoolDamaged, SpoolTooNew
from armorstack.spool.cursors import CursorReader, trim_point, yield_point
from armorstack.spool.work import DeadLetter, Filter, Work


def letter(number: int, *, size: int = 10, **fields: object) -> DeadLetter:
    known = {"error_type": "malformed", "reason": f"reason {number}", "sink": "duckdb",
             "source": "relay/a", "stream": "alert", "encoding": "protobuf", "cluster": "c",
             "first_seen_us": number, "seq": number} | fields  # fmt: skip
    return DeadLetter(frame=(b"%d:" % number).ljust(size, b"x"), **known)  # type: ignore[arg-type]


def test_cursors_are_read_by_another_process_as_they_move(tmp_path: Path) -> None:
    reader = CursorReader(tmp_path)
    assert reader.read() == {}
    work = Work.open(tmp_path)
    work.commit("duckdb", 5, True)
    assert reader.read()["duckdb"].seq == 5
    work.commit("duckdb", 9, True)
    work.commit("webhook", 2, False)
    found = reader.read()
    assert {name: (c.seq, c.required) for name, c in found.items()} == {
        "duckdb": (9, True),
        "webhook": (2, False),
    }
    assert {name: c.seq for name, c in work.cursors().items()} == {"duckdb": 9, "webhook": 2}
    reader.close()
    work.close()


def points(work: Work) -> tuple[int, int]:
    return trim_point(work.cursors()), yield_point(work.cursors())


def test_every_sink_holds_the_spool_but_only_required_ones_where_room_is_needed(
    tmp_path: Path,
) -> None:
    work = Work.open(tmp_path)
    assert points(work) == (0, 0)
    work.commit("duckdb", 9, True)
    assert points(work) == (9, 9)
    work.commit("webhook", 2, False)
    assert points(work) == (2, 9)
    work.commit("elastic", 4, True)
    assert points(work) == (2, 4)
    work.close()


def test_where_no_sink_is_required_all_hold_the_spool(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.commit("webhook", 2, False)
    work.commit("stdout", 7, False)
    assert points(work) == (2, 2)
    work.enroll({"webhook": False, "stdout": False, "file": False})
    assert points(work) == (0, 0)
    work.close()


def test_an_enrolled_sink_holds_the_spool_before_it_has_stored_anything(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.commit("duckdb", 9, True)
    work.commit("gone", 1, True)
    work.enroll({"duckdb": True, "elastic": True})
    assert {name: c.seq for name, c in work.cursors().items()} == {"duckdb": 9, "elastic": 0}
    assert trim_point(work.cursors()) == 0
    work.enroll({"duckdb": True})
    assert trim_point(work.cursors()) == 9
    work.close()


def test_letters_keep_all_that_was_said_of_them(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.set_aside([letter(1), letter(2, error_type="late", reason="ü\x1b[31m")])
    work.close()
    work = Work.open(tmp_path)
    first, second = work.list()
    assert (first.id, second.id) == (1, 2)
    assert second.frame == letter(2).frame
    assert (second.reason, second.error_type, second.sink, second.source, second.stream,
            second.encoding, second.cluster, second.attempts, second.first_seen_us, second.seq,
            second.replay) == ("ü\x1b[31m", "late", "duckdb", "relay/a", "alert", "protobuf", "c",
                               1, 2, 2, False)  # fmt: skip
    assert work.show(2) == second
    assert work.show(3) is None
    work.close()


def test_letters_are_found_by_stream_type_sink_and_id(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.set_aside([letter(1), letter(2, stream="log"), letter(3, error_type="late")])
    work.set_aside([letter(4, sink="webhook")])

    def ids(which: Filter, **limits: int) -> list[int]:
        return [found.id for found in work.list(which, **limits)]

    assert ids(Filter()) == [1, 2, 3, 4]
    assert ids(Filter(stream="log")) == [2]
    assert ids(Filter(error_type="late")) == [3]
    assert ids(Filter(stream="alert", error_type="malformed")) == [1, 4]
    assert ids(Filter(sink="duckdb")) == [1, 2, 3]
    assert ids(Filter(sink="webhook", stream="alert")) == [4]
    assert ids(Filter(sink="webhook", stream="log")) == []
    assert ids(Filter(ids=(2, 4, 7))) == [2, 4]
    assert ids(Filter(), limit=2) == [1, 2]
    assert ids(Filter(), limit=2, after=2) == [3, 4]
    assert work.count(Filter(stream="alert")) == 3
    work.close()


def test_a_cursor_and_the_letters_it_passes_are_one_transaction(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.commit("duckdb", 5, True, [letter(1)])
    assert work.count() == 1
    bad = letter(2, reason=object())
    with pytest.raises(sqlite3.Error):
        work.commit("duckdb", 9, True, [letter(3), bad])
    assert work.count() == 1
    assert work.cursors()["duckdb"].seq == 5
    work.close()


def test_letters_are_synced_and_cursors_alone_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work.open(tmp_path)
    seen: list[str] = []
    work._connection.set_trace_callback(seen.append)
    work.commit("duckdb", 1, True)
    assert "PRAGMA synchronous=NORMAL" in seen
    assert "PRAGMA synchronous=FULL" not in seen
    for act in (
        lambda: work.set_aside([letter(1)]),
        lambda: work.commit("duckdb", 2, True, [letter(2)]),
    ):
        seen.clear()
        act()
        assert seen.index("PRAGMA synchronous=FULL") < seen.index("BEGIN IMMEDIATE")
    work.close()


def test_a_marked_letter_is_taken_once_and_again_after_a_crash(tmp_path: Path) -> None:
    work, cli = Work.open(tmp_path), Work.open(tmp_path, mend=False)
    work.set_aside([letter(n) for n in range(1, 5)])
    assert list(work.take_replays()) == []
    assert cli.mark_replay(Filter(ids=(2, 3, 9))) == 2
    assert [found.id for found in work.take_replays(limit=1)] == [2]
    assert [found.id for found in work.take_replays()] == [3]
    assert list(work.take_replays()) == []
    work.close()
    work = Work.open(tmp_path)
    assert [found.id for found in work.take_replays()] == [2, 3]
    cli.close()
    work.close()


def test_a_replayed_letter_is_purged_or_set_aside_again_under_its_id(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.set_aside([letter(1), letter(2)])
    work.mark_replay(Filter())
    stored, refused = work.take_replays()
    work.purge(Filter(ids=(stored.id,)))
    again = letter(2, id=refused.id, attempts=2, reason="still")
    work.set_aside([again])
    [left] = work.list()
    assert (left.id, left.attempts, left.reason, left.replay) == (2, 2, "still", False)
    assert list(work.take_replays()) == []
    work.mark_replay(Filter())
    assert [found.id for found in work.take_replays()] == [2]
    work.close()


def test_an_id_is_never_given_twice(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.set_aside([letter(1), letter(2)])
    assert work.purge(Filter(ids=(2,))) == 1
    work.set_aside([letter(3)])
    assert [found.id for found in work.list()] == [1, 3]
    work.close()


def test_beyond_the_limit_the_oldest_letters_go_and_are_counted(tmp_path: Path) -> None:
    work = Work.open(tmp_path, max_letter_bytes=10 * (1000 + 256))
    work.set_aside([letter(n, size=1000) for n in range(1, 9)])
    assert work.letters_dropped() == 0
    work.set_aside([letter(n, size=1000) for n in range(9, 16)])
    assert [found.id for found in work.list()] == list(range(6, 16))
    assert work.letters_dropped() == 5
    work.purge(Filter())
    work.set_aside([letter(n, size=1000) for n in range(1, 11)])
    assert work.count() == 10
    assert work.letters_dropped() == 5
    work.close()


def test_purging_gives_the_space_back(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.set_aside([letter(n, size=100_000) for n in range(50)])
    work.purge(Filter())
    work.close()
    assert (tmp_path / "work.db").stat().st_size < 1_000_000


def test_a_damaged_file_is_moved_aside_by_the_worker(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.commit("duckdb", 5, True)
    work.close()
    (tmp_path / "work.db").write_bytes(b"garbage" * 5000)
    assert CursorReader(tmp_path).read() == {}
    with pytest.raises(SpoolDamaged, match="damaged") as caught:
        Work.open(tmp_path, mend=False)
    assert "worker" in caught.value.hint
    work = Work.open(tmp_path)
    assert work.recovered is not None
    assert work.recovered.read_bytes() == b"garbage" * 5000
    assert work.cursors() == {}
    work.commit("duckdb", 6, True)
    work.close()
    assert Work.open(tmp_path).recovered is None


def test_damage_while_open_keeps_every_cursor(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.enroll({"duckdb": True, "elastic": True})
    work.commit("duckdb", 5, True)
    work._connection.execute("DROP TABLE letters")
    work.set_aside([letter(1)])
    assert work.recovered is not None
    assert {name: c.seq for name, c in work.cursors().items()} == {"duckdb": 5, "elastic": 0}
    assert work.count() == 1
    work.close()


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    Work.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "work.db")
    connection.execute("PRAGMA user_version=7")
    connection.close()
    with pytest.raises(SpoolTooNew):
        Work.open(tmp_path)


def test_several_threads_may_commit_at_once(tmp_path: Path) -> None:
    work = Work.open(tmp_path)

    def run(sink: str) -> None:
        for number in range(1, 51):
            work.commit(sink, number, True, [letter(number, sink=sink)])

    threads = [threading.Thread(target=run, args=(f"s{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {c.seq for c in work.cursors().values()} == {50}
    assert work.count() == 200
    work.close()
