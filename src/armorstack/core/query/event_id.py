"""The id of an event as people write it: either form of base64, with padding or without.

Invariant: `decode_id(encode_id(digest)) == digest`. What an id is made of stands in `core/ids.py`.
"""

import base64
import binascii

ID_BYTES = 32
_STANDARD = str.maketrans("+/", "-_")


def encode_id(digest: bytes) -> str:
    """The id as it stands in URLs: base64 with - and _, without padding."""
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def decode_id(written: str) -> bytes | None:
    """The 32 bytes of a written id; None where it is none."""
    plain = written.translate(_STANDARD).rstrip("=")
    try:
        digest = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == ID_BYTES else None
