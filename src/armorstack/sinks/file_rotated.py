"""The rotated files of one path: their names, which are kept, what was removed.

`events.ndjson` becomes `events-20261123T150000Z.ndjson`, then `….ndjson.gz`; a second one in the
same second has `.1` behind the time. Invariant: names sort by age, even when the clock goes back.
Must not go here: when the file is rotated; compression is in `file_compress.py`.
"""

import contextlib
import gzip
import os
import re
import threading
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from msgspec import Struct

SUFFIX = ".gz"
UNFINISHED = ".gz.tmp"
_CHUNK = 1 << 18


class Name(Struct, frozen=True, order=True):
    """One rotated file; ordered by age."""

    time: str
    number: int


class Rotated:
    """What lies beside the file. Used by the sink's thread and the one that compresses."""

    def __init__(self, path: Path) -> None:
        self.folder = path.parent
        self.lock = threading.Lock()
        """Held while a rotated file changes its name or goes."""
        self._stem, self._suffix = path.stem, path.suffix
        time = r"(\d{8}T\d{6}Z)(?:\.(\d+))?"
        stem, suffix = re.escape(path.stem), re.escape(path.suffix)
        self._pattern = re.compile(rf"{stem}-{time}{suffix}(\.gz|\.gz\.tmp)?", re.ASCII)

    def tidy(self) -> None:
        """Finish what a crash interrupted: after it, each rotated file is there in one form."""
        for name, endings in self._found().items():
            if UNFINISHED in endings:
                self._file(name, UNFINISHED).unlink(missing_ok=True)
            if {"", SUFFIX} <= endings:
                # The compressed one was complete before it got its name.
                self._file(name, "").unlink(missing_ok=True)

    def next_name(self, now_us: int) -> str:
        """The name for the file that is rotated now."""
        time = datetime.fromtimestamp(now_us / 1e6, UTC).strftime("%Y%m%dT%H%M%SZ")
        newest = max(self._found(), default=None)
        if newest is None or newest.time < time:
            return self._text(Name(time, 0))
        return self._text(Name(newest.time, newest.number + 1))

    def names(self) -> list[str]:
        """Names before compression, the oldest first."""
        found = self._found()
        return [self._text(name) for name in sorted(found) if found[name] != {UNFINISHED}]

    def uncompressed(self) -> list[str]:
        """Names of files that are not compressed, the oldest first."""
        found = self._found()
        return [self._text(name) for name in sorted(found) if "" in found[name]]

    def is_rotated(self, name: str) -> bool:
        """Whether a file of this name is a rotated one, not compressed."""
        match = self._pattern.fullmatch(name)
        return match is not None and not match[3]

    def prune(self, keep: int, events: dict[str, int]) -> Iterator[int]:
        """Remove all but the newest; yields how many events went with each. Raises OSError.

        `events` says how many each has; of those that it does not name, lines are counted.
        """
        for name in self.names()[:-keep] if keep else []:
            with self.lock:
                count = events[name] if name in events else self._count(name)
                for ending in ("", SUFFIX, UNFINISHED):
                    (self.folder / (name + ending)).unlink(missing_ok=True)
                events.pop(name, None)
            yield count

    def _found(self) -> dict[Name, set[str]]:
        found: dict[Name, set[str]] = {}
        for entry in os.listdir(self.folder):
            if match := self._pattern.fullmatch(entry):
                name = Name(match[1], int(match[2] or 0))
                found.setdefault(name, set()).add(match[3] or "")
        return found

    def _text(self, name: Name) -> str:
        number = f".{name.number}" if name.number else ""
        return f"{self._stem}-{name.time}{number}{self._suffix}"

    def _file(self, name: Name, ending: str) -> Path:
        return self.folder / (self._text(name) + ending)

    def _count(self, name: str) -> int:
        """Lines in a file that no mark tells of; 0 where it cannot be read."""
        with contextlib.suppress(OSError, EOFError, zlib.error):
            for ending in (SUFFIX, ""):
                if (file := self.folder / (name + ending)).is_file():
                    with gzip.open(file) if ending else file.open("rb") as lines:
                        return _newlines(lines)
        return 0


def _newlines(file: "IO[bytes] | gzip.GzipFile") -> int:
    return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK), b""))
