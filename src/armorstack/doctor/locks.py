"""Who holds a lock, without trying it: a try would keep a starting process out for a moment.

Invariant: nothing is made, written or kept waiting. What a lock protects must not go here.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

LOCKS = Path("/proc/locks")


def holder(path: Path) -> int:
    """The process that holds an flock on the file, by proc_locks(5); 0: none, or nobody can tell.

    By inode alone: on some file systems the device that is listed is not the one of stat(2).
    """
    try:
        inode = str(path.stat().st_ino)
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        fields = line.split()
        if "FLOCK" in fields and "->" not in fields and fields[5].rpartition(":")[2] == inode:
            return int(fields[4])
    return 0


@contextlib.contextmanager
def shared(path: Path) -> Iterator[bool]:
    """Keep a new holder of the exclusive lock out while looking; False where there is one already.

    A file that does not exist is not made: nobody has ever locked it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
