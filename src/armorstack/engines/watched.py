"""A file that holds a secret, certificates or a URL, read again whenever it changes.

Invariant: what such a file holds is in no text, `repr` or error; an error names its setting and
its path. Must not go here: what is done with a secret.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from armorstack.errors import EngineError

MAX_BYTES = 1024 * 1024
"""Of a file that holds a secret or certificates."""
VISIBLE = re.compile(r"[!-~]+")

T = TypeVar("T")


class Watched(Generic[T]):
    """What a file says, read again whenever the file is another one or was changed."""

    def __init__(self, path: str, setting: str, parse: Callable[[bytes], T]) -> None:
        self._path, self._setting, self._parse = path, setting, parse
        self._seen: tuple[int, ...] = ()
        self._value: T | None = None

    def value(self) -> T:
        """What is in the file now; raises EngineError where that cannot be used."""
        try:
            found = os.stat(self._path)
            seen = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
            if self._value is None or seen != self._seen:
                self._value, self._seen = self._read(), seen
        except OSError as error:
            raise EngineError(
                f"{self._setting}: {self._path} cannot be read: {error.strerror or error}"
            ) from error
        return self._value

    def _read(self) -> T:
        with Path(self._path).open("rb") as file:
            text = file.read(MAX_BYTES)
        try:
            return self._parse(text.strip())
        except ValueError as error:
            reason = str(error)
        # Outside the handler: the cause may quote what the file holds.
        raise EngineError(f"{self._setting}: {self._path} cannot be used: {reason}")


def parse_secret(text: bytes) -> str:
    """A token or a URL out of its file; raises ValueError where it is not one word."""
    written = text.decode("latin-1")
    if not VISIBLE.fullmatch(written):
        raise ValueError("it must hold one line of visible ASCII characters")
    return written
