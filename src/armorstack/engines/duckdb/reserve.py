"""Disk set aside so that a store on a full disk can still write down what it removes.

Invariant: it is released only for a removal, which frees more than it takes.
"""

import os
from pathlib import Path

_BYTES = 128 * 1024


class Reserve:
    """A file of zeros that can be given up."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fill(self) -> None:
        """Take the space where it is free; without it the store works all the same."""
        if self._path.exists():
            return
        try:
            with open(self._path, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, _BYTES)
        except OSError:
            self._path.unlink(missing_ok=True)

    def release(self) -> bool:
        """Give the space up; false when it was gone already."""
        if not self._path.exists():
            return False
        self._path.unlink()
        return True
