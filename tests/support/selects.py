"""A select evaluated plainly, event by event, and generators of selects and of events for them.

It follows the words of `config/select.py` alone. Must not go here: anything of `core/select.py` or
`core/globs.py`, against which it is held.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any, TypeVar

import pyarrow as pa
from hypothesis import strategies as st
from msgspec import Struct

from armorstack.config import Globs, Select, SeverityRange
from armorstack.core.batch import SCHEMA
from tests.support.rules import events

T = TypeVar("T")
Event = Mapping[str, Any]

PLAIN = {
    "clusters": "cluster_name", "nodes": "host_name", "namespaces": "namespace_name",
    "pods": "pod_name", "containers": "container_name", "images": "container_image",
    "policies": "policy_name", "processes": "process_name", "parents": "parent_process_name",
    "sources": "source", "resources": "resource",
}  # fmt: skip
WORDS = {"types": "type", "operations": "operation", "results": "result"}
CASELESS = {*WORDS, "actions", "intended_actions"}
KEYS = tuple(Select.__struct_fields__)
LONG = "/usr/bin/" + "aB" * 4495 + "z"
"""A text of 9,000 characters."""


# --- the plain evaluation ---


def means_nothing(select: Select) -> bool:
    """Whether one of its globs has a range that is upside down."""
    for key in KEYS:
        wanted = getattr(select, key)
        globs = (*wanted.include, *wanted.exclude) if isinstance(wanted, Globs) else wanted
        try:
            for glob in globs if key != "severity" else ():
                _expression(_ascii_lower(glob) if key in CASELESS else glob)
        except ValueError:
            return True
    return False


def is_selected(select: Select, event: Event) -> bool:
    """Whether every key that is given holds for the event."""
    return all(holds(key, getattr(select, key), event) for key in KEYS)


def holds(key: str, wanted: Any, event: Event) -> bool:
    """Whether one key of a select holds for the event."""
    if key == "severity":
        return wanted is None or _severity_holds(wanted, event["severity"])
    globs = wanted if isinstance(wanted, Globs) else Globs(include=wanted)
    fold = _ascii_lower if key in CASELESS else str
    values = [fold(value) for value in _values(key, event)]

    def any_hit(patterns: Sequence[str]) -> bool:
        return any(glob_matches(fold(glob), value) for glob in patterns for value in values)

    return (not globs.include or any_hit(globs.include)) and not any_hit(globs.exclude)


def _values(key: str, event: Event) -> list[str]:
    if key == "owners":
        kind, name = event["owner_ref"], event["owner_name"] or ""
        return [name, f"{kind}/{name}"] if kind and name else [name]
    if key == "labels":
        return (event["labels"] or "").split(",")
    if key == "tags":
        return event["atags"] or [""]
    if key in ("actions", "intended_actions"):
        written = event["action"] or ""
        # The first bracket behind a space begins what was intended.
        apart = re.fullmatch(r"((?:(?! \().)+) \((.+)\)", written, re.DOTALL)
        done, intended = apart.groups() if apart else (written, "")
        return [done, written] if key == "actions" else [intended]
    return [event[(PLAIN | WORDS)[key]] or ""]


def _severity_holds(wanted: SeverityRange, written: str | None) -> bool:
    is_number = bool(written) and all(char in "0123456789" for char in str(written))
    return is_number and wanted.min <= int(str(written)) <= wanted.max


def _ascii_lower(text: str) -> str:
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def glob_matches(glob: str, value: str) -> bool:
    """Whether the glob covers the whole value; raises ValueError where it means nothing."""
    return re.fullmatch(_expression(glob), value, re.DOTALL) is not None


_PIECE = re.compile(r"(?P<stars>\*+)|\[(?P<not>!?+)(?P<inner>.[^\]]*)\]|\?|\[|[^*?\[]+", re.DOTALL)


@cache
def _expression(glob: str) -> str:
    return "".join(_pieces(glob))


def _pieces(glob: str) -> Iterator[str]:
    at = 0
    while at < len(glob):
        found = _PIECE.match(glob, at)
        assert found
        if found["stars"]:
            yield ".*"
        elif found["inner"]:
            yield _one_of(found["inner"], negated=bool(found["not"]))
        else:
            yield "." if found[0] == "?" else re.escape(found[0])
        at = found.end()


def _one_of(inner: str, *, negated: bool) -> str:
    """A choice of characters and ranges, each written out."""
    spans = [
        (found[1], found[2]) if found[1] else (found[3], found[3])
        for found in re.finditer(r"(.)-(.)|(.)", inner, re.DOTALL)
    ]
    if any(low > high for low, high in spans):
        raise ValueError("upside down")
    choice = "|".join(f"[{re.escape(low)}-{re.escape(high)}]" for low, high in spans)
    return f"(?:(?!{choice}).)" if negated else f"(?:{choice})"


# --- generators ---

TEXTS = (
    "nginx", "Nginx", "nGINX-7f", "kube-system", "KUBE-SYSTEM", "/usr/bin/cat", "/usr/bin/Cat /etc",
    "a", "A", "ab", "b*c", "a?c", "[x]", "a[b", "x]y", "a.c", "a\nb", "\n", "a,b", "k=v", "é", "É",
    "İstanbul", "istanbul", "straße", "STRASSE", "\u212aelvin", "kelvin", "\u017f", "😀a", "a😀",
    "\\d+", "(a|b)", "^a$", "a-c", "!a", "日本", LONG, LONG.lower(), LONG[:-1],
)  # fmt: skip
VOCABULARY = (
    "Block", "block", "Audit", "AUDIT", "Allow", "Audit (Block)", "audit (block)", "Audit (Allow)",
    "Audit ()", " (x)", "Audit (Block", "Audit (a) (b)", "Process", "process", "FILE", "HostLog",
    "MatchedPolicy", "Passed", "Permission denied", "\u212aernel", "İ", "(Block)", "a (b)c",
)  # fmt: skip
SEVERITIES = (
    *map(str, range(13)), "07", "x", "", "999999999", "5.0", " 5", "+5", "5\n", "12345678901",
    "\u0663", "-5",
)  # fmt: skip
CHARACTERS = "aAbBzZ/.-,= *?[]!\n😀é"


class Chance:
    """Choices, by Hypothesis or by a plain random number."""

    def __init__(self, below: Callable[[int], int]) -> None:
        """`below(n)` gives a number from 0 to n - 1."""
        self.below = below

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def one(self, among: Sequence[T]) -> T:
        return among[self.below(len(among))]

    def some(self, make: Callable[[], T], low: int, high: int) -> list[T]:
        return [make() for _ in range(self.between(low, high))]

    def text(self) -> str:
        if self.below(4):
            return self.one(TEXTS)
        return "".join(self.some(lambda: self.one(CHARACTERS), 0, 6))

    def word(self) -> str:
        return self.one(VOCABULARY) if self.below(4) else self.text()


def _columns(key: str) -> tuple[str, ...]:
    odd = {
        "owners": ("owner_ref", "owner_name"), "labels": ("labels",), "tags": ("atags",),
        "actions": ("action",), "intended_actions": ("action",), "severity": ("severity",),
    }  # fmt: skip
    return odd.get(key) or ((PLAIN | WORDS)[key],)


def _value(chance: Chance, key: str, pool: Sequence[str]) -> Any:
    """One value of a column that the key speaks of, or none."""
    if key == "severity":
        return chance.one((None, *SEVERITIES))
    found = chance.some(lambda: chance.one(pool), 0, 3)
    if key == "tags":
        return found or chance.one((None, []))
    if key == "labels":
        return ",".join(found) if found else None
    if key in ("actions", "intended_actions") and len(found) > 1:
        return f"{found[0]} ({found[1]})"
    return found[0] if found else None


def _glob(chance: Chance, text: str) -> str:
    """A glob that has much to do with the text."""
    start = chance.between(0, min(len(text), 9))
    end = chance.between(max(start, len(text) - 4), len(text))
    head, middle, tail = text[:start], text[start:end], text[end:]
    first, rest = text[start : start + 1] or "a", text[start + 1 :]
    return chance.one((
        text, f"{head}*", f"*{tail}", f"*{middle}*", f"{head}*{tail}", text.swapcase(), "*", "",
        f"{head}?{rest}", f"{head}[{first}]{rest}", f"{head}[!{first}]*", f"{head}[!{first}]{rest}",
        f"{head}[a-cA-Z]*", f"{head}[!a-c]{rest}", f"{head}?{tail}", f"*{first}?*", f"?*{tail}",
        "?", "**", f"**{tail}", f"{head}**", f"{head}*{tail}?", "[", "[]]", "[!a]*", f"{text}[",
        f"{head}[{middle[:3]}", f"[*]{tail}", f"*[?]{tail}", f"[{first}-]*", f"{head}[!]]*",
        "[b-a]*" if start == 9 else "[a-b]*", f"{text[:1]}*{text[-1:]}", f"*{text}", f"{text}*",
    ))  # fmt: skip


def _globs(chance: Chance, pool: Sequence[str]) -> tuple[str, ...] | Globs:
    def some() -> tuple[str, ...]:
        return tuple(chance.some(lambda: _glob(chance, chance.one(pool)), 1, 3))

    way = chance.one(("list", "include", "exclude", "both"))
    if way == "list":
        return some()
    include = some() if way != "exclude" else ()
    return Globs(include=include, exclude=some() if way != "include" else ())


def _severity_range(chance: Chance) -> SeverityRange:
    ends = chance.between(1, 10), chance.between(1, 10)
    return SeverityRange(min=min(ends), max=max(ends))


class Case(Struct, frozen=True):
    """One select, and events to ask it about."""

    select: Select
    rows: pa.RecordBatch
    how: str
    """How the batch lies in memory."""


HOWS = ("whole", "sliced", "filtered", "joined", "values behind nulls")


def made_case(chance: Chance) -> Case:
    """A select with one to three keys, and a batch of events whose values its globs come from."""
    made: dict[str, Any] = {}
    rows: list[dict[str, Any]] = [{} for _ in range(chance.between(0, 5))]
    for key in dict.fromkeys(chance.some(lambda: chance.one(KEYS), 1, 3)):
        pool = chance.some(chance.word if key in CASELESS else chance.text, 1, 3)
        sought = [*pool, *("/".join(pair) for pair in product(pool, pool) if key == "owners")]
        made[key] = _severity_range(chance) if key == "severity" else _globs(chance, sought)
        for column in _columns(key):
            for row in rows:
                row[column] = _value(chance, key, pool)
    how = chance.one(HOWS)
    return Case(Select(**made), _laid(events(rows), how), how)


_index = cache(lambda below: st.integers(0, below - 1))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A case of Hypothesis' choice."""
    return made_case(Chance(lambda below: draw(_index(below))))


def _laid(rows: pa.RecordBatch, how: str) -> pa.RecordBatch:
    """The same rows, or some of them, as they may lie in memory."""
    if how == "sliced":
        return rows.slice(len(rows) // 3, len(rows) - len(rows) // 3)
    if how == "filtered":
        return rows.filter(pa.array([place % 3 != 1 for place in range(len(rows))], pa.bool_()))
    if how == "joined":
        return pa.concat_batches([rows.slice(1), rows])
    if how == "values behind nulls":
        place = SCHEMA.get_field_index("atags")
        return rows.set_column(place, SCHEMA.field("atags"), _hidden(rows.column("atags")))
    return rows


def _hidden(lists: pa.ListArray) -> pa.ListArray:
    """The same lists, each null one with a value behind it that nobody may see."""
    plain = [["a"] if each is None else each for each in lists.to_pylist()]
    full = pa.array(plain, pa.list_(pa.string()))
    return pa.ListArray.from_arrays(full.offsets, full.values, mask=lists.is_null())
