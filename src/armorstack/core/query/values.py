"""What a value means to a field: one test of the tree, by the field's sort.

Invariant: what is wrong with a value is told at its place, with what to write instead. Numbers and
times that come out fit into 64 bits. Must not go here: how tests are joined.
"""

import re
from datetime import tzinfo

from msgspec import Struct

from armorstack.core.globs import SPECIAL, GlobFault, plan
from armorstack.core.query.event_id import decode_id, encode_id
from armorstack.core.query.lexer import Place, Value, fault, shown
from armorstack.core.query.names import QueryField
from armorstack.core.query.times import time_test
from armorstack.core.query.tree import (
    EVERYTHING,
    Compare,
    Exists,
    Free,
    Match,
    Node,
    Operator,
    all_of,
)
from armorstack.errors import QueryError

ORDERED: dict[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_SIGN = re.compile(r"<=|>=|[<>=!]")
_LIST = re.compile(r"\[[^]\\]*,[^]]*\]")
_DASHED = re.compile(r"([0-9]+)-([0-9]+)")


class Clock(Struct, frozen=True):
    """What `now` is, and in which zone a time without one is meant."""

    now_us: int
    zone: tzinfo


class Target(Struct, frozen=True):
    """A field that is asked, and how."""

    field: QueryField
    operator: str
    """`:`, or one of `<`, `<=`, `>`, `>=`."""
    place: Place
    """Of the name with its operator."""
    written: str
    key: str = ""


def field_test(target: Target, value: Value, clock: Clock) -> Node:
    """The test that the value means; raises QueryError."""
    if target.operator == ":" and value.is_anything:
        return Exists(target.field.name, target.key)
    if target.operator == ":":
        _check_start(target, value)
    if target.field.sort == "number":
        return _number_test(target, value)
    if target.field.sort == "time":
        return time_test(target.field.name, target.operator, value, clock.now_us, clock.zone)
    if target.operator in ORDERED:
        raise _not_ordered(target, value)
    return _id_test(value) if target.field.sort == "id" else _text_test(target, value)


def free_test(value: Value) -> Node:
    """The test that a text without a field means; raises QueryError."""
    if value.is_anything:
        return EVERYTHING
    if not value.text:
        raise fault("an empty text is in every event", value.place, "leave it out")
    wild = any(char in value.glob for char in "*?")
    guarded = value.guarded and any(f"[{char}]" in value.glob for char in "*?")
    if wild and guarded:
        hint = "put in quotes what is to be found as it stands"
        raise fault("free text has either wildcards or none", value.place, hint)
    return Free(value.text, exact=not wild and any(char in value.text for char in "*?"))


def _check_start(target: Target, value: Value) -> None:
    """Tell those who write the sign behind the colon where it belongs."""
    sign = _SIGN.match(value.written)
    if sign is None:
        return
    rest = value.written[len(sign[0]) :]
    if sign[0] == "!":
        hint = f"write not {target.written}:{rest} or {target.written}!={rest}"
        raise fault("a ! in front of a value", value.place, hint)
    if target.field.sort in ("number", "time"):
        hint = f"write {target.written}{sign[0]}{rest}"
        raise fault(f"`:` and `{sign[0]}` do not go together", value.place, hint)


def _not_ordered(target: Target, value: Value) -> QueryError:
    told = f"{target.written} is a text, and `{target.operator}` compares numbers and times"
    return fault(told, target.place, f"write {target.written}:{value.text} or a glob")


# --- texts ---


def _text_test(target: Target, value: Value) -> Node:
    if not value.glob:
        exact = not value.text or bool(SPECIAL.search(value.text))
        return Match(target.field.name, (value.text,), exact, target.key)
    _check_list(target, value)
    try:
        plan([value.glob], ignore_case=target.field.sort == "word")
    except GlobFault as error:
        raise fault(str(error), value.place, error.hint) from error
    return Match(target.field.name, (value.glob,), False, target.key)


def _check_list(target: Target, value: Value) -> None:
    """Brackets choose a character; who writes a list in them is told."""
    opens = value.written.startswith("[") and "]" not in value.written
    if opens or _LIST.fullmatch(value.written):
        hint = f"write {target.written}:(a, b); a [ itself is \\["
        raise fault("a list stands in parentheses", value.place, hint)


def _id_test(value: Value) -> Node:
    id_ = None if value.glob else decode_id(value.text)
    if id_ is None:
        hint = "write all of it, 43 characters, or 44 with the = at its end"
        raise fault(f"{shown(value.text)} is no id of an event", value.place, hint)
    return Match("id", (encode_id(id_),))


# --- numbers ---


def _number_test(target: Target, value: Value) -> Node:
    name, text = target.field.name, value.text
    low, dots, high = text.partition("..")
    if not dots:
        operator: Operator = ORDERED.get(target.operator, "=")
        return Compare(name, operator, _number(target, value, text))
    if target.operator in ORDERED:
        raise fault("a range after a comparison", value.place, f"write {target.written}:{text}")
    if not low and not high:
        raise fault("a range without an end", value.place, f"write {target.written}:7..10")
    least = _number(target, value, low) if low else None
    most = _number(target, value, high) if high else None
    if least is not None and most is not None and least > most:
        raise fault("the range is upside down", value.place, f"write {high}..{low}")
    bounds: list[Node] = [] if least is None else [Compare(name, ">=", least)]
    return all_of(bounds if most is None else [*bounds, Compare(name, "<=", most)])


def _number(target: Target, value: Value, text: str) -> int:
    if _NUMBER.fullmatch(text):
        return int(text)
    written = target.written
    if re.fullmatch(r"[+-]?[0-9]+", text):
        raise fault(f"{shown(text)} is too large", value.place, "18 digits are read at most")
    raise fault(
        f"{written} is a whole number, and {shown(text)} is none", value.place,
        _number_hint(written, text),
    )  # fmt: skip


def _number_hint(written: str, text: str) -> str:
    if dashed := _DASHED.fullmatch(text):
        return f"write {written}:{dashed[1]}..{dashed[2]}"
    return f"write {written}>=7, {written}:7..10 or {written}:(7, 9)"
