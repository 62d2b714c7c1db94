"""One open file that lines are appended to.

Invariant: after an error the file holds whole appends only, or `sync` and `append` first cut it
back and write again what is not durable; for that, and for a file that is removed under us, bytes
stay in memory until they are synced. An fsync that failed once is never trusted afterwards: the
kernel may have dropped what it could not write. Must not go here: cursors, rotation.
"""

import contextlib
import os
import stat
from pathlib import Path

from armorstack.errors import StoreError
from armorstack.sinks.file_mark import tail_crc32, write_all

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Non-blocking, so that a pipe in the file's place is refused instead of waited for."""


class AppendFile:
    """A regular file at `path`, made if there is none."""

    def __init__(self, path: Path, descriptor: int) -> None:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise StoreError(f"{path} is not a regular file", hint="give the sink another path")
        self.path = path
        self.inode = about.st_ino
        self.mode = stat.S_IMODE(about.st_mode)
        self.size = self.synced = about.st_size
        self.synced_events = 0
        """Events in the first `synced` bytes, as far as that is known."""
        self._descriptor = descriptor
        self._unsynced: list[tuple[bytes, int]] = []
        self._unsynced_bytes = 0
        self._is_torn = False

    @classmethod
    def open(cls, path: Path, mode: int | None = None) -> "AppendFile":
        """Open or make it, readable by nobody else when made, unless `mode` is given.

        Raises OSError and StoreError.
        """
        descriptor = os.open(path, _FLAGS, 0o600)
        try:
            if mode is not None:
                os.fchmod(descriptor, mode)
            return cls(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    @classmethod
    def open_behind(cls, path: Path) -> "AppendFile":
        """The same, for a file that is not known: what is in it stays, and its line is ended."""
        file = cls.open(path)
        try:
            file.end_line()
        except BaseException:
            file.close()
            raise
        return file

    @property
    def unsynced_bytes(self) -> int:
        """Bytes that are held in memory, because they are not durable."""
        return self._unsynced_bytes

    @property
    def events(self) -> int:
        """Events in the file."""
        return self.synced_events + sum(events for _, events in self._unsynced)

    def append(self, data: bytes, events: int = 0) -> None:
        """Append so many events; all of it or, raising OSError, nothing."""
        self._mend()
        self.size = os.fstat(self._descriptor).st_size
        try:
            write_all(self._descriptor, data)
        except OSError:
            self._is_torn = True
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
                self._is_torn = False
            raise
        self.size += len(data)
        self._hold(data, events)

    def sync(self) -> None:
        """Make durable all that was appended. Raises OSError; then nothing of it is."""
        self._mend()
        try:
            os.fsync(self._descriptor)
        except OSError:
            self._is_torn = True
            raise
        # What another process did to the file's length is as it is.
        self.size = self.synced = os.fstat(self._descriptor).st_size
        self.synced_events = self.events
        self._unsynced, self._unsynced_bytes = [], 0

    def inherit(self, other: "AppendFile") -> None:
        """Take over what `other` has not made durable; written by the next append or sync."""
        for data, events in other._unsynced:
            self._hold(data, events)
        self._is_torn = True

    def cut(self, length: int) -> None:
        """Make it end there."""
        os.ftruncate(self._descriptor, length)
        self.size = self.synced = length

    def tail_crc32(self, length: int) -> int:
        """CRC of the last bytes before `length`."""
        return tail_crc32(self._descriptor, length)

    def end_line(self) -> None:
        """What somebody else wrote may end within a line; the next byte shall begin one."""
        if self.size and os.pread(self._descriptor, 1, self.size - 1) != b"\n":
            self.append(b"\n")
            self.sync()

    def is_in_place(self) -> bool:
        """Whether the path still names this file."""
        try:
            there = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))

    def is_removed(self) -> bool:
        """Whether no name is left that leads to it."""
        return os.fstat(self._descriptor).st_nlink == 0

    def close(self) -> None:
        """Let go; what is not durable may be lost."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _hold(self, data: bytes, events: int) -> None:
        self._unsynced.append((data, events))
        self._unsynced_bytes += len(data)

    def _mend(self) -> None:
        """Write again what may be torn."""
        if not self._is_torn:
            return
        here = os.fstat(self._descriptor).st_size
        os.ftruncate(self._descriptor, min(here, self.synced))
        for data, _ in self._unsynced:
            write_all(self._descriptor, data)
        self._is_torn = False
        self.size = os.fstat(self._descriptor).st_size
