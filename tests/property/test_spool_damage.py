"""Whatever happens to the main file: no wrong frame is read, and the spool goes on."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armorstack.errors import SpoolDamaged, SpoolTooNew
from armorstack.spool import file
from armorstack.spool.database import NO_VERSION
from armorstack.spool.reader import Reader
from armorstack.spool.schema import PAGE_BYTES
from tests.support.spool_rows import (
    MIB,
    START_US,
    frames_in,
    memory_folder,
    numbered,
    open_spool,
    read_all,
    row,
)

ROWS = 40
LATER_US = START_US + 10**9
FRAMES = [numbered(number, 500 + 997 * number) for number in range(ROWS)]


@pytest.fixture(scope="module")
def whole() -> Iterator[Path]:
    """A spool with rows of all sizes, freed pages among them, all in the main file."""
    with tempfile.TemporaryDirectory(prefix="spool-damage-", dir=memory_folder()) as root:
        folder = Path(root) / "whole"
        spool = open_spool(folder)
        seqs = [spool.append([row(frame)], {"p": b"1"}) for frame in [*FRAMES[:5], *FRAMES]]
        spool.trim(seqs[4])
        spool.close()
        yield folder


def damaged_copy(whole: Path, place: int, garbage: bytes) -> Path:
    folder = whole.parent / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    path = folder / "spool.db"
    data = bytearray(path.read_bytes())
    at = place % (len(data) - len(garbage))
    data[at : at + len(garbage)] = garbage
    path.write_bytes(data)
    return folder


def read_as_the_worker_does(folder: Path) -> list[bytes]:
    """Read on past damage that the writer has mended in between."""
    reader = Reader.open(folder)
    try:
        found = reader.read(0, 1000 * MIB)
        reader.take_spoiled()
        return frames_in(found)
    finally:
        reader.close()


def version_in(folder: Path) -> int:
    """The file's `user_version` (SQLite's file format, offset 60)."""
    return int.from_bytes((folder / "spool.db").read_bytes()[60:64])


GARBAGE = st.tuples(st.binary(min_size=1, max_size=40), st.sampled_from([1, 1, 1, 1000]))
"""Some bytes, and how often they are repeated."""
PLACES = st.integers(0, 1 << 30) | st.builds(
    lambda page, offset: page * PAGE_BYTES + offset, st.integers(0, 12), st.integers(0, 120)
)
"""Anywhere, or near the beginning of one of the first pages, where structure lies thickest."""


@given(place=PLACES, garbage=GARBAGE, checks=st.booleans())
def test_damage_anywhere_costs_rows_but_never_changes_one(
    whole: Path, place: int, garbage: tuple[bytes, int], checks: bool
) -> None:
    folder = damaged_copy(whole, place, garbage[0] * garbage[1])
    limit = file.QUICK_CHECK_BYTES
    file.QUICK_CHECK_BYTES = limit if checks else 0
    try:
        try:
            spool = open_spool(folder, at_us=LATER_US)
        except SpoolTooNew:
            # Four bytes that cannot be told from those of a newer version.
            assert 1 < version_in(folder) < NO_VERSION
            return
        seq = spool.append([row(b"new")], {"p": b"2"})
        try:
            found = read_as_the_worker_does(folder)
        except SpoolDamaged:
            assert spool.check_suspect()
            found = read_as_the_worker_does(folder)
        assert found[-1] == b"new"
        kept = found[:-1]
        assert [frame for frame in FRAMES if frame in kept] == kept
        assert spool.trim(seq - 1) >= 0
        assert frames_in(read_all(folder)) == [b"new"]
        assert spool.position("p") == b"2"
        assert spool.append([row(b"newer")], {}) > seq
        spool.close()
    finally:
        file.QUICK_CHECK_BYTES = limit
