"""The spool between real processes: killed, locked, read while written, damaged while in use."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from armorstack.errors import SpoolDamaged, SpoolLocked
from armorstack.spool.reader import Reader
from armorstack.spool.survey import survey
from armorstack.spool.work import Work
from tests.support.spool_driver import acknowledged, driver, wait_for_acks
from tests.support.spool_rows import (
    MIB,
    frames_in,
    gaps_in,
    number_of,
    numbers_in,
    open_spool,
)

DEADLINE_S = 30


def test_what_was_acknowledged_before_a_kill_is_in_the_spool(tmp_path: Path) -> None:
    folder, acks = tmp_path / "spool", tmp_path / "acks"
    chance = random.Random(3)
    for _ in range(6):
        first = max(numbers_in(folder), default=-1) + 1
        before = len(acknowledged(acks))
        with driver(folder, acks, first) as process:
            wait_for_acks(acks, before + chance.randint(1, 150), process)
            time.sleep(chance.random() * 0.02)
            process.kill()
            process.wait()
        found = numbers_in(folder)
        assert set(acknowledged(acks)) <= set(found)
        assert found == list(range(len(found))), "frames are missing, doubled or out of order"
    assert Reader.open(folder).verify().damage == ()
    assert not list(folder.glob("*.damaged-*"))


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    folder, acks = tmp_path / "spool", tmp_path / "acks"
    with driver(folder, acks, 0) as process:
        wait_for_acks(acks, 1, process)
        with pytest.raises(SpoolLocked, match=f"process {process.pid}$"):
            open_spool(folder)
        assert survey(folder).writer_pid == process.pid
        process.kill()
        process.wait()
    open_spool(folder).close()


def test_a_reader_beside_a_writer_sees_all_in_order_while_it_is_freed(tmp_path: Path) -> None:
    folder, acks = tmp_path / "spool", tmp_path / "acks"
    work = Work.open(folder)
    work.enroll({"duckdb": True})
    reader = Reader.open(folder)
    found: list[int] = []
    cursor, trimmed = 0, 0
    with driver(folder, acks, 0, bytes=100_000) as process:
        wait_for_acks(acks, 1, process)
        deadline = time.monotonic() + DEADLINE_S
        # Enough for several checkpoints of the log, and for rows to be freed meanwhile.
        while len(found) < 1200 or not trimmed:
            assert time.monotonic() < deadline
            assert process.poll() is None
            for row in reader.read(cursor, MIB):
                found += map(number_of, frames_in([row]))
                cursor = row.seq
            work.commit("duckdb", cursor, True)
            trimmed = reader.trimmed()
        assert reader.verify().damage == ()
    assert found == list(range(len(found)))
    assert reader.take_spoiled() == []
    assert (folder / "spool.db-wal").stat().st_size < 32 * MIB
    reader.close()
    work.close()


def test_a_file_damaged_in_use_is_replaced_and_both_sides_go_on(tmp_path: Path) -> None:
    folder, acks = tmp_path / "spool", tmp_path / "acks"
    reader = Reader.open(folder)
    with driver(folder, acks, 0, bytes=60_000) as process:
        # Beyond the first checkpoint, so that rows lie in the main file.
        wait_for_acks(acks, 350, process)
        overwrite(folder / "spool.db", 100_000, 12_000_000)
        damaged_at = len(acknowledged(acks))
        cursor = read_until_damage(reader)
        deadline = time.monotonic() + DEADLINE_S
        last = -1
        while last < damaged_at + 50:
            assert time.monotonic() < deadline
            assert process.poll() is None
            for row in read_or_wait(reader, cursor):
                cursor = row.seq
                last = max([last, *map(number_of_or_none, frames_in([row]))])
        while not gaps_in(folder):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert list(folder.glob("spool.db.damaged-*"))
    assert [gap["reason"] for gap in gaps_in(folder)] == ["spool_damaged"]
    assert reader.verify().damage == ()
    told = [number for number in acknowledged(acks) if number >= damaged_at + 50]
    assert set(told) <= {number_of_or_none(f) for f in frames_in(reader.read(0, 1 << 40))}
    reader.close()


def overwrite(path: Path, start: int, count: int) -> None:
    """From another process: closing the file here would give up locks of this one."""
    code = "import sys; f = open(sys.argv[1], 'r+b'); f.seek(int(sys.argv[2]));"
    code += "f.write(b'\\xa5' * int(sys.argv[3]))"
    subprocess.run([sys.executable, "-c", code, path, str(start), str(count)], check=True)


def read_until_damage(reader: Reader) -> int:
    cursor = 0
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            for row in reader.read(cursor, MIB):
                cursor = row.seq
        except SpoolDamaged:
            return cursor
    raise AssertionError("the damage was not noticed")


def read_or_wait(reader: Reader, after: int) -> list[object]:
    try:
        return list(reader.read(after, MIB))
    except SpoolDamaged:
        time.sleep(0.05)
        return []


def number_of_or_none(frame: bytes) -> int:
    """A gap has no number."""
    return -1 if frame.startswith(b"{") else number_of(frame)
