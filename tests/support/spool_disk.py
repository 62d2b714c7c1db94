"""A small real file system, for tests of a full disk."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import tools


@contextmanager
def small_disk(point: Path, size_bytes: int) -> Iterator[Path]:
    """A tmpfs of this size, mounted at the folder; unmounted at the end."""
    mount = tools.require_tool("mount", "apt-get install mount")
    point.mkdir()
    options = f"size={size_bytes},mode=0700"
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", options, "tmpfs", point],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        tools.missing(f"no file system can be mounted: {made.stderr.strip()}", "run as root")
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", point], check=True)


def fill(folder: Path) -> Path:
    """Take all the space that is left with a file of another program."""
    path = folder / "other-program.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        while True:
            os.write(descriptor, bytes(64 * 1024))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(descriptor)
    return path
