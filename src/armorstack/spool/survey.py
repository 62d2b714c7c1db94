"""The spool as a person wants to see it: what waits, for whom, and what went wrong before.

Invariant: looking changes nothing, beside a running receiver and worker or without them. How it is
shown must not go here.
"""

from pathlib import Path

from msgspec import Struct

from armorstack.errors import SpoolError
from armorstack.spool.cursors import SINCE_1, WORK, CursorReader
from armorstack.spool.database import guarded
from armorstack.spool.follow import Follower
from armorstack.spool.letters import fact
from armorstack.spool.place import LOCK_FILE, SPOOL_FILE, WORK_FILE
from armorstack.spool.reader import Reader, Status

LOCKS = Path("/proc/locks")


class SinkProgress(Struct, frozen=True):
    """How far one sink is."""

    name: str
    cursor: int
    required: bool
    updated_us: int
    missed: bool
    """Whether rows were deleted before it had them."""


class Survey(Struct, frozen=True):
    """One look at a spool's folder."""

    folder: str
    status: Status
    writer_pid: int
    """The receiver that has it open; 0: none."""
    sinks: tuple[SinkProgress, ...]
    letters: int
    letter_bytes: int
    letters_dropped: int
    damaged_files: tuple[str, ...]
    """Damaged files that were replaced and kept."""


def survey(folder: Path) -> Survey:
    """Look at the spool in this folder. Raises SpoolTooNew, SpoolError."""
    reader = Reader.open(folder)
    try:
        status = reader.status()
    finally:
        reader.close()
    letters, letter_bytes, dropped = _letters(folder)
    damaged = (*folder.glob(f"{SPOOL_FILE}.damaged-*Z"), *folder.glob(f"{WORK_FILE}.damaged-*Z"))
    return Survey(
        str(folder), status, writer_pid(folder), _sinks(folder, status.trimmed),
        letters, letter_bytes, dropped, tuple(sorted(path.name for path in damaged)),
    )  # fmt: skip


def writer_pid(folder: Path) -> int:
    """The process that holds the writer's lock, 0 where none does or nobody can tell.

    Read from proc_locks(5): trying the lock would keep a starting receiver out for a moment.
    """
    try:
        inode = (folder / LOCK_FILE).stat().st_ino
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        fields = line.split()
        if "FLOCK" in fields and "->" not in fields and fields[5].rpartition(":")[2] == str(inode):
            return int(fields[4])
    return 0


def _sinks(folder: Path, trimmed: int) -> tuple[SinkProgress, ...]:
    reader = CursorReader(folder)
    try:
        return tuple(
            SinkProgress(name, c.seq, c.required, c.updated_us, c.seq < trimmed)
            for name, c in sorted(reader.read().items())
        )
    finally:
        reader.close()


def _letters(folder: Path) -> tuple[int, int, int]:
    """Number, bytes, and number lost to the limit; zeros where the file cannot be read."""
    follower = Follower(folder / WORK_FILE, WORK, SINCE_1)
    try:
        connection = follower.connection()
        if connection is None:
            return 0, 0, 0
        with guarded(follower.path):
            names = ("letters", "letter_bytes", "letters_dropped")
            found = [fact(connection, name) for name in names]
        return found[0], found[1], found[2]
    except SpoolError:
        return 0, 0, 0
    finally:
        follower.close()
