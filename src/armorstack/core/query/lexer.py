"""The characters of a query, taken apart into words, quoted texts, names and operators.

Invariant: a place is a column of the query as it was typed, counted in characters from 0; every
fault found here lies within it. Must not go here: what a field is, and what a word is worth.
"""

import re
from typing import Literal

from msgspec import Struct

from armorstack.core.text import printable
from armorstack.errors import QueryError

Joint = Literal["and", "or", "not"]

_SPACE = re.compile(r"\s*")
_JOINT = re.compile(
    r"(?P<word>(?i:and|or|not))(?=[\s()\"']|\Z)|(?P<both>&&)|(?P<either>\|\|)|(?P<not>!(?!=))"
)
_MINUS = re.compile(r"-(?![\s)-]|\Z)")
_NAME = re.compile(r'[A-Za-z_][\w-]*(?:\.(?:[\w-]+|"(?:[^"\\]|\\.)*"))*', re.ASCII | re.DOTALL)
_OPERATOR = re.compile(r"\s*(==|!=|<=|>=|=<|=>|=~|!~|[:=<>])")
_PUNCTUATION = re.compile(r"[^\w]", re.ASCII)
_CURLY = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a"
"""Quotes as word processors set them."""
_WILD = "*?["


class Place(Struct, frozen=True):
    """Where something stands in the query."""

    column: int
    length: int


class Value(Struct, frozen=True):
    """A word or a quoted text."""

    place: Place
    written: str
    """As it was typed."""
    text: str
    """The characters that are meant, without quotes and backslashes."""
    glob: str
    """The same as a glob; empty where no character of it is special."""
    guarded: bool = False
    """Whether a `*`, `?` or `[` has a backslash before it."""

    @property
    def is_anything(self) -> bool:
        """Whether it is nothing but stars."""
        return bool(self.glob) and not self.glob.strip("*")


class Name(Struct, frozen=True):
    """A field, and how it is asked."""

    place: Place
    text: str
    operator: str
    operator_place: Place

    @property
    def whole(self) -> Place:
        """Of name and operator together."""
        end = self.operator_place.column + self.operator_place.length
        return Place(self.place.column, end - self.place.column)


def fault(message: str, place: Place, hint: str = "") -> QueryError:
    """The error that points there."""
    return QueryError(message, column=place.column, length=place.length, hint=hint)


def shown(text: str) -> str:
    """A piece of the query as messages show it: short, quoted, harmless."""
    return f"`{printable(text, 40)}`"


class Lexer:
    """A query, read from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def space(self) -> int:
        """Go over white space; the column of what follows."""
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
        return self.at

    @property
    def next(self) -> str:
        """The next character after white space; empty at the end."""
        return self.text[self.space() : self.at + 1]

    def at_place(self, place: Place) -> str:
        """What stands there."""
        return self.text[place.column : place.column + place.length]

    def takes(self, char: str) -> bool:
        """Go over this character, if it is the next."""
        found = self.next == char
        self.at += found
        return found

    def joint(self, *, listed: bool) -> tuple[Joint, Place] | None:
        """The `and`, `or` or `not` that comes next, however it is written; nothing is taken.

        `listed`: within the values of a field, where a comma is `or` and `-` is a character.
        """
        start = self.space()
        if listed and self.next == ",":
            return "or", Place(start, 1)
        if not listed and _MINUS.match(self.text, start):
            return "not", Place(start, 1)
        found = _JOINT.match(self.text, start)
        if not found:
            return None
        word: dict[str, Joint] = {"both": "and", "either": "or", "not": "not"}
        kind = word.get(found.lastgroup or "") or _joint(found[0])
        return kind, Place(start, len(found[0]))

    def go(self, place: Place) -> None:
        """Go on behind this place."""
        self.at = place.column + place.length

    def name(self) -> Name | None:
        """A field's name with the operator behind it; None, and nothing taken: there is none."""
        start = self.space()
        name = _NAME.match(self.text, start)
        operator = _OPERATOR.match(self.text, name.end()) if name else None
        if name is None or operator is None:
            return None
        self.at = operator.end()
        sign = Place(operator.start(1), len(operator[1]))
        return Name(Place(start, len(name[0])), _unquoted(name[0]), operator[1], sign)

    def value(self, *, listed: bool, nests: bool) -> Value:
        """The next word or quoted text; there must be one.

        `nests`: parentheses that open within the word belong to it.
        """
        first = self.next
        if first in ("'", '"'):
            return self._quoted(first)
        if first in _CURLY:
            hint = "texts stand between \" or '"
            raise fault(f"{first} is no quote here", Place(self.at, 1), hint)
        return self._word(listed, nests)

    def _quoted(self, quote: str) -> Value:
        start, kept = self.at, []
        self.at += 1
        while (char := self.text[self.at : self.at + 1]) != quote:
            if not char:
                told = "the quote is never closed"
                raise fault(told, Place(start, 1), f"end the text with {quote}")
            follows = self.text[self.at + 1 : self.at + 2]
            escapes = char == "\\" and follows in ("\\", '"', "'") and follows != ""
            kept.append(follows if escapes else char)
            self.at += 2 if escapes else 1
        self.at += 1
        if not self._ends(self.text[self.at : self.at + 1], listed=True):
            hint = "put all of it between the quotes, or a space behind them"
            raise fault("something is stuck to the quoted text", Place(self.at, 1), hint)
        return self._value(start, "".join(kept), "")

    def _word(self, listed: bool, nests: bool) -> Value:
        start, depth = self.at, 0
        word = _Word()
        while self.at < len(self.text):
            char = self.text[self.at]
            if self._escapes():
                word.guard(self.text[self.at + 1])
                self.at += 2
                continue
            if char == '"':
                raise fault("a quote in the middle of a word", Place(self.at, 1), _WHOLE)
            if not (depth and char == ")") and self._ends(char, listed, nests):
                break
            depth += (char == "(") - (char == ")")
            word.add(char)
            self.at += 1
        return self._value(start, word.text, word.glob, word.guards)

    def _value(self, start: int, text: str, glob: str, guarded: bool = False) -> Value:
        place = Place(start, max(1, self.at - start))
        return Value(place, self.at_place(place), text, glob, guarded)

    def _escapes(self) -> bool:
        follows = self.text[self.at + 1 : self.at + 2]
        return self.text[self.at] == "\\" and bool(_PUNCTUATION.match(follows))

    def _ends(self, char: str, listed: bool, nests: bool = False) -> bool:
        """Whether a word is over before this character."""
        if char == "(":
            return not nests
        pair = self.text[self.at : self.at + 2] in ("&&", "||")
        return not char or char.isspace() or char == ")" or (listed and char == ",") or pair


_WHOLE = 'put the whole text in quotes, with \\" for a quote in it, or a \\ before this one'


class _Word:
    """A word while it is being read."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._glob: list[str] = []
        self._is_wild = self.guards = False

    @property
    def text(self) -> str:
        """See `Value`."""
        return "".join(self._text)

    @property
    def glob(self) -> str:
        """See `Value`."""
        return "".join(self._glob) if self._is_wild else ""

    def add(self, char: str) -> None:
        """A character as it is."""
        self._text.append(char)
        self._glob.append(char)
        self._is_wild |= char in _WILD

    def guard(self, char: str) -> None:
        """A character that has a backslash before it."""
        self._text.append(char)
        self._glob.append(f"[{char}]" if char in _WILD else char)
        self.guards |= char in _WILD


def _joint(word: str) -> Joint:
    lower = word.lower()
    return "and" if lower == "and" else "or" if lower == "or" else "not"


def _unquoted(name: str) -> str:
    """A name whose parts may be quoted, as it is meant."""

    def plain(found: re.Match[str]) -> str:
        return re.sub(r"\\([\\\"'])", r"\1", found[1])

    return re.sub(r'(?<=\.)"((?:[^"\\]|\\.)*)"', plain, name, flags=re.DOTALL)
