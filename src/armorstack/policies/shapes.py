"""Shapes of JSON objects, as data, and where an object differs from its shape.

They are as much of an OpenAPI schema as resource definitions of policies need. What is looked at is
led by the shape alone, so a YAML document that holds itself, or is very deep, is no harm. Must not
go here: any particular shape.
"""

import re
from typing import Any, TypeAlias

from msgspec import Struct

from armorstack.core.text import printable

_SHOWN = 60

Fault: TypeAlias = tuple[str, str]
"""Where, such as `spec.process.matchPaths[0].path`, and a sentence without its subject."""


class Text(Struct, frozen=True):
    """A text that the expression is found in, or one of these."""

    pattern: re.Pattern[str] | None = None
    choices: frozenset[str] = frozenset()
    meaning: str = ""
    """What it must be, for people."""


class Number(Struct, frozen=True):
    """A whole number from `least` to `most`."""

    least: int
    most: int


class Flag(Struct, frozen=True):
    """true or false."""


class Texts(Struct, frozen=True):
    """Texts by free names, such as labels."""


class Anything(Struct, frozen=True):
    """What is not looked into."""


class Many(Struct, frozen=True):
    """A list."""

    each: "Shape"


class Members(Struct, frozen=True):
    """An object with these members and no others."""

    known: "dict[str, Shape]"
    required: tuple[str, ...] = ()


Shape: TypeAlias = Text | Number | Flag | Texts | Anything | Many | Members


def differences(at: str, value: object, shape: Shape) -> list[Fault]:
    """What is wrong at this place and below."""
    if isinstance(shape, Members):
        return _of_members(at, value, shape)
    if isinstance(shape, Many):
        if not isinstance(value, list):
            return [(at, "is no list")]
        return [
            fault
            for place, each in enumerate(value)
            for fault in differences(f"{at}[{place}]", each, shape.each)
        ]
    sentence = _difference(value, shape)
    return [(at, sentence)] if sentence else []


def _of_members(at: str, value: object, shape: Members) -> list[Fault]:
    if not isinstance(value, dict):
        return [(at, "is no object")]
    found = [(f"{at}.{name}", "is missing") for name in shape.required if name not in value]
    for name, member in value.items():
        place = f"{at}.{_quoted(name)}"
        if not isinstance(name, str) or name not in shape.known:
            found.append((place, "is no field of it"))
        elif member is not None or name in shape.required:
            # An API server lets go of other nulls before it looks.
            found += differences(place, member, shape.known[name])
    return found


def _difference(value: object, shape: Shape) -> str:
    """One sentence about a single value; empty: it is right."""
    if isinstance(shape, Text):
        return _no_text(value, shape)
    if isinstance(shape, Number):
        # To Python true is a number.
        right = isinstance(value, int) and not isinstance(value, bool)
        right = right and shape.least <= int(value) <= shape.most  # type: ignore[call-overload]
        return "" if right else f"is no whole number from {shape.least} to {shape.most}"
    if isinstance(shape, Flag):
        return "" if isinstance(value, bool) else "is neither true nor false"
    return "" if isinstance(shape, Anything) or _are_texts(value) else "is not texts by name"


def _no_text(value: object, shape: Text) -> str:
    if not isinstance(value, str):
        return "is no text"
    wrong = shape.choices and value not in shape.choices
    if wrong or (shape.pattern and not shape.pattern.search(value)):
        return f"is not {shape.meaning}: {_quoted(value)}"
    return ""


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(text, str) for pair in value.items() for text in pair
    )


def _quoted(value: Any) -> str:
    return printable(value if isinstance(value, str) else type(value).__name__, _SHOWN)
