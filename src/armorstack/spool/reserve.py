"""Disk space kept for the moment when there is none left.

A delete needs room in the write-ahead log. On a full disk it would have none, and what the sinks
have already stored could never be freed. So a file of real blocks lies beside the spool, is
released when the disk is full and made again when there is space.

Invariant: while `held`, the blocks are allocated, not merely promised by a sparse file.
"""

import errno
import os
from pathlib import Path

from armorstack.spool.place import RESERVE_FILE

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Reserve:
    """The reserve file of one spool."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self._path = folder / RESERVE_FILE
        self._folder = folder
        self.size_bytes = size_bytes
        self.held = False

    def make(self, spare_bytes: int = 0) -> bool:
        """Allocate the file, unless it is there; False where the disk has no room for it and
        `spare_bytes` besides. Other faults raise OSError."""
        if self.held or self.size_bytes == 0:
            self.held = True
            return True
        if free_bytes(self._folder) < spare_bytes + self._missing_bytes():
            return False
        self.held = self._allocate()
        return self.held

    def release(self) -> None:
        """Give the blocks back to the file system."""
        self._path.unlink(missing_ok=True)
        self.held = False

    def _missing_bytes(self) -> int:
        try:
            return max(0, self.size_bytes - self._path.stat().st_blocks * 512)
        except FileNotFoundError:
            return self.size_bytes

    def _allocate(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, self.size_bytes)
            os.posix_fallocate(descriptor, 0, self.size_bytes)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            self.release()
            return False
        finally:
            os.close(descriptor)
        return True


def free_bytes(folder: Path) -> int:
    """Bytes that an unprivileged process may still allocate on the folder's file system."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize
