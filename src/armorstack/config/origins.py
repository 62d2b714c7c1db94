"""Where a setting was given: a line of the file, a variable, or an option of the command.

Invariant: a fault keeps its sentence; this only adds where the person who mends it has to look.
Reading files or the environment must not go here.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from armorstack.config.places import lines_of
from armorstack.errors import ConfigError

STDIN = "standard input"


class Document(Struct, frozen=True):
    """A settings file as it was read."""

    name: str
    """How errors call it: its path, or `standard input`."""
    text: str = ""


class Origins(Struct, frozen=True):
    """What was given where. Options beat variables, and these the file."""

    document: Document
    variables: Mapping[str, str]
    """Path of a setting → the variable that sets it."""
    options: frozenset[str]
    """Paths of what options of the command set."""

    @contextmanager
    def told(self) -> Iterator[None]:
        """Faults that leave this block say where the setting was given."""
        try:
            yield
        except ConfigError as error:
            place = self.place(_path_of(str(error)))
            if not place:
                raise
            raise ConfigError(f"{error} ({place})", hint=error.hint) from error

    def place(self, path: str) -> str:
        """Where the setting of this path, or the table that should hold it, was given; or ""."""
        around = list(_prefixes(path))
        if any(each in self.options for each in around):
            return "given as an option of the command"
        for each in around:
            if each in self.variables:
                return self.variables[each]
        lines = lines_of(self.document.text)
        found = next((lines[each] for each in around if each in lines), 0)
        return f"line {found} of {self.document.name}" if found else ""


def leaves(tree: Mapping[str, Any], path: str = "$") -> Iterator[str]:
    """Paths of everything in the tree that is not a table."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}"


def _path_of(sentence: str) -> str:
    found = re.match(r"(\$.*?): ", sentence)
    return found[1] if found else ""


def _prefixes(path: str) -> Iterator[str]:
    """The path and those of the tables and lists around it, from the inside out."""
    while len(path) > 1:
        yield path
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
