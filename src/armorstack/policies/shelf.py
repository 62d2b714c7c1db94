"""Where the documents of policies lie between two runs: one file, rewritten as a whole.

Invariant: the file holds all documents of one moment, or those of the moment before; a crash
leaves no half. One that cannot be read is put aside, never a reason not to start. Must not go
here: what is in a document.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from armorstack.policies.document import PolicyDocument

log = structlog.get_logger()


class Shelf:
    """The file `documents.json` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "documents.json"

    def read(self) -> dict[str, PolicyDocument] | None:
        """All documents by uid; None: there never were any."""
        try:
            found = msgspec.json.decode(self._file.read_bytes(), type=list[PolicyDocument])
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("what was known of policies cannot be read", reason=str(error))
            with contextlib.suppress(OSError):
                self._file.rename(self._file.with_suffix(".broken"))
            return None
        return {document.uid: document for document in found}

    def write(self, documents: Sequence[PolicyDocument]) -> None:
        """These, and no others. Raises OSError."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".fresh")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(documents))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
