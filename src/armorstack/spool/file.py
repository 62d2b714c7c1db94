"""One `spool.db`: its connection, its two ends, and each operation as one transaction.

Invariant: after any error the ends are what lies on disk. Which file this is, what replaces it
when it is damaged, and who may write it, must not go here (`store.py`).
"""

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from armorstack.errors import SpoolDamaged
from armorstack.spool import owed
from armorstack.spool.database import (
    BUSY_TIMEOUT_S,
    check_tables,
    connect,
    guarded,
    open_writable,
    transaction,
    vacuum,
)
from armorstack.spool.mark import Mark, first_mark, insert_rows, last_mark
from armorstack.spool.place import size_of
from armorstack.spool.rows import Row
from armorstack.spool.schema import PAGE_BYTES, SPOOL

QUICK_CHECK_BYTES = 64 * 1024 * 1024
"""Files up to this size are checked by SQLite when they are opened: well under a second."""
TRIM_ROWS = 256
"""Rows deleted in one transaction, 256 MiB of frames at most."""
VACUUM_PAGES = 256
"""Pages given back in one transaction, 4 MiB: more than the cache would be written to the log."""
CACHE_KIB = 6144
"""Must hold the pages of one transaction, which would else be written twice."""
COMMIT_BYTES = 6 * PAGE_BYTES
"""What a commit costs in the log beyond its rows, about."""


class SpoolFile:
    """An open file; one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.first: Mark | None = None
        self.last = Mark()
        """The newest row; of a file without rows only `seq`, the last one deleted."""
        self.logged_bytes = 0
        """About what was written to the log since it was checkpointed last."""
        self.keep_log = False
        """Whether closing shall leave the log as it is: there is no room to move it."""
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> "SpoolFile":
        """Open or make the file. Raises SpoolTooNew, SpoolFull, and SpoolDamaged where it does not
        hold what it should, as far as can be told without reading all of it."""
        file = cls(path, open_writable(path, SPOOL, page_bytes=PAGE_BYTES))
        try:
            file._prepare()
        except BaseException:
            file.close()
            raise
        return file

    def append(
        self,
        numbered: Sequence[tuple[int, Row]],
        positions: Mapping[str, bytes],
        drop_bytes: int = 0,
        settled: Sequence[owed.Owed] = (),
    ) -> owed.Dropped:
        """Add rows at their positions; see `Spool.append`. Returns what was dropped for them."""
        dropped = owed.Dropped()
        with guarded(self.path), transaction(self._connection):
            if drop_bytes:
                dropped = owed.drop_oldest(self._connection, drop_bytes)
                self._set_facts(trimmed=dropped.last, dropped=dropped.frames)
            last = insert_rows(self._connection, numbered, self.last)
            if positions:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO positions VALUES (?, ?)", positions.items()
                )
            if settled:
                owed.settle(self._connection, settled)
        self.logged_bytes += COMMIT_BYTES + last.bytes_total - self.last.bytes_total
        self.last = last
        if dropped.rows or self.first is None:
            self._find_first()
        return dropped

    def trim_step(self, cursor: int, most_rows: int = TRIM_ROWS) -> int:
        """Delete the oldest rows up to the cursor, not more than `most_rows`; returns how many."""
        if self.first is None or self.first.seq > cursor:
            return 0
        with guarded(self.path), transaction(self._connection):
            found = self._connection.execute(
                "SELECT seq FROM rows WHERE seq <= ? ORDER BY seq LIMIT ?", (cursor, most_rows)
            ).fetchall()
            if found:
                self._connection.execute("DELETE FROM rows WHERE seq <= ?", found[-1])
                self._set_facts(trimmed=found[-1][0])
        self.logged_bytes += COMMIT_BYTES
        self._find_first()
        return len(found)

    def position(self, key: str) -> bytes | None:
        """The position stored last under this key."""
        with guarded(self.path):
            query = "SELECT position FROM positions WHERE key = ?"
            record = self._connection.execute(query, (key,)).fetchone()
        return bytes(record[0]) if record else None

    def positions(self) -> dict[str, bytes]:
        """All positions."""
        with guarded(self.path):
            return dict(self._connection.execute("SELECT key, position FROM positions"))

    def owed(self) -> list[owed.Owed]:
        """Gaps that still have to be told."""
        with guarded(self.path):
            return owed.owed(self._connection)

    def fact(self, name: str) -> int:
        """A number kept in the file: `trimmed` or `dropped`."""
        with guarded(self.path):
            query = "SELECT value FROM facts WHERE name = ?"
            return int(self._connection.execute(query, (name,)).fetchone()[0])

    def checkpoint(self, wait_s: float, *, truncate: bool = False) -> bool:
        """Move the log into the main file, and begin the log anew or truncate it; False where a
        reader was in the way."""
        with guarded(self.path):
            self._pragma(f"busy_timeout={int(wait_s * 1000)}")
            try:
                busy = self._pragma(f"wal_checkpoint({'TRUNCATE' if truncate else 'RESTART'})")
            finally:
                self._pragma(f"busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
        if not busy and not truncate:
            # Until something is written the log's old header stands, and all behind it counts.
            self._touch()
        self.logged_bytes = 0
        return not busy

    def shrink_step(self, slack_bytes: int, most_bytes: int = VACUUM_PAGES * PAGE_BYTES) -> int:
        """Give back pages that are free beyond the slack, not more than `VACUUM_PAGES` or the
        bytes given; returns how many."""
        with guarded(self.path):
            spare = self._pragma("freelist_count") - slack_bytes // PAGE_BYTES
            if spare <= 0:
                return 0
            self.logged_bytes += COMMIT_BYTES
            most = max(1, min(VACUUM_PAGES, most_bytes // PAGE_BYTES))
            return vacuum(self._connection, min(most, spare))

    def quick_check(self) -> None:
        """Let SQLite check the structure of the whole file, and see whether a row is missing;
        raises SpoolDamaged.

        Through a connection of its own: ours would answer from the pages that it remembers.
        """
        missing = "SELECT max(ordinal) - min(ordinal) + 1 - count(*) FROM rows"
        with guarded(self.path), contextlib.closing(connect(self.path, readonly=True)) as fresh:
            finding = str(fresh.execute("PRAGMA quick_check(1)").fetchone()[0])
            check_tables(fresh, SPOOL, self.path)
            if finding == "ok" and fresh.execute(missing).fetchone()[0]:
                finding = "rows are missing"
        if finding != "ok":
            raise SpoolDamaged(f"{self.path} is damaged: {finding}")

    def file_bytes(self) -> int:
        """Size of the main file."""
        return size_of(self.path)

    def log_bytes(self) -> int:
        """Size of the log."""
        return size_of(self.path.with_name(self.path.name + "-wal"))

    def growth_bytes(self) -> int:
        """How much the main file grows when the log is moved into it."""
        with guarded(self.path):
            return max(0, self._pragma("page_count") * PAGE_BYTES - self.file_bytes())

    def close(self) -> None:
        """Close. The last connection checkpoints, unless it shall keep the log as it is."""
        with contextlib.ExitStack() as stack:
            if self.keep_log:
                # Then ours is not the last; and one that only reads leaves the log alone.
                other = stack.enter_context(contextlib.closing(connect(self.path, readonly=True)))
                with contextlib.suppress(sqlite3.Error):
                    other.execute("SELECT count(*) FROM facts").fetchone()
            self._connection.close()

    def _prepare(self) -> None:
        with guarded(self.path):
            # The log is checkpointed as a whole, by us: see the top of `store.py`.
            self._pragma("wal_autocheckpoint=0")
            self._pragma(f"cache_size=-{CACHE_KIB}")
        self.logged_bytes = self.log_bytes()
        if self.file_bytes() + self.log_bytes() <= QUICK_CHECK_BYTES:
            self.quick_check()
        try:
            self._check_shape()
        except (TypeError, ValueError) as error:
            raise SpoolDamaged(f"{self.path} is damaged: {error}") from error

    def _check_shape(self) -> None:
        """Both ends, the small tables, and whether the file can be written at all."""
        trimmed = self.fact("trimmed")
        self.owed()
        self.position("")
        with guarded(self.path):
            self.first = first_mark(self._connection)
            self.last = last_mark(self._connection) or Mark(seq=trimmed)
        self._touch()
        if self.first and not trimmed < self.first.seq <= self.last.seq:
            raise SpoolDamaged(f"{self.path} is damaged: its rows are not where they should be")

    def _touch(self) -> None:
        """Write, whatever: the value must change, SQLite leaves out a page that stays the same."""
        with guarded(self.path), transaction(self._connection):
            self._connection.execute("UPDATE facts SET value = value + 1 WHERE name = 'touched'")

    def _find_first(self) -> None:
        with guarded(self.path):
            self.first = first_mark(self._connection)

    def _set_facts(self, trimmed: int, dropped: int = 0) -> None:
        self._connection.execute(
            "UPDATE facts SET value = max(value, ?) WHERE name = 'trimmed'", (trimmed,)
        )
        self._connection.execute(
            "UPDATE facts SET value = value + ? WHERE name = 'dropped'", (dropped,)
        )

    def _pragma(self, text: str) -> int:
        record = self._connection.execute(f"PRAGMA {text}").fetchone()
        return int(record[0]) if record else 0
