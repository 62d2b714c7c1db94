"""What the cookie of a signed-in browser says: which token it was made from, and until when.

Invariant: the token itself is not in it; whoever changes a character has no session. Sessions
survive a restart, since the key lies in `DATA/web/session-key`; without that file all are void.
"""

import base64
import hashlib
import hmac
import re
import secrets
from pathlib import Path

from msgspec import Struct

from armorstack.web.access import private

KEY_BYTES = 32
LONGEST_S = 7 * 24 * 3600
_FORM = re.compile(r"v1\.([0-9a-f]{16})\.(\d{1,12})\.([A-Za-z0-9_-]{43})", re.ASCII)


class Session(Struct, frozen=True):
    """A session."""

    token_id: str
    ends_s: int
    """Unix time."""


def key_of(folder: Path) -> bytes:
    """The key that sessions are signed with, made where there is none. Raises OSError."""
    path = folder / "session-key"
    if not path.exists():
        private.create(path, secrets.token_bytes(KEY_BYTES))
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        private.replace(path, secrets.token_bytes(KEY_BYTES))
        key = path.read_bytes()
    return key


def sign(session: Session, key: bytes) -> str:
    """The cookie's value."""
    said = f"v1.{session.token_id}.{session.ends_s}"
    return f"{said}.{_signature(said, key)}"


def read(value: str, key: bytes) -> Session | None:
    """The session, if the value is one of ours; it may be over."""
    match = _FORM.fullmatch(value)
    if match is None:
        return None
    said, _, signature = value.rpartition(".")
    if not hmac.compare_digest(signature, _signature(said, key)):
        return None
    return Session(match[1], int(match[2]))


def _signature(said: str, key: bytes) -> str:
    made = hmac.digest(key, said.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
