"""Where in a settings file each setting stands: its path → the number of its line.

Invariant: reads only text that `tomllib` has accepted, so it looks for borders, never for faults.
What the values mean must not go here.
"""

import re
import tomllib
from bisect import bisect_left

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_LITERAL = r"'''.*?'''(?:'{0,2})|'[^']*'"
_BASIC = r'"""(?:\\.|[^\\])*?"""(?:"{0,2})|"(?:\\.|[^"\\])*"'
_STRING = re.compile(f"{_LITERAL}|{_BASIC}", re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\r\n]*")


def lines_of(text: str) -> dict[str, int]:
    """Paths such as `$.filter[1].select`, of settings and of tables, with their lines from 1 on."""
    reader = _Reader(text)
    reader.document()
    return reader.lines


class _Reader:
    """Walks through the text once; `at` is where it is."""

    def __init__(self, text: str) -> None:
        self.lines: dict[str, int] = {}
        self._text, self._at = text, 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._last: dict[str, int] = {}

    def document(self) -> None:
        """Tables and what stands in them, to the end of the text."""
        table = "$"
        while self._peek():
            table = self._header() if self._peek() == "[" else self._setting(table)

    def _header(self) -> str:
        """`[a.b]` or `[[a.b]]`: the path of the table that begins."""
        is_list = self._text.startswith("[[", self._at)
        start = self._at
        self._at += 1 + is_list
        *above, name = self._key()
        self._skip("]" * (1 + is_list))
        path = "$"
        for part in above:
            path = f"{path}.{part}"
            self._note(path, start)
            path = self._inside(path)
        path = f"{path}.{name}"
        self._note(path, start)
        if not is_list:
            return path
        self._last[path] = self._last.get(path, -1) + 1
        element = self._inside(path)
        self._note(element, start)
        return element

    def _inside(self, path: str) -> str:
        """The path itself, or that of the last table of a list of tables."""
        return f"{path}[{self._last[path]}]" if path in self._last else path

    def _setting(self, table: str) -> str:
        """`key = value`; returns the table that it stands in."""
        self._peek()
        start, path = self._at, table
        for part in self._key():
            path = f"{path}.{part}"
            self._note(path, start)
        self._skip("=")
        self._value(path)
        return table

    def _value(self, path: str) -> None:
        opening = self._peek()
        if opening == "[":
            self._elements(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            found = _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at)
            assert found is not None
            self._at = found.end()

    def _elements(self, path: str) -> None:
        self._skip("[")
        index = 0
        while self._peek() != "]":
            self._note(f"{path}[{index}]", self._at)
            self._value(f"{path}[{index}]")
            self._skip_comma()
            index += 1
        self._skip("]")

    def _inline_table(self, path: str) -> None:
        self._skip("{")
        while self._peek() != "}":
            self._setting(path)
            self._skip_comma()
        self._skip("}")

    def _key(self) -> list[str]:
        """The parts of a key, with dots between them."""
        parts = [self._key_part()]
        while self._peek() == ".":
            self._skip(".")
            parts.append(self._key_part())
        return parts

    def _key_part(self) -> str:
        self._peek()
        found = _STRING.match(self._text, self._at) or BARE_KEY.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        quoted = found[0][0] in "\"'"
        return str(tomllib.loads(f"key = {found[0]}")["key"]) if quoted else found[0]

    def _peek(self) -> str:
        """The next sign that counts; "" at the end."""
        space = _SPACE.match(self._text, self._at)
        assert space is not None
        self._at = space.end()
        return self._text[self._at : self._at + 1]

    def _skip(self, signs: str) -> None:
        self._peek()
        self._at += len(signs)

    def _skip_comma(self) -> None:
        if self._peek() == ",":
            self._at += 1

    def _note(self, path: str, at: int) -> None:
        self.lines.setdefault(path, bisect_left(self._ends, at) + 1)
