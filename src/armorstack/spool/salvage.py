"""What is done with a damaged `spool.db`: save what can be read, move the rest aside.

The readable rows go into `spool.db.new`, with their old positions, so that no sink gets one twice
or misses one; then the damaged file is renamed to `spool.db.damaged-TIME` and the new one takes
its place. Each step leaves a state from which the next opening goes on: as long as `spool.db` is
there, all begins anew; once it is renamed, `spool.db.new` is complete.

Invariant: a row is taken over only if its checksum holds. The new file owes a gap from its first
transaction on, so the loss is told even if we are killed before we can say it.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from armorstack.spool import owed
from armorstack.spool.database import connect, guarded, open_writable, transaction
from armorstack.spool.mark import Mark, insert_rows
from armorstack.spool.place import SPOOL_FILE, SUSPECT_FILE, companions, size_of, sync_folder
from armorstack.spool.reserve import free_bytes
from armorstack.spool.rows import Row, is_whole
from armorstack.spool.schema import PAGE_BYTES, ROW_COLUMNS, SPOOL

NEW_FILE = SPOOL_FILE + ".new"
KEPT_DAMAGED = 3
"""Damaged files that stay for a person to look at; older ones are deleted."""
UNREADABLE = (sqlite3.DatabaseError, TypeError, ValueError)
"""What reading a damaged file may raise, where names are not UTF-8 and numbers are none."""
STEP_BYTES = 8 * 1024 * 1024


class Recovery(Struct, frozen=True):
    """What became of a damaged file."""

    path: Path
    """Where it lies now."""
    rows: int
    """Rows that were taken over."""


class Plan(Struct, frozen=True):
    """What to save, and what to say of the rest."""

    now_us: int
    since_us: int
    """From when on events may be lost."""
    after: int
    """Rows up to here are in the sinks already."""


def recover(folder: Path, plan: Plan) -> Recovery:
    """Build the new file, move the damaged one aside, put the new one in its place."""
    database = folder / SPOOL_FILE
    new = folder / NEW_FILE
    for stale in (new, *companions(new)):
        stale.unlink(missing_ok=True)
    rows = _build(database, new, plan)
    path = _set_aside(database, plan.now_us)
    new.rename(database)
    sync_folder(folder)
    (folder / SUSPECT_FILE).unlink(missing_ok=True)
    _prune(folder)
    return Recovery(path, rows)


def finish_recovery(folder: Path, now_us: int) -> None:
    """Go on where a recovery was killed between its two renames."""
    database = folder / SPOOL_FILE
    if database.exists():
        return
    if any(path.exists() for path in companions(database)):
        # Its log would otherwise be replayed over a file it does not belong to.
        _set_aside(database, now_us)
    new = folder / NEW_FILE
    if new.exists():
        new.rename(database)
        sync_folder(folder)


def _build(damaged: Path, new: Path, plan: Plan) -> int:
    connection = open_writable(new, SPOOL, page_bytes=PAGE_BYTES)
    with guarded(new), contextlib.closing(connection):
        with transaction(connection):
            loss = owed.Owed(owed.DAMAGED, "", "", plan.since_us, plan.now_us, None)
            owed.note(connection, [loss])
        return _copy(damaged, connection, plan.after)


def _copy(damaged: Path, target: sqlite3.Connection, after: int) -> int:
    """Take over what can be read; nothing where the disk has no room for a second copy."""
    size = sum(map(size_of, [damaged, *companions(damaged)]))
    if free_bytes(damaged.parent) > 2 * size:
        with contextlib.suppress(*UNREADABLE):
            source = connect(damaged, readonly=True)
            with contextlib.closing(source):
                # Else SQLite refuses every page of a file that is shorter than it says.
                source.execute("PRAGMA writable_schema=ON")
                _copy_positions(source, target)
                _copy_rows(_readable(source, after), target)
    return int(target.execute("SELECT count(*) FROM rows").fetchone()[0])


def _copy_positions(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    with contextlib.suppress(*UNREADABLE):
        found = source.execute("SELECT key, position FROM positions").fetchall()
        with transaction(target):
            target.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", found)
    with contextlib.suppress(*UNREADABLE):
        debts = owed.owed(source)
        with transaction(target):
            owed.note(target, debts)


def _readable(source: sqlite3.Connection, after: int) -> Iterator[Row]:
    """Rows behind the position whose checksum holds, in order."""
    query = f"SELECT {ROW_COLUMNS} FROM rows WHERE seq = ?"
    for seq in sorted(_positions(source, after)):
        with contextlib.suppress(*UNREADABLE):
            row = Row(*source.execute(query, (seq,)).fetchone())
            if is_whole(row):
                yield row


def _positions(source: sqlite3.Connection, after: int) -> set[int]:
    """Positions that can be reached from the front or, past a bad page, from the back."""
    found: set[int] = set()
    for order in ("ASC", "DESC"):
        query = f"SELECT seq FROM rows WHERE seq > ? ORDER BY seq {order}"
        with contextlib.suppress(*UNREADABLE):
            for (seq,) in source.execute(query, (after,)):
                if seq in found:
                    break
                found.add(seq)
    return found


def _copy_rows(rows: Iterable[Row], target: sqlite3.Connection) -> None:
    last = Mark()
    for part in _parts(rows):
        with transaction(target):
            last = insert_rows(target, [(row.seq, row) for row in part], last)


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in portions that one transaction takes."""
    part: list[Row] = []
    size = 0
    for row in rows:
        part.append(row)
        size += len(row.payload)
        if size >= STEP_BYTES:
            yield part
            part, size = [], 0
    yield part


def _set_aside(database: Path, now_us: int) -> Path:
    stamp = datetime.fromtimestamp(now_us / 1e6, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    path = database.with_name(f"{database.name}.damaged-{stamp}")
    if database.exists():
        database.rename(path)
    for companion, aside in zip(companions(database), companions(path), strict=True):
        if companion.name.endswith("-shm"):
            companion.unlink(missing_ok=True)
        elif companion.exists():
            companion.rename(aside)
    sync_folder(database.parent)
    return path


def _prune(folder: Path) -> None:
    found = sorted(folder.glob(f"{SPOOL_FILE}.damaged-*Z"))
    for old in found[:-KEPT_DAMAGED]:
        for path in (old, *companions(old)):
            path.unlink(missing_ok=True)
