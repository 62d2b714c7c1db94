"""Parameters of the API by their kind: how one is read, and the JSON schema that says the same.

Invariant: what a schema allows is accepted, and what it does not is refused, by a `ParameterError`
that says what may stand there. Parameters that every question has are read by `core/query/asked`.
"""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from armorstack.core.moments import parse_moment, parse_span
from armorstack.core.query.asked import ParameterError
from armorstack.core.query.names import QUERY_FIELDS, canonical, nearest
from armorstack.store import cursor
from armorstack.store.event_json import COLUMNS

T = TypeVar("T")
W = TypeVar("W", bound=str)
Schema = dict[str, Any]


class Parameter(Generic[T]):
    """One parameter; `read` is given what was said, the last value last, at least one."""

    def __init__(self, name: str, doc: str, default: T) -> None:
        self.name, self.doc, self.default = name, doc, default

    def read(self, said: Sequence[str]) -> T:
        """The value. Raises ParameterError."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """What may be said, as JSON schema."""
        raise NotImplementedError

    def wrong(self, text: str, hint: str) -> ParameterError:
        """The error that says so."""
        told = f"{self.name}: {text!r} does not fit"
        return ParameterError(told, parameter=self.name, hint=hint)


class Number(Parameter[int]):
    """A whole number between two bounds."""

    def __init__(self, name: str, doc: str, default: int, low: int, high: int) -> None:
        super().__init__(name, doc, default)
        self._low, self._high = low, high

    def read(self, said: Sequence[str]) -> int:
        """The last number that was said."""
        text = said[-1]
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise self.wrong(text, f"a number from {self._low} to {self._high}")
        if not self._low <= int(text) <= self._high:
            raise self.wrong(text, f"a number from {self._low} to {self._high}")
        return int(text)

    def schema(self) -> Schema:
        """An integer."""
        return {
            "type": "integer", "minimum": self._low, "maximum": self._high, "default": self.default,
        }  # fmt: skip


class Choice(Parameter[W]):
    """One of some words, the first unless said otherwise."""

    def __init__(self, name: str, doc: str, words: Sequence[W]) -> None:
        super().__init__(name, doc, words[0])
        self._words = tuple(words)

    def read(self, said: Sequence[str]) -> W:
        """The last word that was said."""
        for word in self._words:
            if word == said[-1]:
                return word
        raise self.wrong(said[-1], f"one of {', '.join(self._words)}")

    def schema(self) -> Schema:
        """An enumeration."""
        return {"type": "string", "enum": list(self._words), "default": self.default}


class Text(Parameter[str]):
    """Any text, nothing unless said otherwise."""

    def __init__(self, name: str, doc: str) -> None:
        super().__init__(name, doc, "")

    def read(self, said: Sequence[str]) -> str:
        """The last that was said."""
        return said[-1]

    def schema(self) -> Schema:
        """A text."""
        return {"type": "string", "default": ""}


class FieldName(Parameter[str]):
    """A field by any of its names; given as its canonical one."""

    def __init__(self, name: str, doc: str) -> None:
        super().__init__(name, doc, "")

    def read(self, said: Sequence[str]) -> str:
        """The canonical name; empty: none."""
        return _field(self, said[-1]) if said[-1] else ""

    def schema(self) -> Schema:
        """The canonical names."""
        return {"type": "string", "enum": ["", *QUERY_FIELDS], "default": ""}


class FieldNames(Parameter[Sequence[str]]):
    """Fields, by repeating the parameter."""

    def __init__(self, name: str, doc: str, default: Sequence[str], most: int) -> None:
        super().__init__(name, doc, tuple(default))
        self._most = most

    def read(self, said: Sequence[str]) -> tuple[str, ...]:
        """Their canonical names, each once."""
        if len(said) > self._most:
            raise self.wrong(f"{len(said)} fields", f"at most {self._most} at once")
        return tuple(dict.fromkeys(_field(self, text) for text in said))

    def schema(self) -> Schema:
        """A list of canonical names."""
        items = {"type": "string", "enum": list(QUERY_FIELDS)}
        listed: Schema = {"type": "array", "items": items, "maxItems": self._most, "minItems": 1}
        return listed | ({"default": list(self.default)} if self.default else {})


class ColumnNames(Parameter[tuple[str, ...]]):
    """Members of an event, separated by commas."""

    def read(self, said: Sequence[str]) -> tuple[str, ...]:
        """The members, each once; an empty text means the default."""
        names = [name.strip() for text in said for name in text.split(",") if name.strip()]
        return tuple(dict.fromkeys(self._member(name) for name in names)) or self.default

    def schema(self) -> Schema:
        """A list in one text."""
        one = "|".join(COLUMNS)
        return {"type": "string", "pattern": f"^(({one})(,({one}))*)?$"}

    def _member(self, name: str) -> str:
        if name in COLUMNS:
            return name
        known = canonical(name)
        if known in COLUMNS:
            return known
        hint = f"known are: {', '.join(COLUMNS)}"
        raise ParameterError(
            f"{self.name}: there is no column {name!r}", parameter=self.name, known=tuple(COLUMNS),
            hint=hint,
        )  # fmt: skip


class CursorText(Parameter[cursor.Cursor | None]):
    """Where another page ended."""

    def __init__(self, name: str, doc: str) -> None:
        super().__init__(name, doc, None)

    def read(self, said: Sequence[str]) -> cursor.Cursor | None:
        """The cursor."""
        if not said[-1]:
            return None
        try:
            return cursor.parse(said[-1])
        except ValueError as error:
            raise self.wrong(said[-1], "take `older` or `newer` of another page") from error

    def schema(self) -> Schema:
        """A text that was given before."""
        return {"type": "string", "format": "armorstack-cursor"}


class SpanText(Parameter[int | None]):
    """A length of time, in microseconds; a second at least."""

    def __init__(self, name: str, doc: str) -> None:
        super().__init__(name, doc, None)

    def read(self, said: Sequence[str]) -> int | None:
        """Microseconds."""
        if not said[-1]:
            return None
        span_us = parse_span(said[-1])
        if span_us is None or span_us < 1_000_000:
            raise self.wrong(said[-1], "a second or more, such as 30s, 5m, 1h or 1d")
        return span_us

    def schema(self) -> Schema:
        """Such as `5m`."""
        return {"type": "string", "format": "armorstack-span", "example": "5m"}


class NearText(Parameter[int | None]):
    """The time of an event, where it is known."""

    def read(self, said: Sequence[str]) -> int | None:
        """Microseconds since 1970, which may also be written as digits."""
        text = said[-1]
        if not text:
            return None
        if text.isascii() and text.isdigit() and len(text) <= 17:
            return int(text)
        found = parse_moment(text, 0)
        if found is None:
            raise self.wrong(text, "microseconds since 1970, or ISO 8601 with a zone")
        return found

    def schema(self) -> Schema:
        """Digits, or ISO 8601."""
        return {"type": "string", "format": "armorstack-near"}


class PlaceText(Parameter[str]):
    """Where a stream ended."""

    def read(self, said: Sequence[str]) -> str:
        """The place, as it was given in `id:`."""
        text = said[-1]
        if len(text) > MAX_PLACE or not text.isascii() or (text and not text.isprintable()):
            raise self.wrong(text[:40], "take the last `id:` of the stream")
        return text

    def schema(self) -> Schema:
        """A text that was given before."""
        return {"type": "string", "maxLength": MAX_PLACE, "pattern": "^[ -~]*$"}


MAX_PLACE = 500


def _field(parameter: Parameter[Any], text: str) -> str:
    name = canonical(text)
    if name is None:
        near = nearest(text)
        hint = f"did you mean {near}?" if near else f"known are: {', '.join(QUERY_FIELDS)}"
        raise ParameterError(
            f"{parameter.name}: there is no field {text!r}", parameter=parameter.name,
            known=tuple(QUERY_FIELDS), hint=hint,
        )  # fmt: skip
    return name
