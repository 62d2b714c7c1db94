"""A place in the order of arrival as a text that says nothing to whoever holds it.

How many events came, and when the last did, is nobody's business who may see some namespaces
only; so a place is sealed with a key that lies in the store's folder, for its owner alone, and
outlives the process. Invariant: `key.read(key.sealed(place)) == place`, and no other text is read.
"""

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
import struct
from pathlib import Path

from msgspec import Struct

KEY_FILE = "place-key"
_KEY_BYTES = 32
_NONCE_BYTES = 8
_MAC_BYTES = 8
_FORM = struct.Struct(">QQqQ")


class Place(Struct, frozen=True):
    """Behind which event somebody is."""

    opened: int = 0
    """Which opening of the store `number` speaks of; 0: none."""
    number: int = 0
    """The number of the next row; see `Recent`."""
    received_us: int = 0
    """Everything that was received before was given."""
    given: int = 0
    """How many of what was received at that very microsecond were given."""


class PlaceKey:
    """Seals places."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of(cls, root: Path) -> "PlaceKey":
        """The key of the store in this folder, made where it is missing."""
        key = _read_key(root)
        if key is None:
            key = secrets.token_bytes(_KEY_BYTES)
            # Where it cannot be kept, a place is forgotten when the process ends.
            with contextlib.suppress(OSError):
                _write_key(root, key)
        return cls(key)

    @classmethod
    def read_from(cls, root: Path) -> "PlaceKey":
        """The same without making anything; where there is none, one of this process alone."""
        return cls(_read_key(root) or secrets.token_bytes(_KEY_BYTES))

    def sealed(self, place: Place) -> str:
        """The place as a text of letters, digits, - and _."""
        plain = _FORM.pack(place.opened, place.number, place.received_us, place.given)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return base64.urlsafe_b64encode(
            nonce + self._mixed(nonce, plain) + self._mac(plain)
        ).decode()

    def read(self, text: str) -> Place | None:
        """The place; None where the text is none of ours."""
        with contextlib.suppress(binascii.Error, ValueError, struct.error):
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            nonce, mixed = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:-_MAC_BYTES]
            plain = self._mixed(nonce, mixed)
            if secrets.compare_digest(self._mac(plain), raw[-_MAC_BYTES:]):
                return Place(*_FORM.unpack(plain))
        return None

    def _mixed(self, nonce: bytes, text: bytes) -> bytes:
        stream = hashlib.blake2b(nonce, key=self._key, person=b"place stream").digest()
        return bytes(one ^ other for one, other in zip(text, stream, strict=False))

    def _mac(self, plain: bytes) -> bytes:
        made = hashlib.blake2b(plain, key=self._key, person=b"place mac", digest_size=_MAC_BYTES)
        return made.digest()


def _read_key(root: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        key = (root / KEY_FILE).read_bytes()
        return key if len(key) == _KEY_BYTES else None
    return None


def _write_key(root: Path, key: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with open(os.open(root / KEY_FILE, flags, 0o600), "wb") as file:
        file.write(key)
