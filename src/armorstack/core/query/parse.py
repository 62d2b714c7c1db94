"""The query language: its text becomes a tree.

Invariant: `parse` gives a tree or raises a QueryError that points into the text; nothing else, for
any text. The grammar stands in `parser.py`.
"""

from datetime import UTC, tzinfo

from armorstack.core.query.lexer import Place, fault
from armorstack.core.query.parser import Parser
from armorstack.core.query.tree import Node
from armorstack.core.query.values import Clock

MAX_LENGTH = 10_000


def parse(text: str, now_us: int, zone: tzinfo | None = None) -> Node:
    """The tree of this query; an empty one means everything.

    `zone` is where days and times without a zone are meant; None: UTC. Raises QueryError.
    """
    if len(text) > MAX_LENGTH:
        told = f"the query has {len(text)} characters, at most {MAX_LENGTH} are read"
        raise fault(told, Place(MAX_LENGTH, len(text) - MAX_LENGTH), "ask for less at once")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        place = Place(error.start, error.end - error.start)
        raise fault("this is no text", place, "write it in UTF-8") from error
    return Parser(text, Clock(now_us, zone or UTC)).query()
