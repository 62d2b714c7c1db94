"""Which conditions are tested on groups of events instead of on each event.

The panels of a page ask for the same events but for a test or two: what was blocked, pods with a
name, policies besides one. Left for the groups, these tests need no reading of their own: one
reading of the events answers all panels. Invariant: a condition that is left is one on columns of
the groups, so that it says the same of all events of a group. Must not go here: SQL.
"""

from collections.abc import Collection, Sequence

from armorstack.core.query.tree import (
    And,
    Compare,
    Everything,
    Exists,
    Free,
    Match,
    Node,
    Not,
    Or,
    all_of,
)
from armorstack.store.duckdb.columns import raws

ALWAYS = frozenset({"action"})
"""Columns with so few values that groups may be told apart by them for a test alone."""


def parted(node: Node, columns: Collection[str]) -> tuple[Node, Node, tuple[str, ...]]:
    """The condition for events, the one for groups by these columns of `SCHEMA`, and by which
    columns these must be told apart besides. Both together are the node."""
    early: list[Node] = []
    late: list[Node] = []
    more: dict[str, None] = {}
    for each in _conjuncts(node):
        needs = columns_of(each)
        if needs and (needs <= ALWAYS or (_keeps_most(each) and needs <= ALWAYS.union(columns))):
            late.append(each)
            more |= dict.fromkeys(sorted(needs.difference(columns)))
        else:
            early.append(each)
    return all_of(early), all_of(late), tuple(more)


def columns_of(node: Node) -> frozenset[str]:
    """The columns that decide; none where they are too many to say, or where all events fit."""
    match node:
        case Match(field) | Compare(field) | Exists(field):
            return frozenset(raws(field))
        case Not(inner):
            return columns_of(inner)
        case And(nodes) | Or(nodes):
            found = [columns_of(each) for each in nodes]
            return frozenset[str]().union(*found) if all(found) else frozenset()
        case Everything() | Free():
            return frozenset()


def _keeps_most(node: Node) -> bool:
    """Whether a test is of the sort that takes little away: what it leaves is counted anyway."""
    return isinstance(node, Not | Exists)


def _conjuncts(node: Node) -> Sequence[Node]:
    if isinstance(node, And):
        return [each for inner in node.nodes for each in _conjuncts(inner)]
    return [] if isinstance(node, Everything) else [node]
