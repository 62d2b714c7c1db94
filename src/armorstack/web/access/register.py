"""The tokens that were made with `armorstack token create`: `DATA/web/tokens.json`.

Invariant: the file holds hashes, never a token; it is replaced as a whole, by one process at a
time. Loads neither Arrow nor Starlette: the command line uses it.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from armorstack.errors import AccessError
from armorstack.web.access import private

VERSION = 1
ID_DIGITS = 16


class Record(Struct, frozen=True):
    """A token, as it is kept."""

    name: str
    sha256: str
    """Hex, of the token's text."""
    made_s: int
    """Unix time."""
    expires_s: int | None = None
    """Unix time from which on it is void; None: never."""
    namespaces: tuple[str, ...] | None = None
    """What may be read; None: everything."""
    admin: bool = False

    @property
    def id(self) -> str:
        """Names this very token: another one of the same name has another."""
        return self.sha256[:ID_DIGITS]

    def is_over(self, now_s: float) -> bool:
        """Whether it has run out."""
        return self.expires_s is not None and now_s >= self.expires_s


class _File(Struct, frozen=True):
    version: int = VERSION
    tokens: tuple[Record, ...] = ()


class Register:
    """The file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "tokens.json"

    def records(self) -> tuple[Record, ...]:
        """All tokens, in the order in which they were made. Raises AccessError."""
        try:
            file = msgspec.json.decode(self.path.read_bytes(), type=_File)
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError) as error:
            hint = "put the file back from a copy, or remove it and make tokens anew"
            raise AccessError(f"{self.path} cannot be read: {error}", hint=hint) from error
        if file.version > VERSION:
            told = f"{self.path} was written by a newer version"
            raise AccessError(told, hint="use that version")
        return file.tokens

    def add(self, record: Record) -> None:
        """Keep this token. Raises AccessError where there is one of this name, OSError."""
        with private.locked(self._folder):
            before = self.records()
            if any(each.name == record.name for each in before):
                hint = f"armorstack token revoke {record.name}, or give another name"
                raise AccessError(f"there is a token {record.name!r} already", hint=hint)
            self._write((*before, record))

    def remove(self, name: str) -> Record:
        """Forget the token of this name. Raises AccessError where there is none, OSError."""
        with private.locked(self._folder):
            before = self.records()
            found = next((each for each in before if each.name == name), None)
            if found is None:
                hint = "armorstack token list names those that there are"
                raise AccessError(f"there is no token {name!r}", hint=hint)
            self._write(each for each in before if each is not found)
        return found

    def _write(self, records: Iterable[Record]) -> None:
        content = msgspec.json.encode(_File(tokens=tuple(records)))
        private.replace(self.path, msgspec.json.format(content) + b"\n")
