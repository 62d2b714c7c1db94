"""DuckDB connections that reach nothing but the store's folder, and the lock of that folder.

Invariant: no network, no extension beyond the built-in ones, no Python variable as a table, and
for readers no file outside `parts`. Settings cannot be changed by SQL afterwards.
Must not go here: tables, queries.
"""

import fcntl
import os
from pathlib import Path

import duckdb

from armorstack.errors import EngineError, StoreError, StoreLocked, StoreTooNew

_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}
_LOCKED_HINT = "ask the running armorstack over HTTP, or stop it first"
_CATALOGUE_MEMORY = "64MB"
_SPILL_FACTOR = 8
"""Spilled data may take so many times `memory_bytes` of disk."""


class Damaged(Exception):
    """The file is no database that can be read; the reason is the message."""


class FolderLock:
    """Held by the process that has the store open; ends with the process, however that ends.

    DuckDB locks its own file too, but not against a second opening in the same process.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, folder: Path) -> "FolderLock":
        """Take the lock, or raise StoreLocked with the holder's process id."""
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            told = f"the store in {folder} is open in process {holder or 'unknown'}"
            raise StoreLocked(told, hint=_LOCKED_HINT) from error
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            # On a full disk; the next try must not find it locked by us.
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Let another process open the store; the file stays, since removing it would race."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def fit_path(root: Path) -> Path:
    """The absolute path; raises StoreError where DuckDB would read it as a pattern or a URL."""
    path = Path(os.path.abspath(root))
    if set("*?[]\\") & set(str(path)):
        hint = "choose a folder without * ? [ ] or backslash in its path"
        raise StoreError(f"the store cannot lie in {path}", hint=hint)
    return path


def open_database(path: Path) -> duckdb.DuckDBPyConnection:
    """The catalogue's file, made where it is missing.

    Raises StoreLocked, StoreTooNew, StoreError (not ours), EngineError (no space) or Damaged.
    """
    settings = _CLOSED | {
        "threads": 1,
        "memory_limit": _CATALOGUE_MEMORY,
        "default_block_size": "16384",
        "checkpoint_threshold": "1MB",
    }
    try:
        connection = duckdb.connect(path, config=settings)
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        raise _fault(path, error) from error
    return connection


def open_reader(
    root: Path, memory_bytes: int, spill: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """An empty database in memory that may read the parts under `root` and spill to its `tmp`.

    A process that does not hold the store must name another folder to `spill` to, since DuckDB
    gives its files there the same names in every process.
    """
    settings = _CLOSED | {
        "threads": 2,
        "memory_limit": f"{memory_bytes}B",
        "temp_directory": str(spill or root / "tmp"),
        "max_temp_directory_size": f"{memory_bytes * _SPILL_FACTOR}B",
        # Nobody may rely on an order that was not asked for; so scans need less memory.
        "preserve_insertion_order": "false",
        # The page cache holds the files' bytes already.
        "enable_external_file_cache": "false",
    }
    try:
        connection = duckdb.connect(":memory:", config=settings)
        # Python without a script counts as interactive: a long query would draw on its output.
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"SET allowed_directories = [{quoted(str(root / 'parts'))}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        raise StoreError(f"DuckDB cannot start: {first_line(error)}") from error
    return connection


def quoted(text: str) -> str:
    """The text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def first_line(error: Exception) -> str:
    """The sentence of a foreign error, without the hints and traces below it."""
    return str(error).partition("\n")[0]


def _fault(path: Path, error: duckdb.Error) -> Exception:
    text = first_line(error)
    if "set lock on file" in text:
        return StoreLocked(f"{path} is open in another process", hint=_LOCKED_HINT)
    if "with version number" in text:
        hint = "use the version of armorstack that wrote it, or a newer one"
        return StoreTooNew(f"{path} was written by a newer DuckDB", hint=hint)
    if "No space left" in text:
        return EngineError(f"{path} cannot be opened: {text}", hint="free space there")
    if "ermission denied" in text or "Read-only" in text:
        hint = "make the folder writable for this user"
        return StoreError(f"{path} cannot be opened: {text}", hint=hint)
    return Damaged(text)
