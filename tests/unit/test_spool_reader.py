"""Reading and checking beside the writer."""

import sqlite3
from pathlib import Path

import pytest

from armorstack.errors import SpoolDamaged
from armorstack.spool.reader import Reader
from armorstack.spool.store import Spool
from armorstack.spool.trail import Missed
from armorstack.spool.verify import CHUNK_ROWS
from tests.support.spool_rows import (
    MIB,
    START_US,
    frames_in,
    number_of,
    numbered,
    open_spool,
    row,
)


def flip(folder: Path, frame: bytes) -> None:
    """Change one payload byte of a frame, in the main file."""
    data = bytearray((folder / "spool.db").read_bytes())
    data[data.index(frame) + len(frame) // 2] ^= 0x20
    (folder / "spool.db").write_bytes(data)


def change(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / "spool.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


def fill(folder: Path, count: int) -> list[int]:
    spool = open_spool(folder)
    seqs = [spool.append([row(numbered(n), at_us=n + 1)], {}) for n in range(count)]
    spool.close()
    return seqs


def test_a_reader_waits_for_a_spool_that_does_not_exist_yet(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    reader = Reader.open(folder)
    assert reader.read(0, MIB) == []
    assert reader.last() == 0
    assert not reader.status().exists
    assert reader.verify().damage == ()
    assert not folder.exists()
    spool = open_spool(folder)
    spool.append([row(b"now")], {})
    assert frames_in(reader.read(0, MIB)) == [b"now"]
    reader.close()
    spool.close()


def test_a_reader_sees_each_append_at_once(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    reader = Reader.open(tmp_path)
    cursor = 0
    for n in range(50):
        spool.append([row(numbered(n))], {})
        [found] = reader.read(cursor, MIB)
        assert frames_in([found]) == [numbered(n)]
        cursor = found.seq
        assert reader.last() == cursor
        if n % 7 == 0:
            assert spool.checkpoint_if_due(at_bytes=0)
    reader.close()
    spool.close()


def test_a_read_ends_with_the_row_that_fills_it(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    reader = Reader.open(tmp_path)
    size = len(numbered(1)) + 4
    assert len(reader.read(0, 3 * size)) == 3
    assert len(reader.read(0, 3 * size + 1)) == 4
    assert len(reader.read(0, 1)) == 1
    reader.close()


def test_a_reader_behind_the_trim_point_goes_on_at_the_first_row_there_is(tmp_path: Path) -> None:
    seqs = fill(tmp_path, 10)
    spool = open_spool(tmp_path)
    spool.trim(seqs[5])
    reader = Reader.open(tmp_path)
    assert reader.read(seqs[1], MIB)[0].seq == seqs[6]
    assert reader.trimmed() == seqs[5] > seqs[1]
    reader.close()
    spool.close()


def test_a_reader_of_an_empty_spool_still_knows_the_last_position(tmp_path: Path) -> None:
    seqs = fill(tmp_path, 3)
    spool = open_spool(tmp_path)
    spool.trim(seqs[-1])
    reader = Reader.open(tmp_path)
    assert reader.read(0, MIB) == []
    assert reader.last() == seqs[-1]
    reader.close()
    spool.close()


def test_a_reader_follows_when_the_file_is_replaced(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    reader = Reader.open(tmp_path)
    last = reader.read(0, MIB)[-1].seq
    (tmp_path / "spool.db").write_bytes(b"\0" * 100_000)
    spool = open_spool(tmp_path, at_us=START_US + 10**9)
    spool.append([row(b"anew")], {})
    assert frames_in(reader.read(last, MIB)) == [b"anew"]
    reader.close()
    spool.close()


def test_status_tells_what_waits(tmp_path: Path) -> None:
    seqs = fill(tmp_path, 10)
    spool = open_spool(tmp_path)
    spool.trim(seqs[3])
    reader = Reader.open(tmp_path)
    status = reader.status()
    assert (status.rows, status.frames, status.first, status.last) == (6, 6, seqs[4], seqs[-1])
    assert status.bytes == 6 * (len(numbered(1)) + 4)
    assert (status.oldest_us, status.newest_us, status.trimmed) == (5, 10, seqs[3])
    assert status.file_bytes > 0
    reader.close()
    spool.close()


def test_a_spoiled_row_is_left_out_and_told(tmp_path: Path) -> None:
    seqs = fill(tmp_path, 5)
    flip(tmp_path, numbered(2))
    reader = Reader.open(tmp_path)
    assert [number_of(frame) for frame in frames_in(reader.read(0, MIB))] == [0, 1, 3, 4]
    [spoiled] = reader.take_spoiled()
    assert (spoiled.seq, spoiled.source, spoiled.stream, spoiled.received_us, spoiled.count) == (
        seqs[2], "relay/a", "alert", 3, 1,
    )  # fmt: skip
    assert reader.take_spoiled() == []
    reader.close()


def test_damage_is_raised_by_a_read_and_told_by_the_status(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    (tmp_path / "spool.db").write_bytes(b"garbage " * 10_000)
    reader = Reader.open(tmp_path)
    with pytest.raises(SpoolDamaged):
        reader.read(0, MIB)
    assert "not a database" in reader.status().damage
    assert reader.last() == 0
    assert (tmp_path / "spool.suspect").exists()
    reader.close()


def test_verify_finds_a_whole_spool_whole(tmp_path: Path) -> None:
    fill(tmp_path, 3 * CHUNK_ROWS + 1)
    verdict = Reader.open(tmp_path).verify()
    assert verdict.damage == ()
    assert verdict.rows == verdict.frames == 3 * CHUNK_ROWS + 1


def test_verify_finds_a_flipped_payload_byte(tmp_path: Path) -> None:
    seqs = fill(tmp_path, 20)
    flip(tmp_path, numbered(7))
    [fault] = Reader.open(tmp_path).verify().damage
    assert str(seqs[7]) in fault
    assert "checksum" in fault


@pytest.mark.parametrize("missing", [5, CHUNK_ROWS, 2 * CHUNK_ROWS + 1])
def test_verify_finds_a_missing_row(tmp_path: Path, missing: int) -> None:
    seqs = fill(tmp_path, 3 * CHUNK_ROWS)
    change(tmp_path, f"DELETE FROM rows WHERE seq = {seqs[missing]}")
    [fault] = Reader.open(tmp_path).verify().damage
    assert f"between {seqs[missing - 1]} and {seqs[missing + 1]}" in fault


def test_verify_finds_lengths_that_do_not_fit(tmp_path: Path) -> None:
    seqs = fill(tmp_path, 3)
    # With a right checksum: crc32(b'\1\0\0\0').
    change(tmp_path, f"UPDATE rows SET lengths = x'01000000', payload = x'', crc32 = 2583214201 "
                     f"WHERE seq = {seqs[1]}")  # fmt: skip
    damage = Reader.open(tmp_path).verify().damage
    assert any("add up" in fault for fault in damage)


def test_verify_finds_broken_structure(tmp_path: Path) -> None:
    fill(tmp_path, 200)
    data = bytearray((tmp_path / "spool.db").read_bytes())
    at = data.index(numbered(150)) // 16384 * 16384
    data[at : at + 200] = bytes(200)
    (tmp_path / "spool.db").write_bytes(data)
    assert Reader.open(tmp_path).verify().damage


def test_verify_takes_no_trimming_for_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from armorstack.spool import verify

    seqs = fill(tmp_path, 4 * CHUNK_ROWS)
    spool = open_spool(tmp_path)
    chunk = verify._chunk
    calls: list[int] = []

    def chunk_while_trimming(connection: sqlite3.Connection, after: int) -> object:
        if len(calls) == 1:
            spool.trim(seqs[2 * CHUNK_ROWS])
        calls.append(after)
        return chunk(connection, after)

    monkeypatch.setattr(verify, "_chunk", chunk_while_trimming)
    verdict = verify.verify(tmp_path)
    assert verdict.damage == ()
    assert verdict.rows == 3 * CHUNK_ROWS - 1
    spool.close()


def three_rows(folder: Path) -> tuple[Spool, list[int]]:
    """Rows of 1, 2 and 4 frames."""
    spool = open_spool(folder)
    counts = (1, 2, 4)
    seqs = [spool.append([row(*[b"x"] * n, at_us=10 * n)], {}) for n in counts]
    return spool, seqs


def test_a_reader_tells_how_many_frames_were_deleted_before_it_had_them(tmp_path: Path) -> None:
    spool, seqs = three_rows(tmp_path)
    reader = Reader.open(tmp_path)
    assert [found.seq for found in reader.read(0, 1)] == seqs[:1]
    spool.trim(seqs[1])
    assert [found.seq for found in reader.read(seqs[0], 1)] == seqs[2:]
    assert reader.take_missed() == [Missed(seqs[0], seqs[1], 2, 10, 40)]
    assert reader.take_missed() == []
    reader.close()
    spool.close()


def test_nothing_is_missed_where_positions_jump_or_nothing_was_deleted(tmp_path: Path) -> None:
    spool, seqs = three_rows(tmp_path)
    spool.close()
    spool = open_spool(tmp_path, at_us=START_US + 10**9)
    reader = Reader.open(tmp_path)
    reader.read(0, MIB)
    spool.append([row(b"later")], {})
    spool.trim(seqs[2])
    assert frames_in(reader.read(seqs[2], MIB)) == [b"later"]
    assert reader.read(spool.last, MIB) == []
    assert reader.take_missed() == []
    reader.close()
    spool.close()


def test_after_a_start_a_reader_knows_that_rows_are_missing_but_not_how_many(
    tmp_path: Path,
) -> None:
    spool, seqs = three_rows(tmp_path)
    spool.trim(seqs[1])
    reader = Reader.open(tmp_path)
    assert len(reader.read(seqs[0], MIB)) == 1
    assert reader.take_missed() == [Missed(seqs[0], seqs[1], None, 40, 40)]
    fresh = Reader.open(tmp_path)
    assert len(fresh.read(seqs[1], MIB)) == 1
    # A sink that begins has missed nothing of what was there before.
    assert len(fresh.read(0, MIB)) == 1
    assert fresh.take_missed() == []
    for one in (reader, fresh):
        one.close()
    spool.close()


def test_a_new_file_is_not_counted_from_the_old_one(tmp_path: Path) -> None:
    spool, seqs = three_rows(tmp_path)
    reader = Reader.open(tmp_path)
    reader.read(0, MIB)
    spool.close()
    (tmp_path / "spool.db").write_bytes(b"\0" * 100_000)
    spool = open_spool(tmp_path, at_us=START_US + 10**9)
    freed = spool.append([row(*[b"y"] * 50, at_us=70)], {})
    spool.append([row(b"z", at_us=80)], {})
    spool.trim(freed)
    assert len(reader.read(seqs[2], MIB)) == 1
    assert reader.take_missed() == [Missed(seqs[2], freed, None, 80, 80)]
    reader.close()
    spool.close()


def test_a_read_behind_the_same_position_again_still_counts(tmp_path: Path) -> None:
    spool, seqs = three_rows(tmp_path)
    reader = Reader.open(tmp_path)
    reader.read(0, 1)
    assert len(reader.read(seqs[0], MIB)) == 2
    spool.trim(seqs[1])
    assert len(reader.read(seqs[0], MIB)) == 1
    assert [missed.frames for missed in reader.take_missed()] == [2]
    reader.close()
    spool.close()


def test_what_is_missing_is_told_once_though_a_read_met_damage(tmp_path: Path) -> None:
    seqs = fill(tmp_path, 6)
    spool = open_spool(tmp_path)
    reader = Reader.open(tmp_path)
    assert [found.seq for found in reader.read(0, 1)] == seqs[:1]
    spool.trim(seqs[2])
    spool.close()
    change(tmp_path, f"DELETE FROM rows WHERE seq = {seqs[4]}")
    with pytest.raises(SpoolDamaged):
        reader.read(seqs[0], MIB)
    assert reader.take_missed() == []
    assert len(reader.read(seqs[0], 1)) == 1
    [missed] = reader.take_missed()
    assert (missed.last, missed.frames) == (seqs[2], 2)
    reader.close()
