"""A fault shown under the query that has it, for a terminal.

Invariant: two lines, whatever the query holds; the marks stand under what is meant, also behind
wide characters and in a query that was cut to fit.
"""

import unicodedata

from armorstack.core.text import printable
from armorstack.errors import QueryError

_ELLIPSIS = "…"
_BEFORE = 3
"""The share of the width, one in so many, that shows what stands before the fault."""


def pointed(text: str, error: QueryError, width: int = 100) -> str:
    """The query, and a line of `^` under the wrong piece of it; at most `width` columns wide."""
    cells = [_cell(char) for char in text]
    first, last = error.column, min(len(cells), error.column + error.length)
    start = _start(cells, first, width)
    shown, end = _cut(cells, start, width)
    lead = _ELLIPSIS if start else ""
    tail = _ELLIPSIS if end < len(cells) else ""
    indent = len(lead) + _width(cells[start:first])
    marks = "^" * max(1, _width(cells[first : min(last, end)]))
    return f"{lead}{shown}{tail}\n{' ' * indent}{marks}"


def _start(cells: list[str], first: int, width: int) -> int:
    """The first character that is shown, so that the fault is."""
    if _width(cells) <= width:
        return 0
    start, room = first, width // _BEFORE
    while start and room >= len(cells[start - 1]):
        start -= 1
        room -= _columns(cells[start])
    return start


def _cut(cells: list[str], start: int, width: int) -> tuple[str, int]:
    """What is shown from there on, and where it ends."""
    end, room = start, width - 2
    if _width(cells[start:]) <= width - bool(start):
        return "".join(cells[start:]), len(cells)
    while end < len(cells) and room >= _columns(cells[end]):
        room -= _columns(cells[end])
        end += 1
    return "".join(cells[start:end]), end


def _cell(char: str) -> str:
    """A character as it is shown; white space is a blank."""
    return " " if char.isspace() else printable(char)


def _width(cells: list[str]) -> int:
    return sum(map(_columns, cells))


def _columns(cell: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in cell
    )
