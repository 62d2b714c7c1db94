"""The text of a token: `as_`, 256 random bits in base 62, and a checksum.

Invariant: only the SHA-256 of a text is ever compared or kept. The checksum tells a token that was
copied in part from one that is wrong, before anything is looked up; it proves nothing.
"""

import hashlib
import secrets
import string
import zlib

PREFIX = "as_"
SECRET_BYTES = 32
LONGEST = 200
"""Characters; what is longer is no token, and is not even hashed."""
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BODY, _CHECK = 43, 6
"""Digits that 256 and 32 bits take."""


def make() -> str:
    """A new token."""
    body = _base62(int.from_bytes(secrets.token_bytes(SECRET_BYTES), "big"), _BODY)
    return PREFIX + body + _checksum(body)


def is_whole(text: str) -> bool:
    """Whether the text was made by `make` and came here unharmed."""
    body, check = text[len(PREFIX) : -_CHECK], text[-_CHECK:]
    return text.startswith(PREFIX) and len(body) == _BODY and _checksum(body) == check


def digest(text: str) -> str:
    """What stands for the token wherever it is kept: its SHA-256, in hex."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode(errors="surrogatepass")), _CHECK)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
