"""One writer per spool: an flock on a file of its own.

Invariant: the lock ends with the process, however that ends; the file stays and names the last
holder. It is not a lock on the database, because SQLite's own locks are dropped when any other
descriptor of that file is closed in the same process.
"""

import fcntl
import os
from pathlib import Path

from armorstack.errors import SpoolError, SpoolLocked
from armorstack.spool.place import LOCK_FILE


class WriterLock:
    """Held by the process that writes the spool."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, folder: Path) -> "WriterLock":
        """Take the lock, or raise SpoolLocked with the holder's process id."""
        path = folder / LOCK_FILE
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpoolError(f"{path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise SpoolLocked(
                f"the spool in {folder} is being written by process {holder or 'unknown'}",
                hint="stop that receiver first, or choose another data folder",
            ) from error
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            # On a full disk; the next try must not find it locked by us.
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Let another process write; the file stays, since removing it would race."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
