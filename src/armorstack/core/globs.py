"""Globs over columns: compiled once, matched in native code over whole batches.

`*` is any text, also an empty one and across `/` and lines; `?` is one character; `[a-c]` one of
some, `[!a-c]` one of all others; a `]` in the first place is one of the characters. A `[` that
nothing closes stands for itself. Everything else is itself. A glob always covers the whole value.

Must not go here: which columns; `select.py` knows that.
"""

import re
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

SPECIAL = re.compile(r"[*?\[]")
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class GlobFault(ValueError):
    """A glob that means nothing, in one sentence, and what to write."""

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.hint = hint


class Plan(Struct, frozen=True):
    """Globs sorted by how they are matched, the cheap ways apart from the regular expression."""

    everything: bool
    texts: pa.Array
    prefixes: tuple[str, ...]
    suffixes: tuple[str, ...]
    parts: tuple[str, ...]
    regex: str
    """All others as one expression (RE2); empty: none."""

    def mask(self, values: pa.Array) -> pa.BooleanArray:
        """Which values (strings, no nulls) match at least one of the globs."""
        if self.everything:
            return pa.repeat(pa.scalar(True), len(values))
        masks = [pc.starts_with(values, text) for text in self.prefixes]
        masks += [pc.ends_with(values, text) for text in self.suffixes]
        masks += [pc.match_substring(values, text) for text in self.parts]
        if len(self.texts):
            masks.append(pc.is_in(values, value_set=self.texts))
        if self.regex:
            masks.append(pc.match_substring_regex(values, self.regex))
        return any_of(masks)


def plan(globs: Iterable[str], *, ignore_case: bool = False) -> Plan:
    """Compile the globs, at least one. Raises GlobFault.

    With `ignore_case` globs are read as if written in lower case (ASCII only, as `lower` makes it),
    and the values must come so.
    """
    whole = [lower(glob) if ignore_case else glob for glob in globs]
    texts, prefixes, suffixes, parts, others = [], [], [], [], []
    for glob in whole:
        inner = glob.strip("*")
        if not SPECIAL.search(glob):
            texts.append(glob)
        elif SPECIAL.search(inner) or not inner:
            others.append(glob)
        elif glob.startswith("*") and glob.endswith("*"):
            parts.append(inner)
        elif glob.endswith("*"):
            prefixes.append(inner)
        else:
            suffixes.append(inner)
    everything = any(not glob.strip("*") for glob in others)
    return Plan(
        everything, pa.array(texts, pa.string()), tuple(prefixes), tuple(suffixes), tuple(parts),
        _expression(others) if others else "",
    )  # fmt: skip


def _expression(globs: Sequence[str]) -> str:
    """One for all of them; raises GlobFault where RE2 takes no expression of that size."""
    expression = rf"(?s)\A(?:{'|'.join(map(regex, globs))})\z"
    try:
        pc.match_substring_regex(pa.array([""]), expression)
    except pa.ArrowInvalid as error:
        raise GlobFault("these globs are too many, or too long", "use fewer, or *") from error
    return expression


def lower(text: str) -> str:
    """A to Z in lower case, nothing else changed: what Arrow's `ascii_lower` does."""
    return text.translate(_ASCII_LOWER)


def any_of(masks: Sequence[pa.BooleanArray]) -> pa.BooleanArray:
    """True where at least one of the masks is; there must be one."""
    result = masks[0]
    for mask in masks[1:]:
        result = pc.or_(result, mask)
    return result


def segments(glob: str) -> list[str]:
    """The globs between its stars: what each matches has as many characters as it names."""
    found, start, at = [], 0, 0
    while at < len(glob):
        if glob[at] == "*":
            found.append(glob[start:at])
            start = at + 1
        at = (glob[at] == "[" and _class_end(glob, at)) or at
        at += 1
    return [*found, glob[start:]]


def regex(glob: str) -> str:
    """The glob as an RE2 expression without anchors; raises GlobFault."""
    result, at = "", 0
    while at < len(glob):
        char = glob[at]
        end = _class_end(glob, at) if char == "[" else 0
        if end:
            result += _class(glob[at + 1 : end], glob)
            at = end + 1
            continue
        result += {"*": ".*", "?": "."}.get(char) or re.escape(char)
        at += 1
    return result


def _class_end(glob: str, at: int) -> int:
    """Where the class that begins at `at` is closed; 0: nowhere."""
    first = at + 2 if glob.startswith("!", at + 1) else at + 1
    # A bracket in the first place is one of the characters.
    return max(0, glob.find("]", first + 1))


def _class(inner: str, glob: str) -> str:
    negated = inner.startswith("!")
    chars = inner[negated:]
    result, at = "", 0
    while at < len(chars):
        low = high = chars[at]
        at += 1
        if at + 1 < len(chars) and chars[at] == "-":
            high = chars[at + 1]
            at += 2
        if low > high:
            hint = "write [a-z] from low to high; a bracket itself is [[]"
            raise GlobFault(f"{glob!r}: the range {low}-{high} is upside down", hint)
        result += rf"\x{{{ord(low):x}}}-\x{{{ord(high):x}}}"
    return f"[{'^' if negated else ''}{result}]"
