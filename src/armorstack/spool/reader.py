"""The reading side of the spool, for other processes than its writer.

Invariant: nothing is ever written but a note that the file is suspect; a read takes one short
snapshot, so that it never holds up the writer's checkpoints for long. How far a sink is must not
go here (`work.py`).
"""

import contextlib
import os
import sqlite3
from collections.abc import Generator, Iterator
from pathlib import Path

from msgspec import Struct

from armorstack.errors import SpoolDamaged
from armorstack.spool.database import guarded
from armorstack.spool.follow import Follower
from armorstack.spool.mark import Mark, first_mark, last_mark, waiting_between
from armorstack.spool.place import SPOOL_FILE, SUSPECT_FILE, size_of
from armorstack.spool.rows import Row, is_whole
from armorstack.spool.schema import PAGE_BYTES, ROW_COLUMNS, SPOOL
from armorstack.spool.trail import PLACE_COLUMNS, Missed, Place, Trail, Walk
from armorstack.spool.verify import Verdict, verify

PLACE_WIDTH = len(PLACE_COLUMNS.split(", "))


class Status(Struct, frozen=True):
    """What waits in the spool."""

    exists: bool = False
    rows: int = 0
    frames: int = 0
    bytes: int = 0
    """Bytes of waiting frames and their lengths."""
    first: int = 0
    """Position of the oldest row; 0: none."""
    last: int = 0
    """Position of the newest row ever appended."""
    oldest_us: int = 0
    """When the oldest waiting row was received; 0: none waits."""
    newest_us: int = 0
    file_bytes: int = 0
    log_bytes: int = 0
    free_bytes: int = 0
    """Bytes inside the file that wait for reuse."""
    trimmed: int = 0
    """Highest position ever deleted; a sink whose cursor is below has missed rows."""
    dropped: int = 0
    """Frames ever deleted unread because the spool was full."""
    damage: str = ""
    """Why none of this can be told; the writer knows, and will put a new file in its place."""


class Spoiled(Struct, frozen=True):
    """A row whose bytes are not those that were appended; it is left out of what is read."""

    seq: int
    source: str
    stream: str
    received_us: int
    count: int


class Reader:
    """Reads rows of a spool that another process writes. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._follower = Follower(folder / SPOOL_FILE, SPOOL)
        self._spoiled: list[Spoiled] = []
        self._trail = Trail()

    @classmethod
    def open(cls, folder: Path) -> "Reader":
        """A reader; the spool may come into being later, or be replaced."""
        return cls(folder)

    def read(self, after: int, max_bytes: int) -> list[Row]:
        """Rows behind `after` in order: at least one if there is one, and no more once they hold
        `max_bytes`. Rows spoiled on disk are left out, see `take_spoiled`; rows that were deleted
        are told by `take_missed`.

        Raises SpoolDamaged where SQLite cannot read on; the writer is then told to look, and a
        later call finds the file it puts in its place.
        """
        rows: list[Row] = []
        spoiled: list[Spoiled] = []
        walk = self._trail.walk(after)
        size = 0
        with contextlib.closing(self._rows(walk)) as found:
            for row in found:
                if not is_whole(row):
                    spoiled.append(_spoiled(row))
                    continue
                rows.append(row)
                size += len(row.payload) + len(row.lengths)
                if size >= max_bytes:
                    break
        self._spoiled += spoiled
        self._trail.went(walk)
        return rows

    def take_spoiled(self) -> list[Spoiled]:
        """Rows left out since the last call."""
        found, self._spoiled = self._spoiled, []
        return found

    def take_missed(self) -> list[Missed]:
        """What was deleted between the position asked for and the first row given, since the last
        call. How many frames that were is known if this reader had the row at that position from
        the same file; so not after a start."""
        return self._trail.take_missed()

    def last(self) -> int:
        """The newest position, deleted or not; 0 where there never was one or none can be read."""
        return self.status().last

    def trimmed(self) -> int:
        """The highest position ever deleted: a sink whose cursor is below has missed rows.

        The positions themselves jump at every opening of the spool; a jump alone says nothing.
        """
        return self.status().trimmed

    def status(self) -> Status:
        """What waits. Raises SpoolTooNew; damage is in the answer."""
        try:
            with self._reading() as connection:
                return self._status(connection) if connection else Status()
        except SpoolDamaged as error:
            return Status(exists=True, damage=str(error))

    def verify(self) -> Verdict:
        """Read everything and check it; see `verify.py`."""
        return verify(self._folder)

    def close(self) -> None:
        """Let go."""
        self._follower.close()

    def _rows(self, walk: Walk) -> Generator[Row, None, None]:
        columns = f"ordinal, {PLACE_COLUMNS}, {ROW_COLUMNS}"
        query = f"SELECT {columns} FROM rows WHERE seq > ? ORDER BY seq"
        with self._reading() as connection:
            if connection is None:
                return
            with contextlib.closing(connection.execute(query, (walk.after,))) as records:
                expected = None
                for ordinal, *record in records:
                    if expected not in (None, ordinal):
                        # A page that leads elsewhere; rows are deleted at the front only.
                        raise SpoolDamaged(f"{self._follower.path} is damaged: rows are missing")
                    place = record[:PLACE_WIDTH]
                    if not all(isinstance(number, int) for number in (ordinal, *place)):
                        raise SpoolDamaged(f"{self._follower.path} is damaged: numbers are none")
                    walk.last = Place(self._follower.inode, *place)
                    if expected is None:
                        walk.begin(walk.last, _fact(connection, "trimmed"))
                    yield Row(*record[PLACE_WIDTH:])
                    expected = ordinal + 1

    def _status(self, connection: sqlite3.Connection) -> Status:
        connection.execute("BEGIN")
        try:
            first, last = first_mark(connection), last_mark(connection)
            trimmed = _fact(connection, "trimmed")
            dropped = _fact(connection, "dropped")
            free_pages = int(connection.execute("PRAGMA freelist_count").fetchone()[0])
        finally:
            connection.execute("ROLLBACK")
        last = last or Mark(seq=trimmed)
        waiting = waiting_between(first, last)
        path = self._follower.path
        return Status(
            exists=True, rows=waiting.rows, frames=waiting.frames, bytes=waiting.bytes,
            first=first.seq if first else 0, last=last.seq, oldest_us=waiting.oldest_us,
            newest_us=last.received_us, file_bytes=size_of(path),
            log_bytes=size_of(path.with_name(path.name + "-wal")),
            free_bytes=free_pages * PAGE_BYTES, trimmed=trimmed, dropped=dropped,
        )  # fmt: skip

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection to the present file; damage met in it is noted for the writer."""
        try:
            connection = self._follower.connection()
            with guarded(self._follower.path):
                yield connection
        except SpoolDamaged:
            self._suspect()
            self._follower.close()
            raise

    def _suspect(self) -> None:
        path = self._folder / SUSPECT_FILE
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _spoiled(row: Row) -> Spoiled:
    return Spoiled(row.seq, row.source, row.stream, row.received_us, row.count)


def _fact(connection: sqlite3.Connection, name: str) -> int:
    query = "SELECT value FROM facts WHERE name = ?"
    return int(connection.execute(query, (name,)).fetchone()[0])
