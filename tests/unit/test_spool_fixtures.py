"""Every spool that an earlier version left can be read and written."""

import shutil
from pathlib import Path

import pytest

from armorstack.spool.cursors import WORK
from armorstack.spool.reader import Reader
from armorstack.spool.schema import SPOOL
from armorstack.spool.work import Work
from tests.support.spool_fixture import DROPPED, LETTERS, ROWS, TRIMMED
from tests.support.spool_rows import START_US, frames_in, numbered, open_spool, read_all, row

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures").glob("spool-v*"))


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(request.param, tmp_path / "spool"))


def test_there_is_a_fixture_of_each_version() -> None:
    versions = {f"spool-v{version}" for version in range(1, SPOOL.version + 1)}
    assert versions <= {path.name for path in FIXTURES}
    assert WORK.version == 1, "add a fixture of the new version"


def test_rows_positions_and_debts_are_kept(folder: Path) -> None:
    spool = open_spool(folder)
    rows = read_all(folder)
    gone = DROPPED + TRIMMED
    assert [found.seq - START_US for found in rows] == list(range(gone, ROWS))
    assert [found.received_us - START_US for found in rows] == list(range(gone, ROWS))
    assert [found.source for found in rows[:2]] == ["file/x", "relay/a"]
    assert frames_in(rows[:1]) == [numbered(gone, 50), b"", numbered(gone + 100, 20)]
    assert spool.waiting().rows == ROWS - gone
    assert spool.positions() == {"file/x": b"%d" % (ROWS - 1)}
    assert {(o.source, o.stream, o.lost) for o in spool.owed()} == {
        ("relay/a", "alert", 3),
        ("file/x", "auto", 3),
    }
    assert spool.dropped_frames == 3 * DROPPED
    spool.close()


def test_it_can_be_written_and_verified(folder: Path) -> None:
    spool = open_spool(folder)
    assert spool.recovered is None
    assert spool.append([row(b"new")], {}) == START_US + ROWS
    spool.trim(START_US + ROWS - 1)
    assert frames_in(read_all(folder)) == [b"new"]
    assert Reader.open(folder).verify().damage == ()
    spool.close()


def test_cursors_and_letters_are_kept(folder: Path) -> None:
    work = Work.open(folder)
    cursors = {name: (c.seq - START_US, c.required) for name, c in work.cursors().items()}
    assert cursors == {"duckdb": (DROPPED + TRIMMED - 1, True), "webhook": (-START_US, False)}
    assert [(x.id, x.error_type, x.attempts, x.replay) for x in work.list()] == [
        (1, LETTERS[0], 1, False),
        (2, LETTERS[1], 2, True),
    ]
    assert [found.frame for found in work.take_replays()] == [numbered(2)]
    assert work.recovered is None
    work.close()
