"""The URL that is posted to.

Invariant: the path (Slack's and Teams's is a password) and the token come out of here only as
attributes; no text, `repr` or error has more than scheme and host.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from armorstack.core.text import printable
from armorstack.engines.watched import VISIBLE, parse_secret

SHORTEST_SECRET = 8
"""Characters of a part of the path that is struck out of what a server answers."""
URL = re.compile(r"https?://[^/@?#]+(/.*)?")


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
