"""Finding a file of lines again after a crash, and cutting it to what was acknowledged.

Invariant: only bytes behind the marked length are ever cut, and only of the file that the mark
speaks of: the one with its inode, wherever in the folder it was moved, or one that holds the same
bytes there (a copy). Any other file is kept as it is and written behind. Must not go here: what
happens while the sink is open.
"""

import os
from pathlib import Path

import structlog
from msgspec import Struct
from msgspec.structs import replace

from armorstack.sinks.file_append import AppendFile
from armorstack.sinks.file_mark import Mark
from armorstack.sinks.file_rotated import Rotated

log = structlog.get_logger()


class Recovered(Struct):
    """The file to go on with, and what its mark says now."""

    file: AppendFile
    mark: Mark


def recover(path: Path, mark: Mark, rotated: Rotated) -> Recovered:
    """Open or make the file at `path`. Raises OSError and StoreError."""
    file = AppendFile.open(path)
    try:
        if _is_meant(file, mark):
            _cut(file, mark)
            file.synced_events = mark.events
            return Recovered(file, mark)
        moved = _cut_moved(path, mark)
        file.end_line()
    except BaseException:
        file.close()
        raise
    kept = mark.rotated
    if moved and rotated.is_rotated(moved):
        kept = kept | {moved: mark.events}
    return Recovered(file, replace(mark, events=0, began_us=0, rotated=kept))


def _is_meant(file: AppendFile, mark: Mark) -> bool:
    if file.size < mark.length:
        return False
    if not mark.length:
        return file.inode == mark.inode
    return file.tail_crc32(mark.length) == mark.tail_crc32


def _cut(file: AppendFile, mark: Mark) -> None:
    if file.size > mark.length:
        log.info("lines that were not acknowledged are taken back; they are written again",
                 file=str(file.path), bytes=file.size - mark.length)  # fmt: skip
        file.cut(mark.length)
        file.sync()


def _cut_moved(path: Path, mark: Mark) -> str:
    """Cut the marked file where it has another name by now; that name, empty: none."""
    for name in _names_of(path, mark):
        file = AppendFile.open(path.with_name(name))
        try:
            if _is_meant(file, mark):
                _cut(file, mark)
                return name
        finally:
            file.close()
    return ""


def _names_of(path: Path, mark: Mark) -> list[str]:
    """Other names in the folder that lead to the mark's inode."""
    if not mark.length:
        # Of an empty file nothing tells it from another that was given its inode's number.
        return []
    with os.scandir(path.parent) as entries:
        return [
            entry.name for entry in entries
            if entry.inode() == mark.inode and entry.name != path.name
            and entry.is_file(follow_symlinks=False)
        ]  # fmt: skip
