"""The URL that is posted to, and files that hold it, the token or authorities.

Invariant: the path (Slack's and Teams's is a password) and the token come out of here only as
attributes; no text, `repr` or error has more than scheme and host.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from armorstack.core.text import printable
from armorstack.errors import EngineError

MAX_BYTES = 1024 * 1024
"""Of a file that holds a secret or certificates."""
SHORTEST_SECRET = 8
"""Characters of a part of the path that is struck out of what a server answers."""
URL = re.compile(r"https?://[^/@?#]+(/.*)?")
VISIBLE = re.compile(r"[!-~]+")

T = TypeVar("T")


class Target:
    """Where messages go. Shown, it is only its origin."""

    def __init__(self, url: str) -> None:
        """Raises ValueError where the text is no such URL."""
        if not VISIBLE.fullmatch(url) or not URL.fullmatch(url):
            raise ValueError("it is no http or https URL with a host and without a password")
        parts = urlsplit(url)
        self.is_tls = parts.scheme == "https"
        self.host = parts.hostname or ""
        if not self.host.encode("idna"):
            raise ValueError("it names no host")
        self.port = parts.port or (443 if self.is_tls else 80)
        self.authority = parts.netloc
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def __repr__(self) -> str:
        return self.origin

    def secrets(self) -> Iterator[str]:
        """What must not be shown: the path, and its longer parts, the longest first."""
        parts = [self.path, *re.split(r"[/?&=]", self.path)]
        yield from sorted({p for p in parts if len(p) >= SHORTEST_SECRET}, key=len, reverse=True)


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


def parse_target(text: bytes) -> Target:
    """The URL out of its file; raises ValueError."""
    return Target(parse_secret(text))


def origin_of(location: str) -> str:
    """Scheme and host of a redirect's target, for a person; "itself" where it names none."""
    try:
        parts = urlsplit(location)
        host = parts.hostname
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "something that is no URL"
    return printable(f"{parts.scheme or 'https'}://{host}{port}", 120) if host else "itself"
