"""The tree of a query: what the parser makes, and what stores compile.

Invariant: a node is either true or false of an event, never unknown: a test on an absent value is
false, and its negation true. Field names are those of `names.py`, never an alias.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

Operator = Literal["=", "<", "<=", ">", ">="]


class Everything(Struct, frozen=True, tag=True):
    """True of every event."""


class Match(Struct, frozen=True, tag=True):
    """One of the field's values matches at least one of the texts.

    The field is of sort text, word, texts, labels, map or id. Case counts, except for words.
    """

    field: str
    texts: tuple[str, ...]
    """Globs as in `core/globs.py`; at least one."""
    exact: bool = False
    """Take the texts as they are: no character is special. An empty text is then an absent value
    (or an empty one)."""
    key: str = ""
    """Of a map: the key whose value is meant."""


class Compare(Struct, frozen=True, tag=True):
    """A field of sort number or time stands so to a value; times in microseconds since 1970."""

    field: str
    operator: Operator
    value: int


class Exists(Struct, frozen=True, tag=True):
    """The field has a value that is not empty; of a map with a key: that key has one."""

    field: str
    key: str = ""


class Free(Struct, frozen=True, tag=True):
    """The text lies in one of the fields `FREE_TEXT` of `names.py`, whatever its case.

    `*` and `?` are wildcards unless `exact`.
    """

    text: str
    exact: bool = False


class And(Struct, frozen=True, tag=True):
    """All of them; at least two."""

    nodes: tuple["Node", ...]


class Or(Struct, frozen=True, tag=True):
    """One of them at least; there are at least two."""

    nodes: tuple["Node", ...]


class Not(Struct, frozen=True, tag=True):
    """Not this."""

    node: "Node"


Node: TypeAlias = Everything | Match | Compare | Exists | Free | And | Or | Not
EVERYTHING = Everything()


def all_of(nodes: list[Node]) -> Node:
    """One node that is true where all of these are; without any: everything."""
    kept = [node for node in nodes if node != EVERYTHING]
    return EVERYTHING if not kept else kept[0] if len(kept) == 1 else And(tuple(kept))


def any_of(nodes: list[Node]) -> Node:
    """One node that is true where one of these is; there must be one."""
    return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))
