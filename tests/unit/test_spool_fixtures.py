"""Every spool that an earlier version left can be read and written."""

import shutil
from pathlib import Path

import pytest

from armorstack.spool.cursors import WORK, read_cursors, trim_point, yield_point
from armorstack.spool.history import GapNote, History, look
from armorstack.spool.reader import Reader
from armorstack.spool.schema import SPOOL
from armorstack.spool.survey import survey
from armorstack.spool.work import Work
from tests.support.spool_fixture import DROPPED, GAP, LETTERS, NEVER_OLD_US, NODE, ROWS, TRIMMED
from tests.support.spool_rows import START_US, frames_in, numbered, open_spool, read_all, row

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures").glob("spool-v*"))


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(request.param, tmp_path / "spool"))


def test_there_is_a_fixture_of_each_version() -> None:
    newest = max(SPOOL.version, WORK.version)
    assert [path.name for path in FIXTURES] == [f"spool-v{n}" for n in range(1, newest + 1)]


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


def test_gaps_and_nodes_are_kept_and_new_ones_can_be_noted(folder: Path) -> None:
    began_with = ([GAP.frame], [NODE]) if look(folder).known else ([], [])
    work = Work.open(folder)
    assert (list(work.gaps(0, START_US)), list(work.nodes())) == began_with
    work.note([GapNote(b"{}", 1, NEVER_OLD_US + 1)], [NODE])
    assert list(work.gaps(0, START_US)) == [*began_with[0], b"{}"]
    assert [node.events for node in work.nodes()] == [NODE.events * (1 + len(began_with[1]))]
    work.close()


def test_before_the_worker_has_upgraded_its_file_it_is_read_as_far_as_it_goes(
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(FIXTURES[0], tmp_path / "spool"))
    before = (folder / "work.db").read_bytes()
    assert look(folder) == History()
    found = survey(folder)
    assert [(sink.name, sink.cursor > START_US) for sink in found.sinks] == [
        ("duckdb", True),
        ("webhook", False),
    ]
    assert found.letters == 2
    assert (folder / "work.db").read_bytes() == before


def test_a_receiver_beside_a_file_of_the_first_version_begins_behind_its_cursors(
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(FIXTURES[0], tmp_path / "spool"))
    (folder / "spool.db").unlink()
    spool = open_spool(folder, at_us=1)
    assert spool.append([row(b"new")], {}) == START_US + DROPPED + TRIMMED
    spool.close()


def test_a_receiver_beside_a_file_of_the_first_version_frees_what_all_sinks_have(
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(FIXTURES[0], tmp_path / "spool"))
    cursors = read_cursors(folder)
    assert (trim_point(cursors), yield_point(cursors)) == (0, START_US + DROPPED + TRIMMED - 1)
