"""The catalogue: which parts exist, how far the store is durable, and the gaps.

Invariant: one `Change` is one transaction. A part counts only when it is listed here, and the
cursor moves in the transaction that lists the rows up to it. A newer version of the tables is
refused, an older one is brought up to date when it is opened.
Must not go here: part files, rows.
"""

import hashlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import msgspec
from msgspec import Struct

from armorstack.core.gap import Gap, decode_gap, encode_gap
from armorstack.engines.duckdb.connection import Damaged, open_database
from armorstack.engines.duckdb.part import Part
from armorstack.errors import StoreError, StoreTooNew

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE meta (
        version INTEGER NOT NULL, cursor BIGINT NOT NULL, highest BIGINT NOT NULL
    );
    INSERT INTO meta VALUES (0, 0, 0);
    CREATE TABLE parts (
        name VARCHAR NOT NULL, day VARCHAR NOT NULL, kind VARCHAR NOT NULL,
        layout VARCHAR NOT NULL, cursor BIGINT NOT NULL, rows BIGINT NOT NULL,
        bytes BIGINT NOT NULL, min_time_us BIGINT NOT NULL, max_time_us BIGINT NOT NULL,
        min_received_us BIGINT NOT NULL, max_received_us BIGINT NOT NULL, runs BIGINT[] NOT NULL
    );
    CREATE TABLE gaps (
        key BLOB NOT NULL, start_us BIGINT NOT NULL, end_us BIGINT NOT NULL, gap VARCHAR NOT NULL
    );
    """,
)
"""Step n brings version n to n + 1. A step that was released never changes."""

_COLUMNS = tuple(name for name in Part.__struct_fields__ if name != "sources")
_INSERT_PART = (
    f"INSERT INTO parts ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
)
_INSERT_GAP = """
    INSERT INTO gaps SELECT $key, $start, $end, $gap
    WHERE NOT EXISTS (FROM gaps WHERE key = $key)
"""


class Change(Struct, frozen=True):
    """What one transaction changes; either all of it becomes durable or nothing."""

    added: tuple[Part, ...] = ()
    removed: tuple[str, ...] = ()
    """Names of parts."""
    gaps: tuple[Gap, ...] = ()
    cursor: int | None = None
    forget_gaps_before_us: int = 0


class Catalog:
    """The catalogue's file, open. Used from one thread, except `gaps`."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self._path = path
        self._connection = connection
        # A connection refuses a call while another goes on.
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> "Catalog":
        """Open or make; raises StoreLocked, StoreTooNew, StoreError or Damaged."""
        connection = open_database(path)
        try:
            _upgrade(path, connection)
        except duckdb.Error as error:
            connection.close()
            raise Damaged(str(error)) from error
        except StoreError:
            connection.close()
            raise
        return cls(path, connection)

    def cursor(self) -> int:
        """The durable cursor; 0 in a new store."""
        return int(self._one("SELECT cursor FROM meta"))

    def highest(self) -> int:
        """The highest cursor that ever was; it goes back only for another spool."""
        return int(self._one("SELECT highest FROM meta"))

    def parts(self) -> list[Part]:
        """Every part, in the order of its cursor."""
        try:
            with self._lock:
                rows = self._connection.execute(
                    f"SELECT {', '.join(_COLUMNS)} FROM parts ORDER BY cursor, name"
                ).fetchall()
            return [msgspec.convert(dict(zip(_COLUMNS, row, strict=True)), Part) for row in rows]
        except (duckdb.Error, msgspec.ValidationError) as error:
            raise Damaged(str(error)) from error

    def gaps(self, start_us: int, end_us: int) -> list[Gap]:
        """Gaps that touch this span, in order. May be called from any thread."""
        with self._lock, self._connection.cursor() as cursor:
            rows = cursor.execute(
                "SELECT gap FROM gaps WHERE end_us >= ? AND start_us < ? ORDER BY start_us, key",
                [start_us, end_us],
            ).fetchall()
        return [decode_gap(gap.encode()) for (gap,) in rows]

    def commit(self, change: Change) -> None:
        """Make the change durable. After a duckdb.Error ask `holds`: it may have happened."""
        with self._lock:
            self._commit(change)

    def _commit(self, change: Change) -> None:
        run = self._connection.execute
        run("BEGIN")
        try:
            for part in change.added:
                run(_INSERT_PART, [getattr(part, name) for name in _COLUMNS])
            for name in change.removed:
                run("DELETE FROM parts WHERE name = ?", [name])
            self._change_gaps(change)
            if change.cursor is not None:
                moved = "UPDATE meta SET cursor = $to, highest = greatest(highest, $to)"
                run(moved, {"to": change.cursor})
        except duckdb.Error:
            run("ROLLBACK")
            raise
        run("COMMIT")

    def holds(self, change: Change) -> bool:
        """Whether the change is there, as seen after `reopen`."""
        names = {part.name for part in self.parts()}
        added = all(part.name in names for part in change.added)
        moved = change.cursor is None or self.cursor() == change.cursor
        return added and moved and names.isdisjoint(change.removed)

    def reopen(self) -> None:
        """Read the file anew, after a transaction whose end is not known."""
        self.close()
        try:
            self._connection = open_database(self._path)
        except Damaged as error:
            raise StoreError(f"{self._path} cannot be read any more: {error}") from error

    def close(self) -> None:
        """Write the log back into the file and let go."""
        with self._lock:
            self._connection.close()

    def _change_gaps(self, change: Change) -> None:
        run = self._connection.execute
        for gap in change.gaps:
            told = encode_gap(gap)
            values: dict[str, Any] = {
                "key": hashlib.sha256(told).digest(), "gap": told.decode(),
                "start": gap.start_us, "end": gap.end_us,
            }  # fmt: skip
            run(_INSERT_GAP, values)
        if change.forget_gaps_before_us:
            run("DELETE FROM gaps WHERE end_us < ?", [change.forget_gaps_before_us])

    def _one(self, query: str) -> Any:
        try:
            with self._lock:
                row = self._connection.execute(query).fetchone()
        except duckdb.Error as error:
            raise Damaged(str(error)) from error
        if row is None:
            raise Damaged(f"nothing answers {query!r}")
        return row[0]


def open_or_replace(path: Path, now_us: int) -> tuple[Catalog, str]:
    """The catalogue; where it is damaged an empty one, and the path the damaged one has now."""
    try:
        return _checked(Catalog.open(path)), ""
    except Damaged:
        aside = path.with_name(f"{path.name}.damaged-{now_us}")
        for suffix in (".wal", ""):
            found = path.with_name(path.name + suffix)
            if found.exists():
                os.rename(found, aside.with_name(aside.name + suffix))
        return Catalog.open(path), aside.name


def _checked(catalog: Catalog) -> Catalog:
    """The same, after reading all of it once, since damage shows only then."""
    try:
        catalog.cursor()
        catalog.parts()
        catalog.gaps(-(1 << 62), 1 << 62)
    except (Damaged, duckdb.Error, msgspec.MsgspecError) as error:
        catalog.close()
        raise Damaged(str(error)) from error
    return catalog


def _upgrade(path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    version = _version(connection)
    if version > len(STEPS):
        told = f"{path} has version {version}, this armorstack knows {len(STEPS)}"
        raise StoreTooNew(told, hint="use the version of armorstack that wrote it, or a newer one")
    for number, step in enumerate(STEPS[version:], start=version + 1):
        _take_step(connection, step, number)


def _version(connection: duckdb.DuckDBPyConnection) -> int:
    tables: Iterable[Any] = connection.execute("SHOW TABLES").fetchall()
    if not tables:
        return 0
    row = connection.execute("SELECT version FROM meta").fetchone()
    if row is None:
        raise Damaged("the catalogue does not say its version")
    return int(row[0])


def _take_step(connection: duckdb.DuckDBPyConnection, step: str, version: int) -> None:
    connection.execute("BEGIN")
    try:
        connection.execute(step)
        connection.execute("UPDATE meta SET version = ?", [version])
    except duckdb.Error:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
