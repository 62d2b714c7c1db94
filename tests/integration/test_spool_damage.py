"""A damaged spool: what can be read is taken over, the rest is told, positions go on."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from armorstack.errors import SpoolDamaged
from armorstack.spool import file, salvage, store
from armorstack.spool.reader import Reader
from armorstack.spool.salvage import KEPT_DAMAGED, finish_recovery
from armorstack.spool.schema import PAGE_BYTES
from armorstack.spool.store import Spool
from armorstack.spool.work import Work
from tests.support.spool_rows import (
    MIB,
    START_US,
    copy_as_killed,
    frames_in,
    number_of,
    numbered,
    numbers_in,
    open_spool,
    read_all,
    row,
)

LATER_US = START_US + 60_000_000
ROWS = 60


def filled(folder: Path, size: int = 20_000) -> list[int]:
    """A closed spool of some rows, all in the main file; their positions."""
    spool = open_spool(folder)
    seqs = [
        spool.append([row(numbered(n, size), at_us=START_US)], {"p": b"1"}) for n in range(ROWS)
    ]
    spool.close()
    return seqs


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def no_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(100))


def truncated(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def bad_free_list(path: Path) -> None:
    """Pages 32 to 39 of the header: where free pages begin, and how many there are."""
    with path.open("r+b") as file:
        file.seek(32)
        file.write(b"\x00\x00\x00\x07\x00\x00\x00\x07")


def unwritable_format(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(18)
        file.write(b"\x09")


def other_program(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (a)")
    connection.commit()
    connection.close()


def bad_small_table(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(3 * PAGE_BYTES)
        file.write(b"\xee" * 500)


DAMAGES = [garbage, no_header, truncated, bad_free_list, unwritable_format, other_program,
           bad_small_table]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_moved_aside_and_a_new_spool_goes_on(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    last = filled(tmp_path)[-1]
    damage(tmp_path / "spool.db")
    damaged = (tmp_path / "spool.db").read_bytes()
    spool = open_spool(tmp_path, at_us=LATER_US)
    assert spool.recovered is not None
    assert spool.recovered.parent == tmp_path
    assert spool.recovered.name.startswith("spool.db.damaged-2")
    # The page with the counters of the file may have been written while it was looked at.
    assert spool.recovered.read_bytes()[PAGE_BYTES:] == damaged[PAGE_BYTES:]
    seq = spool.append([row(b"new")], {})
    assert seq > last
    assert frames_in(read_all(tmp_path))[-1] == b"new"
    assert Reader.open(tmp_path).verify().damage == ()
    spool.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_owed_as_a_gap_until_it_is_told(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    filled(tmp_path)
    work = Work.open(tmp_path)
    work.enroll({"duckdb": True})
    since = work.cursors()["duckdb"].updated_us
    work.close()
    damage(tmp_path / "spool.db")
    now_us = since + 5_000_000
    open_spool(tmp_path, at_us=now_us).close()
    spool = open_spool(tmp_path, at_us=now_us + 1)
    [owed] = spool.owed()
    assert (owed.reason, owed.start_us, owed.end_us, owed.lost) == (
        "spool_damaged", since, now_us, None,
    )  # fmt: skip
    spool.close()


def test_an_undamaged_spool_is_not_moved(tmp_path: Path) -> None:
    filled(tmp_path)
    spool = open_spool(tmp_path)
    assert spool.recovered is None
    assert spool.owed() == []
    assert not list(tmp_path.glob("*.damaged-*"))
    spool.close()


def test_rows_that_can_be_read_keep_their_positions(tmp_path: Path) -> None:
    seqs = filled(tmp_path)
    truncated(tmp_path / "spool.db")
    spool = open_spool(tmp_path, at_us=LATER_US)
    rows = read_all(tmp_path)
    assert spool.recovery is not None
    assert 10 < spool.recovery.rows == len(rows) < ROWS
    for found in rows:
        assert seqs.index(found.seq) == number_of(frames_in([found])[0])
    assert spool.waiting().rows == len(rows)
    spool.close()


def test_one_bad_page_costs_only_the_rows_on_it(tmp_path: Path) -> None:
    filled(tmp_path)
    data = bytearray((tmp_path / "spool.db").read_bytes())
    # An overflow page: its first four bytes point to the next one.
    at = data.index(b"30:30:30:") // PAGE_BYTES * PAGE_BYTES + PAGE_BYTES
    data[at : at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "spool.db").write_bytes(data)
    spool = open_spool(tmp_path, at_us=LATER_US)
    assert spool.recovered is not None
    found = numbers_in(tmp_path)
    assert set(range(ROWS)) - set(found) <= {29, 30, 31}
    assert found == sorted(found)
    spool.close()


def test_a_row_with_a_wrong_checksum_is_not_taken_over(tmp_path: Path) -> None:
    filled(tmp_path)
    data = bytearray((tmp_path / "spool.db").read_bytes())
    data[data.index(b"7:7:7:") + 50] ^= 1
    (tmp_path / "spool.db").write_bytes(data)
    bad_free_list(tmp_path / "spool.db")
    spool = open_spool(tmp_path, at_us=LATER_US)
    found = numbers_in(tmp_path)
    assert found == [number for number in range(ROWS) if number != 7]
    assert Reader.open(tmp_path).verify().damage == ()
    spool.close()


def test_rows_that_every_required_sink_has_are_not_taken_over(tmp_path: Path) -> None:
    seqs = filled(tmp_path)
    work = Work.open(tmp_path)
    work.commit("duckdb", seqs[19], True)
    work.commit("other", seqs[-1], False)
    work.close()
    bad_free_list(tmp_path / "spool.db")
    spool = open_spool(tmp_path, at_us=LATER_US)
    assert numbers_in(tmp_path)[0] == 20
    spool.close()


def test_the_sources_positions_are_taken_over(tmp_path: Path) -> None:
    filled(tmp_path)
    bad_free_list(tmp_path / "spool.db")
    spool = open_spool(tmp_path, at_us=LATER_US)
    assert spool.recovered is not None
    assert spool.position("p") == b"1"
    spool.close()


def test_the_log_of_a_damaged_file_goes_with_it(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "a")
    for n in range(5):
        spool.append([row(numbered(n))], {})
    left = copy_as_killed(tmp_path / "a", tmp_path / "b")
    spool.close()
    log = (left / "spool.db-wal").read_bytes()
    (left / "spool.db").write_bytes(b"no database" * 3000)
    (left / "spool.db-wal").write_bytes(log[:40])
    spool = open_spool(left, at_us=LATER_US)
    assert spool.recovered is not None
    assert spool.recovered.with_name(spool.recovered.name + "-wal").exists()
    assert numbers_in(left) == []
    spool.close()


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that remembers next to no pages, as one that has been busy elsewhere."""
    monkeypatch.setattr(file, "CACHE_KIB", 1)


@pytest.mark.usefixtures("forgetful")
def test_damage_met_by_an_append_is_survived(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    last = spool.append([row(numbered(n, 30_000)) for n in range(20)], {})
    spool.checkpoint_if_due(at_bytes=0)
    _destroy_in_use(spool)
    seq = spool.append([row(numbered(3))], {"p": b"3"})
    assert seq > last
    assert spool.recovered is not None
    assert numbers_in(tmp_path)[-1] == 3
    assert spool.position("p") == b"3"
    assert [o.reason for o in spool.owed()] == ["spool_damaged"]
    assert spool.append([row(numbered(4))], {}) == seq + 1
    spool.close()
    spool = open_spool(tmp_path, at_us=LATER_US)
    assert spool.recovered is None
    assert numbers_in(tmp_path)[-2:] == [3, 4]
    spool.close()


@pytest.mark.usefixtures("forgetful")
def test_damage_met_by_a_trim_is_survived(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    last = [spool.append([row(numbered(n, 30_000))], {}) for n in range(20)][-1]
    spool.checkpoint_if_due(at_bytes=0)
    _destroy_in_use(spool)
    spool.trim(last)
    assert spool.recovered is not None
    assert spool.append([row(b"on")], {}) > last
    spool.close()


def _destroy_in_use(spool: Spool) -> None:
    """Overwrite all of the file below its first page while it is open."""
    path = spool.folder / "spool.db"
    size = path.stat().st_size
    # Through a second name for the inode: no lock of ours is given up by closing it.
    script = f"f = open({str(path)!r}, 'r+b'); f.seek({PAGE_BYTES}); f.write(b'\\xa5' * {size})"
    os.spawnlp(os.P_WAIT, "python3", "python3", "-c", script)


def test_a_reader_that_meets_damage_makes_the_writer_look(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    for n in range(20):
        spool.append([row(numbered(n, 30_000))], {})
    spool.checkpoint_if_due(at_bytes=0)
    reader = Reader.open(tmp_path)
    before = reader.read(0, 100)
    assert not spool.check_suspect()
    _destroy_in_use(spool)
    with pytest.raises(SpoolDamaged):
        reader.read(before[-1].seq, 100 * MIB)
    assert (tmp_path / "spool.suspect").exists()
    assert spool.check_suspect()
    assert not (tmp_path / "spool.suspect").exists()
    spool.append([row(numbered(99))], {})
    assert [number_of(f) for f in frames_in(reader.read(before[-1].seq, MIB))][-1] == 99
    reader.close()
    spool.close()


def test_a_missing_row_makes_the_writer_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "QUICK_CHECK_BYTES", 0)
    seqs = filled(tmp_path)
    connection = sqlite3.connect(tmp_path / "spool.db")
    connection.execute("DELETE FROM rows WHERE seq = ?", (seqs[10],))
    connection.commit()
    connection.close()
    spool = open_spool(tmp_path, at_us=START_US)
    reader = Reader.open(tmp_path)
    with pytest.raises(SpoolDamaged, match="missing"):
        reader.read(0, 1 << 30)
    assert spool.check_suspect()
    assert [number_of(f) for f in frames_in(reader.read(0, 1 << 30))] == [
        number for number in range(ROWS) if number != 10
    ]
    reader.close()
    spool.close()


def test_what_a_reader_reported_is_looked_at_by_the_next_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with a file so large that opening it looks at both ends only.
    monkeypatch.setattr(file, "QUICK_CHECK_BYTES", 0)
    filled(tmp_path)
    data = bytearray((tmp_path / "spool.db").read_bytes())
    at = data.index(b"30:30:30:") // PAGE_BYTES * PAGE_BYTES + PAGE_BYTES
    data[at : at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "spool.db").write_bytes(data)
    spool = open_spool(tmp_path, at_us=LATER_US)
    assert spool.recovered is None
    spool.close()
    (tmp_path / "spool.suspect").touch()
    spool = open_spool(tmp_path, at_us=LATER_US)
    assert spool.recovered is not None
    assert len(numbers_in(tmp_path)) >= ROWS - 2
    spool.close()


@pytest.mark.parametrize("name", [b"encoding", b"payload BLOB", b"TABLE owed"])
def test_a_damaged_name_in_the_schema_is_damage(
    tmp_path: Path, name: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "QUICK_CHECK_BYTES", 0)
    filled(tmp_path)
    data = (tmp_path / "spool.db").read_bytes()
    (tmp_path / "spool.db").write_bytes(data.replace(name, name[:-2] + b"qq", 1))
    spool = open_spool(tmp_path, at_us=LATER_US)
    assert spool.recovered is not None
    spool.append([row(b"on")], {})
    spool.close()


def test_a_false_alarm_changes_nothing(tmp_path: Path) -> None:
    filled(tmp_path)
    spool = open_spool(tmp_path)
    (tmp_path / "spool.suspect").touch()
    assert not spool.check_suspect()
    assert not (tmp_path / "spool.suspect").exists()
    assert spool.recovered is None
    spool.close()


def test_a_recovery_killed_between_its_renames_is_finished(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    filled(folder)
    # As it is after the first rename: the new file complete, the old log still under its name.
    (folder / "spool.db").rename(folder / "spool.db.new")
    (folder / "spool.db-wal").write_bytes(b"the log of the damaged file")
    finish_recovery(folder, LATER_US)
    spool = open_spool(folder, at_us=LATER_US)
    assert numbers_in(folder) == list(range(ROWS))
    assert spool.recovered is None
    spool.close()
    [aside] = folder.glob("spool.db.damaged-*-wal")
    assert aside.read_bytes() == b"the log of the damaged file"


def test_a_recovery_killed_while_it_copied_begins_anew(tmp_path: Path) -> None:
    filled(tmp_path)
    bad_free_list(tmp_path / "spool.db")
    (tmp_path / "spool.db.new").write_bytes(b"half a copy")
    (tmp_path / "spool.db.new-wal").write_bytes(b"half a log")
    spool = open_spool(tmp_path, at_us=LATER_US)
    assert spool.recovered is not None
    assert len(numbers_in(tmp_path)) >= ROWS - 2
    assert not (tmp_path / "spool.db.new").exists()
    spool.close()


def test_only_the_newest_damaged_files_are_kept(tmp_path: Path) -> None:
    for number in range(KEPT_DAMAGED + 2):
        filled(tmp_path, size=10)
        garbage(tmp_path / "spool.db")
        open_spool(tmp_path, at_us=LATER_US + number).close()
    kept = sorted(tmp_path.glob("spool.db.damaged-*Z"))
    assert len(kept) == KEPT_DAMAGED
    assert kept[0].name.endswith(".000002Z")


def test_nothing_is_copied_where_the_disk_has_no_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    bad_free_list(tmp_path / "spool.db")
    monkeypatch.setattr(salvage, "free_bytes", lambda folder: 1000)
    spool = open_spool(tmp_path, at_us=LATER_US)
    assert spool.recovered is not None
    assert numbers_in(tmp_path) == []
    assert [o.reason for o in spool.owed()] == ["spool_damaged"]
    spool.close()


def test_a_spool_that_cannot_be_mended_fails_instead_of_looping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad(*_: object) -> None:
        raise SpoolDamaged("again")

    spool = open_spool(tmp_path)
    monkeypatch.setattr(store.SpoolFile, "append", bad)
    with pytest.raises(SpoolDamaged, match="again"):
        spool.append([row(b"a")], {})
    spool.close()
