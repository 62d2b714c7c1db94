"""Reads a whole spool and checks it, beside its running writer.

Invariant: what is reported is damage, never the work of a writer that appends and deletes at the
same time. Mending must not go here.
"""

import sqlite3
from pathlib import Path

from msgspec import Struct

from armorstack.errors import SpoolDamaged
from armorstack.spool.database import guarded
from armorstack.spool.follow import Follower
from armorstack.spool.mark import Mark
from armorstack.spool.place import SPOOL_FILE
from armorstack.spool.rows import Row, frame_lengths, is_whole
from armorstack.spool.schema import MARK_COLUMNS, ROW_COLUMNS, SPOOL

CHUNK_ROWS = 16
"""Rows read in one snapshot; a longer one would keep the writer from checkpointing."""
MOST_FAULTS = 100


class Verdict(Struct, frozen=True):
    """What was found."""

    rows: int = 0
    frames: int = 0
    bytes: int = 0
    damage: tuple[str, ...] = ()
    """One sentence per fault, not more than a hundred; empty: all is whole."""


def verify(folder: Path) -> Verdict:
    """Check every row of the spool in this folder, and the structure of the file.

    A spool that does not exist yet is whole. Raises SpoolTooNew.
    """
    follower = Follower(folder / SPOOL_FILE, SPOOL)
    check = _Check()
    try:
        connection = follower.connection()
        if connection is not None:
            with guarded(follower.path):
                check.structure(connection)
                check.rows(connection)
    except SpoolDamaged as error:
        check.fault(str(error))
    finally:
        follower.close()
    return check.verdict()


class _Check:
    """One run over the rows, and what it found so far."""

    def __init__(self) -> None:
        self._rows = self._frames = self._bytes = 0
        self._damage: list[str] = []
        self._before: Mark | None = None

    def verdict(self) -> Verdict:
        return Verdict(self._rows, self._frames, self._bytes, tuple(self._damage))

    def fault(self, sentence: str) -> None:
        if len(self._damage) < MOST_FAULTS:
            self._damage.append(sentence)

    def structure(self, connection: sqlite3.Connection) -> None:
        for (finding,) in connection.execute(f"PRAGMA quick_check({MOST_FAULTS})"):
            if finding != "ok":
                self.fault(f"structure: {finding}")

    def rows(self, connection: sqlite3.Connection) -> None:
        after = 0
        while chunk := _chunk(connection, after):
            # Asked after the rows were read, so that it covers what they lack.
            if self._before is not None and _trimmed(connection) >= self._before.seq:
                self._before = None
            for mark, row in chunk:
                self._row(mark, row)
            after = chunk[-1][0].seq

    def _row(self, mark: Mark, row: Row) -> None:
        self._rows += 1
        self._frames += row.count
        self._bytes += mark.bytes
        if not is_whole(row):
            self.fault(f"row {row.seq}: the checksum does not match its {row.count} frames")
        elif sum(frame_lengths(row)) != len(row.payload):
            self.fault(f"row {row.seq}: the lengths do not add up to the payload")
        before, self._before = self._before, mark
        if before is not None and not _follows(before, mark):
            self.fault(f"rows are missing between {before.seq} and {mark.seq}")


def _chunk(connection: sqlite3.Connection, after: int) -> list[tuple[Mark, Row]]:
    width = len(MARK_COLUMNS.split(", "))
    query = f"SELECT {MARK_COLUMNS}, {ROW_COLUMNS} FROM rows WHERE seq > ? ORDER BY seq LIMIT ?"
    found = connection.execute(query, (after, CHUNK_ROWS)).fetchall()
    return [(Mark(*record[:width]), Row(*record[width:])) for record in found]


def _follows(before: Mark, mark: Mark) -> bool:
    return (
        mark.ordinal == before.ordinal + 1
        and mark.frames_total == before.frames_total + mark.count
        and mark.bytes_total == before.bytes_total + mark.bytes
    )


def _trimmed(connection: sqlite3.Connection) -> int:
    """The newest row that the writer has deleted; rows before it need not be there."""
    query = "SELECT value FROM facts WHERE name = 'trimmed'"
    return int(connection.execute(query).fetchone()[0])
