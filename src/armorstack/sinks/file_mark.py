"""The sidecar of a file of lines: how far it is durable, and which rotated files there are.

Invariant: the mark on disk is whole, the one before or the new one (temporary file, fsync, rename,
fsync of the folder), and what it says of the data was durable before it was written. Must not go
here: when it is written.
"""

import contextlib
import fcntl
import os
import zlib
from pathlib import Path

import msgspec
from msgspec import Struct

from armorstack.errors import StoreError, StoreLocked, StoreTooNew
from armorstack.spool.place import sync_folder

VERSION = 1
TAIL_BYTES = 4096
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Mark(Struct, frozen=True):
    """The state that survives a crash."""

    cursor: int = 0
    """The spool position up to which every line is durable."""
    inode: int = 0
    """The file that `length` speaks of."""
    length: int = 0
    """Bytes of it that are durable; what lies behind is written again."""
    tail_crc32: int = 0
    """CRC of the last 4096 of these bytes: an inode's number may be given to another file."""
    events: int = 0
    """Events in these bytes."""
    began_us: int = 0
    """When the first of them was written, µs since 1970; 0: none."""
    rotated: dict[str, int] = {}
    """Events in each rotated file, by its name before compression."""
    version: int = VERSION


def mark_path(path: Path) -> Path:
    """Where the mark of this file lies."""
    return path.with_name(path.name + ".cursor")


def read_mark(path: Path) -> Mark | None:
    """The mark of this file, None where there is none; raises StoreTooNew and StoreError."""
    where = mark_path(path)
    try:
        mark = msgspec.json.decode(where.read_bytes(), type=Mark)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        hint = "remove it: what the spool still has is then written once more"
        raise StoreError(f"{where} cannot be read: {error}", hint=hint) from error
    if mark.version > VERSION:
        hint = "use the version of armorstack that wrote it, or a newer one"
        raise StoreTooNew(f"{where} was written by a newer armorstack", hint=hint)
    return mark


def write_mark(path: Path, mark: Mark) -> None:
    """Put the mark in the place of the one before; durable on return. Raises OSError."""
    where = mark_path(path)
    unfinished = where.with_name(where.name + ".tmp")
    try:
        descriptor = os.open(unfinished, _NEW_FILE, 0o600)
        try:
            write_all(descriptor, msgspec.json.encode(mark) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(unfinished, where)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    sync_folder(where.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Write to the end of `data`, however little is taken at a time. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def tail_crc32(descriptor: int, length: int) -> int:
    """CRC of the last bytes before `length`."""
    count = min(length, TAIL_BYTES)
    return zlib.crc32(os.pread(descriptor, count, length - count))


class PathLock:
    """Held by the sink that writes the file; ends with the process, however that ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> "PathLock":
        """Take the lock, or raise StoreLocked with the holder's process id."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path.with_name(path.name + ".lock"), flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            told = f"{path} is being written by another sink (process {holder or 'unknown'})"
            raise StoreLocked(told, hint="give each sink of type file a path of its own") from error
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Let another sink write; the file stays, since removing it would race."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
