"""How far a migration is, in a file, so that it goes on where it ended.

Invariant: the file is replaced as a whole and synced; what it counts was written by the sink.
"""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from armorstack.errors import StoreError


class Counts(Struct, frozen=True):
    """What became of what was read: `read` is the sum of the four others."""

    read: int = 0
    written: int = 0
    there: int = 0
    """In the target already."""
    rejected: int = 0
    """Never to be taken by the target, or no events; kept in a file with the reason."""
    left_out: int = 0
    """Not wanted by the target's own settings."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            *(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__)
        )


class Mark(Struct, frozen=True):
    """How far one origin has been moved into one target."""

    origin: str
    target: str
    place: str = ""
    counts: Counts = Counts()
    is_done: bool = False


def read_mark(path: Path, origin: str, target: str) -> Mark:
    """The mark in this file; a new one where there is none. Raises StoreError."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Mark)
    except FileNotFoundError:
        return Mark(origin, target)
    except (OSError, msgspec.MsgspecError) as error:
        hint = f"remove it, and all is read again; nothing is doubled by that: {path}"
        raise StoreError(f"how far the migration was cannot be read: {error}", hint=hint) from error
    if (found.origin, found.target) != (origin, target):
        told = f"{path} is of another migration: {found.origin} into {found.target}"
        raise StoreError(told, hint="remove it, or say --again")
    return found


def write_mark(path: Path, mark: Mark) -> None:
    """Replace the file. Raises StoreError."""
    new = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(mark))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as error:
        raise StoreError(f"how far the migration is cannot be written: {error}") from error
