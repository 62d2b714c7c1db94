r"""Redaction of one raw frame, whole or malformed, before it is kept as a dead letter.

Every text of a frame that can be read is redacted in its place, and what surrounds it stays as it
is, so that the frame can still be replayed. Numbers are no texts. A frame that cannot be read is
redacted as the text it looks like: what stands between quotes for itself, then the whole, each
with JSON's escapes undone. Better a letter that is spoiled than a secret that is kept. In a
protobuf frame that cannot be read, `^` and `$` mean the ends of the frame.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from armorstack.core.fields import STREAMS
from armorstack.core.proto import message_class

T = TypeVar("T")
Redactor = Callable[[str], str]

_LITERAL = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_BETWEEN_QUOTES = re.compile(r'(?:[^"\\]|\\.)+', re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class _Redactions(dict[str, str]):
    """Text → what is left of it; a text that is new is asked for alone."""

    def __init__(self, texts: list[str], redact_all: Callable[[list[str]], list[str]]) -> None:
        super().__init__(zip(texts, redact_all(texts), strict=True) if texts else ())
        self._redact_all = redact_all

    def __missing__(self, text: str) -> str:
        (self[text],) = self._redact_all([text])
        return self[text]


def in_one_go(walk: Callable[[Redactor], T], redact_all: Callable[[list[str]], list[str]]) -> T:
    """What `walk` makes with a redactor, its texts redacted all at once.

    A call of `redact_all` costs as much as hundreds of texts. So `walk` is run twice: first with a
    redactor that changes nothing and tells which texts there are.
    """
    texts: dict[str, str] = {}
    walk(lambda text: texts.setdefault(text, text))
    return walk(_Redactions(list(texts), redact_all).__getitem__)


def redact_frame(frame: bytes, encoding: str, stream: str, redact: Redactor) -> bytes:
    """The frame without what `redact` replaces; the very same bytes where that is nothing."""
    if encoding == "protobuf":
        message = _parsed(frame, stream)
        try:
            return _redacted_message(message, frame, redact)
        except UnicodeDecodeError:
            # The parser gives such texts as bytes, but not as the keys of a map.
            return _redacted_bytes(frame, redact)
    if encoding == "json" and _is_json(frame):
        return redact_json(frame, redact)
    return _redacted_bytes(frame, lambda text: _redacted_text(text, redact))


def redact_json(frame: bytes, redact: Redactor) -> bytes:
    """JSON with every text in it redacted, names of members as well; all else as it was."""
    text = frame.decode()
    redacted = _LITERAL.sub(lambda found: f'"{_redacted_piece(found[1], redact)}"', text)
    return frame if redacted == text else redacted.encode()


def text_of(value: bytes) -> str:
    """Bytes that may hold text, as text."""
    return value.decode(errors="replace")


def _is_json(frame: bytes) -> bool:
    try:
        msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _redacted_piece(piece: str, redact: Redactor) -> str:
    """What stands between two quotes of JSON, the very same where nothing is to be replaced."""
    plain = _unescaped(piece)
    redacted = redact(plain)
    return piece if redacted == plain else msgspec.json.encode(redacted).decode()[1:-1]


def _redacted_text(text: str, redact: Redactor) -> str:
    """Text that is no JSON, or not quite."""
    text = _BETWEEN_QUOTES.sub(lambda found: _redacted_piece(found[0], redact), text)
    text = redact(text)
    plain = _unescaped(text)
    redacted = redact(plain)
    return text if redacted == plain else redacted


def _unescaped(text: str) -> str:
    """JSON's escapes undone; half a pair of surrogates is no text and becomes U+FFFD."""
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(_unescaped_one, text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _unescaped_one(match: re.Match[str]) -> str:
    told = match[1]
    if told[0] == "u" and len(told) == 5:
        return chr(int(told[1:], 16))
    return _ESCAPES.get(told, told)


def _redacted_bytes(frame: bytes, redact: Redactor) -> bytes:
    """Bytes as the text they look like; where they are not quite UTF-8, as Latin-1 before, which
    any bytes are, so that a replacement leaves the bytes beside it alone."""
    try:
        frame.decode()
        encodings = ["utf-8"]
    except UnicodeDecodeError:
        encodings = ["latin-1", "utf-8"]
    for encoding in encodings:
        text = frame.decode(encoding, errors="replace")
        redacted = redact(text)
        if redacted != text:
            frame = redacted.encode(encoding, errors="replace")
    return frame


def _parsed(frame: bytes, stream: str) -> Message | None:
    for known in STREAMS:
        if known == stream:
            try:
                return message_class(known).FromString(frame)
            except DecodeError:
                return None
    return None


def _redacted_message(message: Message | None, frame: bytes, redact: Redactor) -> bytes:
    """Written anew also where only a value that the parser passes over is to be replaced, such as
    the first of two for one field."""
    if message is None:
        return _redacted_bytes(frame, redact)
    if _redact_fields(message, redact) or _redacted_bytes(frame, redact) != frame:
        frame = message.SerializeToString()
    return frame


def _redact_fields(message: Message, redact: Redactor) -> bool:
    """Redact every text of the message in place; whether there was anything to redact.

    Fields that the table does not know are let go where one of them holds what is redacted.
    """
    changed = False
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            changed |= _redact_map(value, redact)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            changed |= _redact_fields(value, redact)
        elif field.type == FieldDescriptor.TYPE_STRING:
            changed |= _redact_text(message, field, value, redact)
    unknown = UnknownFieldSet(message)
    if any([_is_guilty(unknown[index].data, redact) for index in range(len(unknown))]):
        message.DiscardUnknownFields()
        changed = True
    return changed


def _redact_text(message: Message, field: FieldDescriptor, value: Any, redact: Redactor) -> bool:
    """One text or a list of them; the parser gives bytes where they are not UTF-8."""
    if isinstance(value, str | bytes):
        old = _text(value)
        new = redact(old)
        if new != old:
            setattr(message, field.name, new)
        return new != old
    texts = [_text(each) for each in value]
    redacted = [redact(each) for each in texts]
    if redacted != texts:
        value[:] = redacted
    return redacted != texts


def _redact_map(value: Any, redact: Redactor) -> bool:
    old = {_text(key): _text(each) for key, each in value.items()}
    new = {redact(key): redact(each) for key, each in old.items()}
    if new == old:
        return False
    value.clear()
    value.update(new)
    return True


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else text_of(value)


def _is_guilty(data: Any, redact: Redactor) -> bool:
    """Whether an unknown field holds what is redacted: bytes, a number, or a group of fields."""
    if isinstance(data, bytes):
        text = text_of(data)
        return redact(text) != text
    if isinstance(data, int):
        return False
    return any([_is_guilty(data[index].data, redact) for index in range(len(data))])
