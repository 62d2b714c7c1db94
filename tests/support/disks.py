"""A disk that is small enough to fill."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.tools import missing


@contextlib.contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a file system of this size on `folder`; fails under CI and skips at home if it cannot.

    It is a tmpfs, so what was never synced is not lost with it, but it fills up as others do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"cannot mount a small disk: {done.stderr.strip()}", "run as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, leave_bytes: int = 0) -> Path:
    """Take all space of the folder's disk but this much; returns the file that holds it."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(65536))
        free = os.statvfs(folder)
        wanted = max(0, leave_bytes - free.f_bavail * free.f_bsize)
        file.truncate(max(0, file.tell() - wanted))
    return filler
