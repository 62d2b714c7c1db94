"""How far each sink is, as the receiver sees it: read from the worker's file, never written here.

Invariant: every enrolled sink holds the spool, also one that has stored nothing yet; where room is
needed only the required ones do. Where nothing is known nothing is trimmed.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from armorstack.errors import SpoolError
from armorstack.spool.database import Schema, guarded
from armorstack.spool.follow import Follower
from armorstack.spool.place import WORK_FILE

_HISTORY = (
    # `key` is the SHA-256 of the gap as it is written: one that comes twice is kept once.
    """CREATE TABLE gaps (
        key BLOB PRIMARY KEY,
        start_us INTEGER NOT NULL,
        end_us INTEGER NOT NULL,
        gap TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX gaps_by_end ON gaps (end_us)",
    """CREATE TABLE nodes (
        cluster TEXT NOT NULL,
        node TEXT NOT NULL,
        last_event_us INTEGER NOT NULL,
        last_received_us INTEGER NOT NULL,
        events INTEGER NOT NULL,
        PRIMARY KEY (cluster, node)
    ) WITHOUT ROWID""",
)
"""What version 2 added; see `history.py`."""

WORK = Schema(
    application_id=0x41535357,  # "ASSW"
    version=2,
    create=(
        """CREATE TABLE cursors (
            sink TEXT PRIMARY KEY,
            seq INTEGER NOT NULL,
            required INTEGER NOT NULL,
            updated_us INTEGER NOT NULL
        ) WITHOUT ROWID""",
        # AUTOINCREMENT: an id that a person noted never comes to mean another letter.
        """CREATE TABLE letters (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            sink TEXT NOT NULL,
            source TEXT NOT NULL,
            stream TEXT NOT NULL,
            encoding TEXT NOT NULL,
            cluster TEXT NOT NULL,
            error_type TEXT NOT NULL,
            reason TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            first_seen_us INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            replay INTEGER NOT NULL,
            frame BLOB NOT NULL
        )""",
        """CREATE TABLE facts (
            name TEXT PRIMARY KEY,
            value INTEGER NOT NULL
        ) WITHOUT ROWID""",
        # letters, letter_bytes: what is kept, each with 256 bytes for its names and place;
        # letters_dropped: what the limit has cost, ever.
        "INSERT INTO facts VALUES ('letters', 0), ('letter_bytes', 0), ('letters_dropped', 0)",
        """CREATE TRIGGER letter_kept AFTER INSERT ON letters BEGIN
            UPDATE facts SET value = value + 1 WHERE name = 'letters';
            UPDATE facts SET value = value + length(NEW.frame) + 256
                WHERE name = 'letter_bytes';
        END""",
        """CREATE TRIGGER letter_gone AFTER DELETE ON letters BEGIN
            UPDATE facts SET value = value - 1 WHERE name = 'letters';
            UPDATE facts SET value = value - length(OLD.frame) - 256
                WHERE name = 'letter_bytes';
        END""",
        *_HISTORY,
    ),
    upgrades={1: _HISTORY},
)
SINCE_1 = 1
"""Cursors and letters are in every version: readers need not wait until the worker has upgraded
the file. The receiver above all, since it begins its positions behind the highest cursor."""
HISTORY_SINCE = 2
"""Older files know neither gaps nor nodes."""


class Cursor(Struct, frozen=True):
    """How far one sink is."""

    seq: int
    """Last row that is durable in the sink."""
    required: bool
    """Whether the spool keeps the rows behind it even where it needs the room."""
    updated_us: int = 0
    """When it moved last."""


class CursorReader:
    """Reads the cursors again and again, from another process than the one that writes them."""

    def __init__(self, folder: Path) -> None:
        self._follower = Follower(folder / WORK_FILE, WORK, SINCE_1)

    def read(self) -> dict[str, Cursor]:
        """Cursors by sink; none where the worker's file is not there or cannot be read."""
        # A damaged file may hold anything in any column.
        with contextlib.suppress(SpoolError, TypeError, ValueError):
            connection = self._follower.connection()
            if connection is not None:
                with guarded(self._follower.path):
                    return load_cursors(connection)
        return {}

    def close(self) -> None:
        """Let go."""
        self._follower.close()


def load_cursors(connection: sqlite3.Connection) -> dict[str, Cursor]:
    """The cursors by sink, from an open `work.db`."""
    found = connection.execute("SELECT sink, seq, required, updated_us FROM cursors").fetchall()
    return {sink: Cursor(int(seq), bool(must), when) for sink, seq, must, when in found}


def read_cursors(folder: Path) -> dict[str, Cursor]:
    """The cursors, once."""
    with contextlib.closing(CursorReader(folder)) as reader:
        return reader.read()


def trim_point(cursors: Mapping[str, Cursor]) -> int:
    """The position up to which every sink has the rows; 0 where none is known."""
    return min((cursor.seq for cursor in cursors.values()), default=0)


def yield_point(cursors: Mapping[str, Cursor]) -> int:
    """The position up to which the rows may go where room is needed; 0 where none is known."""
    return min((cursor.seq for cursor in binding(cursors)), default=0)


def binding(cursors: Mapping[str, Cursor]) -> list[Cursor]:
    """Those of the required sinks; where no sink is required, all."""
    required = [cursor for cursor in cursors.values() if cursor.required]
    return required or list(cursors.values())


def highest(cursors: Iterable[Cursor]) -> int:
    """The largest position that any sink has seen."""
    return max((cursor.seq for cursor in cursors), default=0)
