"""SQLite as the spool uses it: connections, transactions, schema versions, errors.

Invariant: outside this module no sqlite3 error goes uncaught by `guarded`; what comes out is one
of our errors with the cause chained. What the tables mean must not go here.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct, field

from armorstack.errors import SpoolDamaged, SpoolError, SpoolFull, SpoolTooNew
from armorstack.spool.place import create_private, size_of

BUSY_TIMEOUT_S = 10.0
PRIMARY_CODE = 0xFF
"""SQLite's extended result codes carry the primary one in their lowest byte."""
NO_VERSION = 1000
"""Nobody will ever have written a version this high: it is damage."""
DAMAGE = frozenset({
    # A statement is wrong. Ours are not, so the tables they name are; upgrades see to themselves.
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,  # a format number in the header; the file's mode was tried before
})  # fmt: skip
NO_ROOM = frozenset({
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,  # a quota, or no room for the shared memory file
})  # fmt: skip


class Schema(Struct, frozen=True, kw_only=True):
    """The tables of one kind of file, and how to come from an older version to this one."""

    application_id: int
    """Tells our files from others (SQLite's header, offset 68)."""
    version: int
    create: tuple[str, ...]
    upgrades: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Version → statements that lead to the next one."""


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """A connection in autocommit mode, usable from any thread, by one at a time."""
    mode = "ro" if readonly else "rw"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_S,
    )
    # A damaged file must not make SQLite run what it holds, nor trust sizes it states.
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    connection.text_factory = _text
    return connection


def _text(raw: bytes) -> str:
    """A name whose bytes were damaged must not keep its row from being read."""
    return raw.decode(errors="replace")


def open_writable(path: Path, schema: Schema, *, page_bytes: int) -> sqlite3.Connection:
    """Open or make a database in WAL mode with this schema. Raises SpoolTooNew, SpoolDamaged,
    SpoolFull; leaves nothing open then."""
    try:
        create_private(path)
    except OSError as error:
        raise SpoolError(f"{path} cannot be written: {error.strerror}") from error
    with guarded(path):
        if size_of(path) and not size_of(path.with_name(path.name + "-journal")):
            # First, because opening for writing changes a file; but only a writer can roll back
            # the making of one that was killed.
            with contextlib.closing(connect(path, readonly=True)) as looking:
                check_version(looking, schema, path)
        connection = connect(path, readonly=False)
        try:
            _configure(connection, page_bytes)
            _bring_up(connection, schema, path)
            check_tables(connection, schema, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _configure(connection: sqlite3.Connection, page_bytes: int) -> None:
    """Page size and vacuum mode take effect on a new file only, and before it becomes WAL."""
    connection.execute(f"PRAGMA page_size={page_bytes}")
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.execute("PRAGMA synchronous=FULL")
    # Some distributions overwrite deleted content with zeros: twice the writing for nothing here.
    connection.execute("PRAGMA secure_delete=OFF")


def _bring_up(connection: sqlite3.Connection, schema: Schema, path: Path) -> None:
    """Make the tables of a new file, or upgrade an older one, in one transaction."""
    version = check_version(connection, schema, path)
    if version == schema.version:
        return
    with transaction(connection):
        for statement in _way(schema, version):
            _upgrade(connection, statement, path)
        connection.execute(f"PRAGMA application_id={schema.application_id}")
        connection.execute(f"PRAGMA user_version={schema.version}")


def _upgrade(connection: sqlite3.Connection, statement: str, path: Path) -> None:
    """A statement that does not fit the file must leave it where it is: it is not damaged."""
    try:
        connection.execute(statement)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        raise SpoolError(f"{path} cannot be upgraded: {error}") from error


def _way(schema: Schema, version: int) -> Iterator[str]:
    """The statements that lead from a version to the schema's own."""
    if version == 0:
        yield from schema.create
        return
    for step in range(version, schema.version):
        yield from schema.upgrades[step]


def check_version(connection: sqlite3.Connection, schema: Schema, path: Path) -> int:
    """The file's schema version, 0 for a new file; raises SpoolTooNew and SpoolDamaged."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if not tables:
        return 0
    if application != schema.application_id or not 0 < version < NO_VERSION:
        raise SpoolDamaged(f"{path} is not a file of armorstack")
    if version > schema.version:
        raise SpoolTooNew(
            f"{path} has schema version {version}, this armorstack knows up to {schema.version}",
            hint="run the newer armorstack that wrote it, or choose another data folder",
        )
    return version


def check_tables(connection: sqlite3.Connection, schema: Schema, path: Path) -> None:
    """Raise SpoolDamaged where the tables are not those of the schema: their names and columns
    are text in the file, and as easily damaged as the rest."""
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        for statement in schema.create:
            model.execute(statement)
        if _columns(connection) != _columns(model):
            raise SpoolDamaged(f"{path} is damaged: its tables are not ours")


def _columns(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    query = (
        "SELECT m.name, c.cid, c.name, c.type, c.pk FROM sqlite_master AS m, "
        "pragma_table_info(m.name) AS c WHERE m.type = 'table' ORDER BY m.name, c.cid"
    )
    return connection.execute(query).fetchall()


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One write transaction; when it raises, nothing of it was done."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            # What went wrong is already on its way up; a damaged file may refuse this too.
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def vacuum(connection: sqlite3.Connection, pages: int) -> int:
    """Give free pages back to the file system, not more than `pages`; returns how many."""
    before = int(connection.execute("PRAGMA freelist_count").fetchone()[0])
    # As a script: `execute` ends after the first page, since the statement has no columns.
    connection.executescript(f"PRAGMA incremental_vacuum({pages})")
    return before - int(connection.execute("PRAGMA freelist_count").fetchone()[0])


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours. Python's own, such as a value that cannot be bound, are
    faults of the caller and stay what they are."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not hasattr(error, "sqlite_errorcode"):
            raise
        raise _wrapped(error, path) from error
    except UnicodeDecodeError as error:
        # SQLite's message quotes a name from the file.
        raise SpoolDamaged(f"{path} is damaged: {error}") from error


def _wrapped(error: sqlite3.DatabaseError, path: Path) -> SpoolError:
    """The error of ours that says what SQLite's means."""
    code = error.sqlite_errorcode & PRIMARY_CODE
    if code in DAMAGE:
        return SpoolDamaged(f"{path} is damaged: {error}")
    if code in NO_ROOM:
        return SpoolFull(
            f"{path} cannot be written: {error}",
            hint="free space on this disk; receiving then goes on by itself",
        )
    return SpoolError(f"{path} cannot be used: {error}")
