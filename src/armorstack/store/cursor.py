"""Where a page ended: the time and id of an event, as one short text.

Invariant: `parse(str(cursor)) == cursor`; anything else that is parsed raises ValueError.
"""

import base64
import binascii

from msgspec import Struct

ID_BYTES = 32


class Cursor(Struct, frozen=True, order=True):
    """A place in the order of (time, id)."""

    time_us: int
    id: bytes

    def __str__(self) -> str:
        return f"{self.time_us}.{encode_id(self.id)}"


def parse(text: str) -> Cursor:
    """The cursor; raises ValueError."""
    time_us, dot, id_ = text.partition(".")
    if not dot or not time_us.isascii() or not time_us.isdigit() or len(time_us) > 18:
        raise ValueError(f"{text!r} is no cursor")
    return Cursor(int(time_us), decode_id(id_))


def encode_id(id_: bytes) -> str:
    """The id as it stands in URLs and answers: base64 with - and _, without padding."""
    return base64.urlsafe_b64encode(id_).decode().rstrip("=")


def decode_id(text: str) -> bytes:
    """The id; ordinary base64 with padding, as engines store it, is read too. Raises ValueError."""
    try:
        plain = text.translate({ord("+"): "-", ord("/"): "_"}).rstrip("=")
        id_ = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{text!r} is no id of an event") from error
    if len(id_) != ID_BYTES:
        raise ValueError(f"{text!r} is no id of an event")
    return id_
