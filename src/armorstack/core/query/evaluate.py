"""What a query means: plain evaluation over one event.

Every store must agree with it (`tests/property/test_query_sql.py`), and the live tail runs it.
Compile once, ask often.

Invariant: a node is true or false of an event. An absent value, or an empty one, fails every test
but an exact one for the empty text.
"""

import operator
from collections.abc import Callable

from armorstack.core.query.event_id import decode_id, encode_id
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.patterns import piece_test, text_test
from armorstack.core.query.row_values import Row, free_texts, number_of, texts_of
from armorstack.core.query.tree import (
    And,
    Compare,
    Everything,
    Exists,
    Free,
    Match,
    Node,
    Not,
)

Evaluator = Callable[[Row], bool]

_OPERATORS = {
    "=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def matches(node: Node, row: Row) -> bool:
    """Whether the query is true of the event. For one event; of many ask an `evaluator`."""
    return evaluator(node)(row)


def evaluator(node: Node) -> Evaluator:
    """The query as a function of an event. Raises GlobFault for a glob that means nothing."""
    if isinstance(node, Everything):
        return lambda row: True
    if isinstance(node, Match):
        return _match(node)
    if isinstance(node, Compare):
        return _compare(node)
    if isinstance(node, Exists):
        return _exists(node)
    if isinstance(node, Free):
        return _free(node)
    if isinstance(node, Not):
        inner = evaluator(node.node)
        return lambda row: not inner(row)
    parts = [evaluator(each) for each in node.nodes]
    if isinstance(node, And):
        return lambda row: all(part(row) for part in parts)
    return lambda row: any(part(row) for part in parts)


def _match(node: Match) -> Evaluator:
    field = QUERY_FIELDS[node.field]
    read = texts_of(node.field, node.key)
    texts = [_canonical_id(text) for text in node.texts] if field.sort == "id" else node.texts
    test = text_test(texts, exact=node.exact, ignore_case=field.sort == "word")
    if node.exact and "" in node.texts:
        return lambda row: not (values := read(row)) or any(test(value) for value in values)
    return lambda row: any(test(value) for value in read(row))


def _canonical_id(written: str) -> str:
    """The id as `row_values` gives it; what is none stays as it is, and equals no id."""
    digest = decode_id(written)
    return encode_id(digest) if digest else written


def _compare(node: Compare) -> Evaluator:
    read, stands, value = number_of(node.field), _OPERATORS[node.operator], node.value
    return lambda row: (number := read(row)) is not None and stands(number, value)


def _exists(node: Exists) -> Evaluator:
    if QUERY_FIELDS[node.field].sort in ("number", "time"):
        number = number_of(node.field)
        return lambda row: number(row) is not None
    read = texts_of(node.field, node.key)
    return lambda row: bool(read(row))


def _free(node: Free) -> Evaluator:
    test = piece_test(node.text, exact=node.exact)
    return lambda row: any(test(text) for text in free_texts(row))
