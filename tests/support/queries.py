"""Generators of query trees, and of events about which they have something to say.

Must not go here: what a query means; `core/query/evaluate.py` says that, and tests by themselves.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from msgspec import Struct

from armorstack.core.query.event_id import encode_id
from armorstack.core.query.names import FREE_TEXT, QUERY_FIELDS
from armorstack.core.query.tree import (
    EVERYTHING,
    And,
    Compare,
    Exists,
    Free,
    Match,
    Node,
    Not,
    Operator,
    Or,
)
from tests.support.rules import event_id, events
from tests.support.selects import SEVERITIES, VOCABULARY, Chance
from tests.support.selects import TEXTS as GLOB_TEXTS

Row = dict[str, Any]

HOSTILE = (
    "100%", "a_b", "%", "_", "a\\b", "\\", "\\%", "it's", 'a"b', "'; DROP TABLE events; --", "$1",
    "a\x00b", "\x00", " ", "  a ", "a\tb", "a\r\nb", "NULL", "null", "{}", "[a, b]", "a=b", "=",
    "e\u0301", "\u00e9", "\u202eabc", "\U0001f469\u200d\U0001f680", "ß", "SS", "K", "\u212a", "k",
    "\u017f", "s", "S", "I", "\u0130", "\u0131", "i", "AND", "or", "*", "?", "**", "a*b?c", "[!a]",
    "/etc/passwd", "registry:5000/x:1.2", "sha256:0a1b", "Deployment/checkout", "app=web,tier=a",
    "(?i)a", "^a$", "\\d", "\\x{61}", "a|b", "{1,9}", "x" * 300, "\uffff", "\U0010ffff",
)  # fmt: skip
TEXTS = (*HOSTILE, *GLOB_TEXTS)
KEYS = ("Syscall", "Fd", "a.b", "a b", "", "it's", 'q"q', "é")
NUMBERS = (0, 1, 7, -1, 2**31 - 1, -(2**31), 65_535)
LARGE = (*NUMBERS, 10**17, -(10**17), 2**53 + 1)
BASE_US = 1_795_446_000_000_000
TIMES = (BASE_US, BASE_US + 1, BASE_US - 1, 0, 1, BASE_US + 86_400_000_000)
OPERATORS: tuple[Operator, ...] = ("=", "<", "<=", ">", ">=")
ODD = (
    "label", "tag", "event_data", "action", "intended", "owner", "severity", "time", "id", "type",
)  # fmt: skip
"""Fields that are more than one column of texts."""
WORDY = {"stream", "type", "operation", "action", "intended", "result", "level"}


class Case(Struct, frozen=True):
    """A tree, and events to ask it about."""

    tree: Node
    rows: tuple[Row, ...]

    def batch(self) -> pa.RecordBatch:
        """The events as a store has them."""
        return events(self.rows)

    def plain(self) -> list[Row]:
        """The events as evaluation takes them: without what is absent."""
        return [{name: value for name, value in row.items() if value is not None}
                for row in self.rows]  # fmt: skip


def made_case(chance: Chance) -> Case:
    """A tree about a few fields, and some events that have them."""
    return made_cases(chance, 1, chance.between(1, 5))[0]


def made_cases(chance: Chance, trees: int, events: int, depth: int = 3) -> list[Case]:
    """Several trees about the same few fields, and the same events."""
    fields = chance.some(lambda: chance.one(chance.one((tuple(QUERY_FIELDS), ODD))), 1, 3)
    pool = chance.some(lambda: _text(chance, fields), 1, 3)
    rows = tuple(_row(chance, number, fields, pool) for number in range(events))
    return [Case(_tree(chance, fields, pool, depth), rows) for _ in range(trees)]


def _text(chance: Chance, fields: Sequence[str]) -> str:
    if WORDY.intersection(fields) and chance.below(2):
        return chance.one(VOCABULARY)
    if chance.below(5):
        return chance.one(TEXTS)
    return "".join(chance.some(lambda: chance.one("aAbB%_\\'\"\x00*?[]! ,=/éİ\n"), 0, 6))


# --- events ---


def _row(chance: Chance, number: int, fields: Sequence[str], pool: Sequence[str]) -> Row:
    row: Row = {"id": event_id(number), "time": chance.one(TIMES), "received": chance.one(TIMES)}
    row["stream"] = chance.one(("alert", "log", "message"))
    row["from_source"] = "test"
    for name in fields:
        for column in _columns(name):
            row[column] = _value(chance, name, column, pool)
    return row


def _columns(name: str) -> tuple[str, ...]:
    odd = {
        "id": (), "stream": (), "action": ("action",), "intended": ("action",),
        "owner": ("owner_ref", "owner_name"),
    }  # fmt: skip
    return odd.get(name, QUERY_FIELDS[name].columns)


def _value(chance: Chance, name: str, column: str, pool: Sequence[str]) -> Any:
    sort = QUERY_FIELDS[name].sort
    if column in ("time", "received"):
        return chance.one(TIMES)
    if chance.below(5) == 0:
        return None
    if column == "severity":
        return chance.one(SEVERITIES)
    if sort == "number":
        return chance.one(LARGE if column in ("timestamp", "fold_count") else NUMBERS)
    if sort == "texts":
        return chance.some(lambda: chance.one((*pool, "", None)), 0, 3)
    if sort == "map":
        return {key: chance.one((*pool, "")) for key in chance.some(lambda: chance.one(KEYS), 0, 3)}
    return _text_value(chance, name, pool)


def _text_value(chance: Chance, name: str, pool: Sequence[str]) -> str:
    text = chance.one((*pool, ""))
    if name == "label":
        return ",".join((text, *chance.some(lambda: chance.one(pool), 0, 2)))
    if name in ("action", "intended") and chance.below(2):
        return f"{text} ({chance.one(pool)})"
    return text if chance.below(3) else f"{chance.one(('a', 'Z', '%', ' '))}{text}b"


# --- trees ---


def _tree(chance: Chance, fields: Sequence[str], pool: Sequence[str], depth: int) -> Node:
    def below() -> Node:
        return _tree(chance, fields, pool, depth - 1)

    kind = chance.below(9) if depth else 9
    if kind == 0:
        return Not(below())
    if kind in (1, 2):
        return (And, Or)[kind - 1](tuple(chance.some(below, 2, 3)))
    if kind == 3 and not chance.below(8):
        return EVERYTHING
    return _leaf(chance, chance.one(fields), pool)


def _leaf(chance: Chance, name: str, pool: Sequence[str]) -> Node:
    sort = QUERY_FIELDS[name].sort
    key = chance.one((*KEYS, *KEYS, "")) if sort == "map" else ""
    if name in FREE_TEXT and chance.below(5) == 0:
        return _free(chance, chance.one(pool))
    if chance.below(7) == 0:
        return Exists(name, key)
    if sort in ("number", "time"):
        return Compare(name, chance.one(OPERATORS), _number(chance, name))
    if sort == "id":
        return Match("id", tuple(_id(chance) for _ in range(chance.between(1, 3))),
                     exact=bool(chance.below(2)))  # fmt: skip
    exact = bool(chance.below(2))
    texts = chance.some(lambda: chance.one(pool), 1, 3)
    if exact:
        return Match(name, tuple(_piece(chance, text) for text in texts), True, key)
    return Match(name, tuple(glob(chance, text) for text in texts), False, key)


def _number(chance: Chance, name: str) -> int:
    if QUERY_FIELDS[name].sort == "time":
        return chance.one((*TIMES, -1, 2**60))
    return chance.one((*LARGE, *range(12)))


def _id(chance: Chance) -> str:
    number = chance.between(0, 5)
    return "nothing" if number == 5 else encode_id(event_id(number))


def _free(chance: Chance, text: str) -> Node:
    piece = _piece(chance, text) or "a"
    if chance.below(2):
        return Free(piece.swapcase() if piece.isascii() else piece, exact=bool(chance.below(2)))
    return Free(glob(chance, piece, classes=False) or "a", exact=bool(chance.below(3) == 0))


def _piece(chance: Chance, text: str) -> str:
    start = chance.between(0, min(2, len(text)))
    return chance.one((text, text, text[start:], text[: len(text) - start], text.upper(), ""))


def glob(chance: Chance, text: str, *, classes: bool = True) -> str:
    """A glob that has much to do with the text; none that means nothing."""
    start = chance.between(0, min(len(text), 9))
    end = chance.between(max(start, len(text) - 4), len(text))
    head, middle, tail = text[:start], text[start:end], text[end:]
    first, rest = text[start : start + 1] or "a", text[start + 1 :]
    plain = (
        text, f"{head}*", f"*{tail}", f"*{middle}*", f"{head}*{tail}", "*", "?", "?*", "**",
        f"{head}?{rest}", f"*{first}?*", f"{head}*{first}*{tail}", f"{text}*", f"*{text}",
        f"*{middle}?", f"{text}?", f"{head}??{tail}",
    )  # fmt: skip
    if not classes or first in "-]![":
        return chance.one(plain)
    return chance.one((
        *plain, f"{head}[{first}]{rest}", f"{head}[!{first}]*", f"{head}[!{first}]{rest}", "[",
        f"{head}[a-cA-C]*", f"*[!a-c]{tail}", "[]]", f"[*]{tail}", f"{text}[", "[!]a]*",
        text.swapcase() if text.isascii() else text,
    ))  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A case of Hypothesis' choice."""
    return made_case(Chance(lambda below: draw(st.integers(0, below - 1))))
