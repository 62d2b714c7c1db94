"""One spool: positions, trimming, space, versions."""

import os
import sqlite3
from pathlib import Path

import pytest

from armorstack import config
from armorstack.errors import SpoolTooNew
from armorstack.spool import database
from armorstack.spool.file import VACUUM_PAGES
from armorstack.spool.reader import Reader
from armorstack.spool.store import SLACK_BYTES, Spool
from armorstack.spool.work import Work
from tests.support.spool_rows import (
    MIB,
    START_US,
    frames_in,
    numbered,
    open_spool,
    read_all,
    row,
)


def big_rows(count: int, size: int = MIB) -> list[bytes]:
    return [os.urandom(size) for _ in range(count)]


def append_each(spool: Spool, frames: list[bytes]) -> list[int]:
    return [spool.append([row(frame)], {}) for frame in frames]


def test_a_new_spool_begins_at_the_time(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    assert spool.append([row(b"a"), row(b"b")], {}) == START_US + 1
    assert [found.seq for found in read_all(tmp_path)] == [START_US, START_US + 1]
    spool.close()


def test_positions_are_beyond_every_cursor_even_where_the_clock_is_behind(tmp_path: Path) -> None:
    work = Work.open(tmp_path)
    work.commit("duckdb", START_US + 1000, True)
    work.close()
    spool = open_spool(tmp_path, at_us=5)
    assert spool.append([row(b"a")], {}) == START_US + 1001
    spool.close()


def test_positions_go_on_where_all_rows_were_deleted(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    last = append_each(spool, [b"a", b"b"])[-1]
    assert spool.trim(last) == 2
    spool.close()
    spool = open_spool(tmp_path, at_us=5)
    assert spool.last == last
    assert spool.append([row(b"c")], {}) == last + 1
    spool.close()


def test_rows_keep_all_that_was_said_of_them(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    appended = row(b"x", b"", b"yz", source="file/ü", stream="auto", at_us=77)
    seq = spool.append([appended], {})
    found = read_all(tmp_path)[0]
    assert found.seq == seq
    for name in ("source", "stream", "encoding", "cluster", "received_us", "lengths", "payload",
                 "crc32", "count"):  # fmt: skip
        assert getattr(found, name) == getattr(appended, name)
    spool.close()


def test_a_position_is_kept_and_replaced(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append([row(b"a")], {"file/x": b"1", "file/y": b"2"})
    spool.append([], {"file/x": b"3"})
    spool.close()
    spool = open_spool(tmp_path)
    assert spool.positions() == {"file/x": b"3", "file/y": b"2"}
    assert spool.position("file/x") == b"3"
    assert spool.position("none") is None
    spool.close()


def test_trimming_frees_up_to_the_cursor_and_nothing_else(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    seqs = append_each(spool, [numbered(n) for n in range(600)])
    assert spool.trim(seqs[299]) == 300
    assert spool.trim(seqs[299]) == 0
    assert frames_in(read_all(tmp_path))[0] == numbered(300)
    assert spool.waiting().rows == 300
    spool.close()


def test_a_trim_step_is_bounded(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    last = append_each(spool, [b"x"] * 600)[-1]
    steps = [spool.trim_step(last) for _ in range(4)]
    assert steps == [256, 256, 88, 0]
    spool.close()


def test_space_is_reused_in_steady_state(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    sizes = []
    for _ in range(12):
        seqs = append_each(spool, big_rows(10))
        spool.checkpoint_if_due()
        spool.trim(seqs[-3])
        sizes.append(spool.disk_bytes())
    assert max(sizes[6:]) <= max(sizes[:6])
    spool.close()


def test_the_file_shrinks_after_a_backlog(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    seqs = append_each(spool, big_rows(100))
    spool.checkpoint_if_due(at_bytes=0)
    assert (tmp_path / "spool.db").stat().st_size > 100 * MIB
    spool.trim(seqs[-2])
    assert spool.shrink_step() == VACUUM_PAGES
    while step := spool.shrink_step():
        assert step <= VACUUM_PAGES
    spool.checkpoint_if_due(at_bytes=0)
    assert (tmp_path / "spool.db").stat().st_size < SLACK_BYTES + 4 * MIB
    assert frames_in(read_all(tmp_path)) == frames_in(read_all(tmp_path, seqs[-2]))
    assert Reader.open(tmp_path).verify().damage == ()
    spool.close()


def test_dropping_takes_the_oldest_rows_and_owes_a_gap_of_each_stream(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append([row(b"a" * 100, b"b" * 100, stream="alert", at_us=10)], {})
    spool.append([row(b"c" * 100, stream="log", at_us=20)], {})
    spool.append([row(b"d" * 100, stream="alert", at_us=30)], {})
    spool.append([row(b"e" * 100, stream="alert", at_us=40)], {})
    spool.append([row(b"new")], {}, drop_bytes=400)
    assert frames_in(read_all(tmp_path)) == [b"e" * 100, b"new"]
    owed = {(o.source, o.stream): (o.start_us, o.end_us, o.lost) for o in spool.owed()}
    assert owed == {("relay/a", "alert"): (10, 30, 3), ("relay/a", "log"): (20, 20, 1)}
    assert spool.dropped_frames == 4
    spool.close()


def test_what_is_owed_outlives_the_process_and_is_settled_with_what_tells_it(
    tmp_path: Path,
) -> None:
    spool = open_spool(tmp_path)
    append_each(spool, [b"a", b"b", b"c"])
    spool.append([], {}, drop_bytes=1)
    spool.close()
    spool = open_spool(tmp_path)
    spool.append([], {}, drop_bytes=1)
    owed = spool.owed()
    assert [o.lost for o in owed] == [2]
    spool.append([row(b"gap", stream="gap")], {}, settled=owed)
    assert spool.owed() == []
    spool.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    open_spool(tmp_path).close()
    with sqlite3.connect(tmp_path / "spool.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    before = (tmp_path / "spool.db").read_bytes()
    with pytest.raises(SpoolTooNew, match="version 99"):
        open_spool(tmp_path)
    with pytest.raises(SpoolTooNew, match="version 99"):
        Reader.open(tmp_path).read(0, MIB)
    assert (tmp_path / "spool.db").read_bytes() == before
    assert not list(tmp_path.glob("*.damaged-*"))


def test_an_older_schema_is_upgraded_step_by_step(tmp_path: Path) -> None:
    first = database.Schema(application_id=7, version=1, create=("CREATE TABLE t (a)",))
    third = database.Schema(
        application_id=7, version=3,
        create=("CREATE TABLE t (a, b, c)",),
        upgrades={1: ("ALTER TABLE t ADD COLUMN b",), 2: ("ALTER TABLE t ADD COLUMN c",)},
    )  # fmt: skip
    path = tmp_path / "old.db"
    old = database.open_writable(path, first, page_bytes=4096)
    old.execute("INSERT INTO t VALUES (1)")
    old.close()
    connection = database.open_writable(path, third, page_bytes=4096)
    assert connection.execute("SELECT a, b, c FROM t").fetchall() == [(1, None, None)]
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()


def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path) -> None:
    first = database.Schema(application_id=7, version=1, create=("CREATE TABLE t (a)",))
    bad = database.Schema(
        application_id=7, version=2, create=(),
        upgrades={1: ("ALTER TABLE t ADD COLUMN b", "no such statement")},
    )  # fmt: skip
    path = tmp_path / "old.db"
    database.open_writable(path, first, page_bytes=4096).close()
    with pytest.raises(Exception, match=r"no such|syntax"):
        database.open_writable(path, bad, page_bytes=4096)
    connection = database.open_writable(path, first, page_bytes=4096)
    assert [row[1] for row in connection.execute("PRAGMA table_info(t)")] == ["a"]
    connection.close()


def test_a_log_that_was_checkpointed_no_longer_counts(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    append_each(spool, [b"a" * 5000, b"b" * 5000])
    log = tmp_path / "spool.db-wal"
    salts = log.read_bytes()[16:24]
    assert spool.checkpoint_if_due(at_bytes=0)
    assert log.read_bytes()[16:24] != salts
    spool.close()


def test_the_default_settings_open_a_spool(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, config.Spool(), START_US)
    assert spool.append([row(b"a")], {}) == START_US
    assert spool.reserve.held
    spool.close()
