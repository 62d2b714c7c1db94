"""Which file goes on where another ended: the rotated siblings in a file's folder.

Rotation renames (`app.log` becomes `app.log.1` and a new one is made) or copies and truncates (the
new `app.log.1` is the copy). Either way what was not read yet lies in a sibling, whose name begins
with the file's; compressed ones are not read. Reading lines must not go here.
"""

import contextlib
import os
from collections.abc import Iterator

from armorstack.errors import SourceError
from armorstack.sources.file_tail import Position, Tail

COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip")
TELLING_BYTES = 64
"""A fingerprint of fewer bytes does not tell a copy from another file."""


def find(path: str, position: Position) -> Tail | None:
    """The file that the position was taken in, at that position, wherever it is called now."""
    candidates = [path, *(sibling for _, sibling in _siblings(path))]
    for is_it in (_is_file_of, _is_copy_of):
        for candidate in candidates:
            tail = _try_open(candidate)
            if tail is not None and is_it(tail, position):
                tail.go_to(position.offset)
                return tail
            close(tail)
    return None


def successor(path: str, tail: Tail) -> Tail | None:
    """The file that goes on where `tail` ended, opened; None while `tail` is the newest.

    An empty file is none yet: until something is written there, the old one may still grow.
    """
    newest = _try_open(path)
    if newest is not None and newest.identity == tail.identity:
        newest.close()
        return None
    between = _next_sibling(path, tail, newest)
    if between is None and newest is not None and newest.size():
        return newest
    close(newest)
    return between


def _next_sibling(path: str, tail: Tail, newest: Tail | None) -> Tail | None:
    """The oldest file that was last written to after `tail`, where several rotations passed."""
    others = {tail.identity, newest and newest.identity}
    for time_ns, candidate in sorted(_siblings(path)):
        if time_ns <= tail.modified_ns:
            continue
        between = _try_open(candidate)
        if between is not None and between.identity not in others:
            return between
        close(between)
    return None


def _siblings(path: str) -> Iterator[tuple[int, str]]:
    """When each was last written to, in nanoseconds, and its path."""
    folder, name = os.path.split(os.path.abspath(path))
    for entry in os.scandir(folder):
        is_sibling = entry.name.startswith(name) and entry.name != name
        if is_sibling and entry.is_file() and not entry.name.endswith(COMPRESSED):
            with contextlib.suppress(FileNotFoundError):  # deleted just now
                yield entry.stat().st_mtime_ns, entry.path


def _try_open(path: str) -> Tail | None:
    try:
        return Tail(path)
    except (OSError, SourceError):
        return None


def close(tail: Tail | None) -> None:
    """Close it if there is one."""
    if tail is not None:
        tail.close()


def _is_file_of(tail: Tail, position: Position) -> bool:
    return tail.identity == (position.device, position.inode) and _holds(tail, position)


def _is_copy_of(tail: Tail, position: Position) -> bool:
    return position.fingerprint_bytes >= TELLING_BYTES and _holds(tail, position)


def _holds(tail: Tail, position: Position) -> bool:
    return tail.size() >= position.offset and tail.begins_like(position)
