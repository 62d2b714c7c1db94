"""Globs as regular expressions of Lucene, which know neither anchors nor the classes of RE2.

A fold says which characters of a stored value are read as others: letters in upper case as those
in lower case. Invariant: an expression covers a
stored value just where the glob covers the folded one. Must not go here: what is asked.
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

from armorstack.core.globs import regex

Fold: TypeAlias = Mapping[str, str]
"""Character of a stored value → the one that it is read as."""

AS_IT_IS: Fold = {}
LOWER: Fold = {chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)}

_RE2 = re.compile(
    r"\[(?P<negated>\^?)(?P<ranges>(?:\\x\{[0-9a-f]+\}-\\x\{[0-9a-f]+\})+)\]"
    r"|(?P<star>\.\*)|(?P<any>\.)|\\(?P<escaped>.)|(?P<char>.)",
    re.DOTALL,
)
_RANGE = re.compile(r"\\x\{([0-9a-f]+)\}-\\x\{([0-9a-f]+)\}")


def of_glob(glob: str, fold: Fold) -> str:
    """The glob, which is read as folded already, as an expression. Raises GlobFault."""
    found = ""
    for piece in _RE2.finditer(regex(glob)):
        if piece["ranges"]:
            found += _class(piece["ranges"], bool(piece["negated"]), fold)
        elif piece["star"] or piece["any"]:
            found += piece[0]
        else:
            found += _character(piece["escaped"] or piece["char"], fold)
    return found


def of_text(text: str) -> str:
    """An expression that covers this text alone."""
    return "".join(map(_literal, text))


def _literal(char: str) -> str:
    is_plain = char.isalnum() or ord(char) > 127 or char in " \n\t\r"
    return char if is_plain else f"\\{char}"


def _character(char: str, fold: Fold) -> str:
    """All stored characters that are read as this one."""
    read_so = [stored for stored, read in fold.items() if read == char]
    if char not in fold:
        read_so.insert(0, char)
    if len(read_so) == 1:
        return _literal(read_so[0])
    return f"[{''.join(map(_literal, read_so))}]"


def _class(ranges: str, negated: bool, fold: Fold) -> str:
    """All stored characters that are read as one in these ranges (or as none of them)."""
    spans = [(int(low, 16), int(high, 16)) for low, high in _RANGE.findall(ranges)]
    kept = [each for span in spans for each in _without(span, sorted(map(ord, fold)))]
    kept += [
        (ord(stored), ord(stored))
        for stored, read in fold.items()
        if any(low <= ord(read) <= high for low, high in spans)
    ]
    if not kept:
        # Nothing is read so: any character for a negation, none at all otherwise.
        return "." if negated else "[^\\\x00-\U0010ffff]"
    inner = "".join(f"{_literal(chr(low))}-{_literal(chr(high))}" for low, high in kept)
    return f"[{'^' if negated else ''}{inner}]"


def _without(span: tuple[int, int], cuts: list[int]) -> list[tuple[int, int]]:
    """The span in pieces between the cuts, which lie in none."""
    found, (low, high) = [], span
    for cut in cuts:
        if low <= cut <= high:
            if low < cut:
                found.append((low, cut - 1))
            low = cut + 1
    return [*found, (low, high)] if low <= high else found
