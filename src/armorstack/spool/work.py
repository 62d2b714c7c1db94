"""What the worker says, in its own file beside the spool: how far each sink is, dead letters, and
what it remembers of gaps and nodes (`history.py`).

The receiver reads the cursors (`cursors.py`) and frees what all sinks have. Moving a cursor is not
synced: after a power cut it may be an older one, and the sink gets some rows again.
Letters are synced before `set_aside` or `commit` returns, and lie in the same transaction as the
cursor that passes them.

Invariant: no cursor passes a frame that is neither in the sink nor a durable dead letter. A
damaged file is moved aside, its letters with it, and what is known in memory goes into a new one.
Any thread may call; decoding and storing must not go here.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from armorstack.errors import SpoolDamaged, SpoolError, SpoolFull
from armorstack.spool import history
from armorstack.spool import letters as kept
from armorstack.spool.cursors import WORK, Cursor, load_cursors
from armorstack.spool.database import guarded, open_writable, transaction, vacuum
from armorstack.spool.history import GapNote, Seen
from armorstack.spool.letters import ALL, DeadLetter, Filter
from armorstack.spool.place import WORK_FILE, companions, prepare_folder, sync_folder

__all__ = ["ALL", "Cursor", "DeadLetter", "Filter", "GapNote", "Seen", "Work"]

PAGE_BYTES = 4096
MAX_LETTER_BYTES = 1024 * 1024 * 1024
VACUUM_PAGES = 4096
PATIENCE_S = 5.0
"""On a full disk the receiver releases its reserve within about a second."""
RETRY_S = 0.1
Result = TypeVar("Result")


class Work:
    """An open `work.db`."""

    def __init__(self, folder: Path, max_letter_bytes: int, mend: bool) -> None:
        self.recovered: Path | None = None
        """Where a damaged file was moved to, the last time there was one."""
        self._path = folder / WORK_FILE
        self._max_letter_bytes = max_letter_bytes
        self._mend = mend
        self._lock = threading.RLock()
        self._known: dict[str, Cursor] = {}
        self._taken: set[int] = set()
        self._connection = self._open()

    @classmethod
    def open(
        cls, folder: Path, *, max_letter_bytes: int = MAX_LETTER_BYTES, mend: bool = True
    ) -> "Work":
        """Open or begin it. Raises SpoolTooNew, SpoolOnNetwork; a damaged file is moved aside
        (`recovered`) or, where a person only looks (`mend` false), raises SpoolDamaged."""
        prepare_folder(folder)
        return cls(folder, max_letter_bytes, mend)

    def enroll(self, sinks: Mapping[str, bool]) -> None:
        """These sinks (name → required), and no others, hold the spool from now on; a new one
        begins at 0. Call it before the first commit: a sink that is not enrolled holds nothing."""

        def change(connection: sqlite3.Connection) -> None:
            found = load_cursors(connection)
            self._known = {
                name: Cursor(found[name].seq if name in found else 0, required, _now_us())
                for name, required in sinks.items()
            }
            connection.execute("DELETE FROM cursors")
            _put_cursors(connection, self._known)

        self._change(change, sync=True)

    def cursors(self) -> dict[str, Cursor]:
        """How far each sink is."""
        return self._run(load_cursors)

    def commit(
        self, sink: str, cursor: int, required: bool, letters: Sequence[DeadLetter] = ()
    ) -> None:
        """Move the sink's cursor; the letters are kept in the same transaction, and synced."""
        known = {sink: Cursor(cursor, required, _now_us())}

        def change(connection: sqlite3.Connection) -> None:
            _put_cursors(connection, known)
            self._keep(connection, letters)

        self._change(change, sync=bool(letters))
        self._known.update(known)

    def note(self, gaps: Sequence[GapNote], nodes: Sequence[Seen] = ()) -> None:
        """Remember gaps, each once however often it comes, and when nodes were heard; not synced.

        Called before the cursor passes what they speak of, it is as durable as the cursor.
        """

        def change(connection: sqlite3.Connection) -> None:
            history.keep_gaps(connection, gaps, _now_us())
            history.keep_nodes(connection, nodes)

        self._change(change, sync=False)

    def gaps(self, start_us: int, end_us: int, limit: int = history.MAX_GAPS) -> Sequence[bytes]:
        """The newest gaps that reach into this time, as they were noted, oldest first."""
        return self._run(lambda found: history.find_gaps(found, start_us, end_us, limit))

    def nodes(self, limit: int = history.MAX_NODES) -> Sequence[Seen]:
        """The nodes, the one heard last first."""
        return self._run(lambda found: history.find_nodes(found, limit))

    def set_aside(self, letters: Sequence[DeadLetter]) -> None:
        """Keep the letters; they are on disk on return. Beyond `max_letter_bytes` the oldest are
        dropped and counted."""
        self._change(lambda connection: self._keep(connection, letters), sync=True)

    def list(
        self, which: Filter = ALL, *, limit: int = 100, after: int = 0
    ) -> Sequence[DeadLetter]:
        """Letters with larger ids than `after`, oldest first."""
        return self._run(lambda found: kept.find(found, which, limit=limit, after=after))

    def show(self, letter_id: int) -> DeadLetter | None:
        """One letter."""
        found = self.list(Filter(ids=(letter_id,)), limit=1)
        return found[0] if found else None

    def count(self, which: Filter = ALL) -> int:
        """How many letters match."""
        return self._run(lambda connection: kept.count(connection, which))

    def letters_dropped(self) -> int:
        """Letters that the limit has cost, ever."""
        return self._run(lambda connection: kept.fact(connection, "letters_dropped"))

    def mark_replay(self, which: Filter) -> int:
        """Mark letters to be tried again; returns how many."""
        return self._change(lambda connection: kept.mark(connection, which), sync=True)

    def adopt(self, sink: str) -> int:
        """Give this sink the letters of sinks that are not enrolled any more; returns how many."""
        query = "UPDATE letters SET sink = ? WHERE sink NOT IN (SELECT sink FROM cursors)"
        return self._change(lambda found: found.execute(query, (sink,)).rowcount, sync=True)

    def take_replays(self, sink: str = "", limit: int = 1000) -> Sequence[DeadLetter]:
        """Marked letters of this sink (empty: of any) that were not taken since this was opened,
        oldest first.

        They stay until `purge` (stored now) or `set_aside` under the same id (refused again, and
        no longer marked). After a crash in between they are offered again; ids make that harmless.
        """
        marked = self.list(Filter(replay=True, sink=sink), limit=limit + len(self._taken))
        found = [letter for letter in marked if letter.id not in self._taken][:limit]
        self._taken.update(letter.id for letter in found)
        return found

    def purge(self, which: Filter) -> int:
        """Delete letters and give their space back; returns how many."""
        count = self._change(lambda connection: kept.delete(connection, which), sync=True)
        self._taken.difference_update(which.ids)
        self._run(_shrink)
        return count

    def close(self) -> None:
        """Let go."""
        with self._lock:
            self._connection.close()

    def _keep(self, connection: sqlite3.Connection, letters: Sequence[DeadLetter]) -> None:
        if letters:
            kept.keep(connection, letters)
            kept.keep_within(connection, self._max_letter_bytes)
            self._taken.difference_update(letter.id for letter in letters)

    def _change(self, change: Callable[[sqlite3.Connection], Result], *, sync: bool) -> Result:
        """Run the change in one transaction; synced or not."""

        def run(connection: sqlite3.Connection) -> Result:
            connection.execute(f"PRAGMA synchronous={'FULL' if sync else 'NORMAL'}")
            with transaction(connection):
                return change(connection)

        return self._run(run)

    def _run(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._lock:
            try:
                return self._run_patiently(action)
            except SpoolDamaged:
                if not self._mend:
                    raise
                self._begin_anew()
                return self._run_patiently(action)

    def _run_patiently(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with guarded(self._path):
                    return action(self._connection)
            except SpoolFull:
                if time.monotonic() > deadline:
                    raise
            time.sleep(RETRY_S)

    def _open(self) -> sqlite3.Connection:
        try:
            connection = open_writable(self._path, WORK, page_bytes=PAGE_BYTES)
            self._check(connection)
        except SpoolDamaged as error:
            if not self._mend:
                hint = "start the worker: it moves the file aside and begins a new one"
                raise SpoolDamaged(str(error), hint=hint) from error
            self._move_aside()
            connection = open_writable(self._path, WORK, page_bytes=PAGE_BYTES)
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        """Whether cursors and counts can be read; closes the connection if not."""
        try:
            with guarded(self._path):
                load_cursors(connection)
                kept.fact(connection, "letter_bytes")
        except (SpoolError, TypeError, ValueError) as error:
            connection.close()
            raise SpoolDamaged(f"{self._path} is damaged: {error}") from error

    def _begin_anew(self) -> None:
        self._move_aside()
        self._connection.close()
        self._connection = open_writable(self._path, WORK, page_bytes=PAGE_BYTES)
        with guarded(self._path), transaction(self._connection):
            _put_cursors(self._connection, self._known)

    def _move_aside(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = self._path.with_name(f"{WORK_FILE}.damaged-{stamp}")
        self._path.rename(aside)
        for old, new in zip(companions(self._path), companions(aside), strict=True):
            if old.exists():
                old.rename(new)
        sync_folder(self._path.parent)
        self.recovered = aside


def _put_cursors(connection: sqlite3.Connection, cursors: Mapping[str, Cursor]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?)",
        [(name, c.seq, c.required, c.updated_us) for name, c in cursors.items()],
    )


def _shrink(connection: sqlite3.Connection) -> None:
    """Give free pages back, in steps that do not keep the other process waiting."""
    while vacuum(connection, VACUUM_PAGES):
        continue


def _now_us() -> int:
    return time.time_ns() // 1000
