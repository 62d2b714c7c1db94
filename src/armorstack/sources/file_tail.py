"""A file that is read on from where it was left, and the mark by which it is known again.

A file is known by device, inode and a fingerprint of its first bytes: an inode is used again after
its file was deleted, and a file can be emptied and filled anew under the same inode. Invariant: a
position lies behind a whole line. Which file comes next must not go here.
"""

import os
import stat
import zlib

import msgspec
from msgspec import Struct

from armorstack.errors import SourceError
from armorstack.sources.clock import now_us
from armorstack.sources.lines import LineCutter

BLOCK_BYTES = 1024 * 1024
FINGERPRINT_BYTES = 256


class Position(Struct, frozen=True):
    """Where reading goes on, and in which file."""

    device: int
    inode: int
    offset: int
    fingerprint: int
    """CRC-32 of the first `fingerprint_bytes`."""
    fingerprint_bytes: int
    at_us: int
    """When this was taken down."""


def encode_position(position: Position) -> bytes:
    """As the spool keeps it."""
    return msgspec.json.encode(position)


def decode_position(kept: bytes | None) -> Position | None:
    """What `encode_position` wrote; None where there is nothing or something else."""
    try:
        return msgspec.json.decode(kept, type=Position) if kept else None
    except msgspec.MsgspecError:
        return None


class Tail:
    """An open file and how far it was read."""

    def __init__(self, path: str, offset: int = 0) -> None:
        """Open it; raises OSError, or `SourceError` where it is no regular file."""
        # Without O_NONBLOCK, opening a pipe would wait for its writer.
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._fd)
            raise SourceError(
                f"{path} is no regular file", hint="a pipe can be read with the stdin source"
            )
        self.path = path
        self.identity = (status.st_dev, status.st_ino)
        self.modified_ns = status.st_mtime_ns
        self._cutter = LineCutter()
        self._offset = offset
        self._fingerprint = (0, 0)
        self.position()

    def read(self) -> list[bytes] | None:
        """The lines that end in the next block; None at the end of the file."""
        block = os.pread(self._fd, BLOCK_BYTES, self._offset)
        self._offset += len(block)
        return self._cutter.feed(block) if block else None

    def rest(self) -> bytes:
        """The last line, where the file ends without a line end."""
        return self._cutter.rest()

    def take_skipped(self) -> int:
        """Lines that were too long, since the last call."""
        skipped, self._cutter.skipped = self._cutter.skipped, 0
        return skipped

    def position(self) -> Position:
        """Behind the last whole line that was read."""
        offset = self._offset - self._cutter.held_bytes
        size = min(offset, FINGERPRINT_BYTES)
        if size > self._fingerprint[1]:
            self._fingerprint = (self._checksum(size), size)
        return Position(*self.identity, offset, *self._fingerprint, now_us())

    def is_intact(self) -> bool:
        """Whether what was read is still there; not so after a truncation."""
        status = os.fstat(self._fd)
        self.modified_ns = status.st_mtime_ns
        return status.st_size >= self._offset and self.begins_like(self.position())

    def begins_like(self, position: Position) -> bool:
        """Whether the file begins with the bytes that the position was taken in."""
        return self._checksum(position.fingerprint_bytes) == position.fingerprint

    def size(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self._fd).st_size

    def go_to(self, offset: int) -> None:
        """Read on from there."""
        self._offset = offset
        self.position()

    def go_to_end(self) -> None:
        """Read on behind the last line end there is."""
        size = self.size()
        start = max(0, size - BLOCK_BYTES)
        block = os.pread(self._fd, BLOCK_BYTES, start)
        self.go_to(start + block.rfind(b"\n") + 1 if b"\n" in block else size if start else 0)

    def close(self) -> None:
        """Let go."""
        os.close(self._fd)

    def _checksum(self, size: int) -> int:
        return zlib.crc32(os.pread(self._fd, size, 0))
