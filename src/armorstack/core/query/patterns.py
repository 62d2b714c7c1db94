"""Tests on texts: equal to one of some, a glob over the whole, a piece of it.

Invariant: a test takes time in proportion to the value's length for each piece of the pattern,
never more: an event's text may be made to slow a search down. So what lies between two stars is
found at its first place and never looked for again, which is enough, since it has a fixed length.
"""

import re
from collections.abc import Callable, Sequence

from armorstack.core import globs
from armorstack.core.globs import SPECIAL, regex, segments

TextTest = Callable[[str], bool]

_RE2_CHARACTER = re.compile(r"\\x\{([0-9a-f]+)\}")


def text_test(texts: Sequence[str], *, exact: bool, ignore_case: bool) -> TextTest:
    """Whether a value is one of these texts or, unless `exact`, matches one as a glob.

    With `ignore_case` A to Z are alike in both cases, in the texts and in the value.
    """
    known = [lower(text) if ignore_case else text for text in texts]
    plain = frozenset(text for text in known if exact or not SPECIAL.search(text))
    tests = [glob_test(text) for text in known if text not in plain]

    def test(value: str) -> bool:
        return value in plain or any(matches(value) for matches in tests)

    return (lambda value: test(lower(value))) if ignore_case else test


def glob_test(glob: str) -> TextTest:
    """Whether the glob covers the whole value; raises GlobFault."""
    return _covers([_python(regex(piece)) for piece in segments(glob)])


def piece_test(text: str, *, exact: bool) -> TextTest:
    """Whether the text lies in the value, A to Z alike in both cases.

    Unless `exact`, a `*` in it is any text, a `?` one character.
    """
    sought = lower(text)
    if exact or not re.search(r"[*?]", sought):
        return lambda value: sought in lower(value)
    pieces = [".".join(re.escape(part) for part in piece.split("?")) for piece in sought.split("*")]
    covers = _covers(["", *pieces, ""])
    return lambda value: covers(lower(value))


def lower(text: str) -> str:
    """A to Z in lower case, nothing else changed."""
    return text.lower() if text.isascii() else globs.lower(text)


def _covers(pieces: Sequence[str]) -> TextTest:
    """Whether these expressions of fixed length, and any text between them, are the value."""
    first, *rest = pieces
    if not rest:
        match = re.compile(first, re.DOTALL).fullmatch
    else:
        *middle, last = rest
        found = "".join(f"(?>.*?{piece})" for piece in middle if piece)
        match = re.compile(f"{first}{found}.*{last}", re.DOTALL).fullmatch
    return lambda value: match(value) is not None


def _python(expression: str) -> str:
    """An expression of RE2 as Python reads it: characters of classes by their number."""
    return _RE2_CHARACTER.sub(lambda found: f"\\U{int(found[1], 16):08x}", expression)
