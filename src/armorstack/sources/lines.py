"""Cutting blocks of bytes into lines.

Invariant: a line comes out whole, without its end (LF or CRLF), and once; blank lines do not come
out. A line longer than the limit is skipped and counted, and never held in memory as a whole.
Pure. What a line means must not go here.
"""

LIMIT_BYTES = 16 * 1024 * 1024


class LineCutter:
    """Takes blocks in order and gives lines."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._rest = b""
        self._skipping = False
        self.held_bytes = 0
        """Bytes taken since the last line's end, kept or skipped."""
        self.skipped = 0
        """Lines that were too long."""

    def feed(self, block: bytes) -> list[bytes]:
        """The lines that end in this block."""
        if self._skipping:
            block = self._skip(block)
        data = self._rest + block if self._rest else block
        if self._skipping:
            return []
        whole, end, rest = data.rpartition(b"\n")
        self._hold(rest)
        return self._lines(whole) if end else []

    def rest(self) -> bytes:
        """The line that has no end yet; there is nothing held afterwards."""
        lines = self._lines(self._rest)
        self.skipped += self._skipping
        self._rest, self._skipping, self.held_bytes = b"", False, 0
        return lines[0] if lines else b""

    def _skip(self, block: bytes) -> bytes:
        """What follows the end of the line that is being skipped, if it ends in this block."""
        _, end, after = block.partition(b"\n")
        if not end:
            self.held_bytes += len(block)
            return b""
        self._skipping = False
        self.skipped += 1
        return after

    def _hold(self, rest: bytes) -> None:
        self.held_bytes = len(rest)
        self._skipping = len(rest) > self._limit_bytes
        self._rest = b"" if self._skipping else rest

    def _lines(self, whole: bytes) -> list[bytes]:
        lines = [line for line in whole.split(b"\n") if line and not line.isspace()]
        if b"\r" in whole:
            lines = [line.removesuffix(b"\r") for line in lines]
        if len(whole) <= self._limit_bytes:
            return lines
        short = [line for line in lines if len(line) <= self._limit_bytes]
        self.skipped += len(lines) - len(short)
        return short
