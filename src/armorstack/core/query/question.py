"""A question to a store: a query, picked values and a span of time.

Invariant: what is picked in a facet is kept apart from the query, so that a facet can be counted
without its own picks. Times are event times, microseconds since 1970, the end exclusive.
"""

from msgspec import Struct
from msgspec.structs import replace

from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.tree import (
    EVERYTHING,
    Compare,
    Exists,
    Match,
    Node,
    Not,
    all_of,
    any_of,
)


class Pick(Struct, frozen=True):
    """Values of one field that are wanted, and that are not; taken as they are, no globs.

    An empty text is an absent value. Of a number they are digits, or a range such as `7..10`.
    """

    field: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def node(self) -> Node:
        """The same as a tree. Raises ValueError where a number is none."""
        wanted = [any_of([self._is(value) for value in self.include])] if self.include else []
        return all_of([*wanted, *(Not(self._is(value)) for value in self.exclude)])

    def _is(self, value: str) -> Node:
        sort = QUERY_FIELDS[self.field].sort
        if sort not in ("number", "time"):
            return Match(self.field, (value,), exact=True)
        if not value:
            return Not(Exists(self.field))
        low, dots, high = value.partition("..")
        if not dots:
            return Compare(self.field, "=", int(value))
        bounds: list[Node] = [Compare(self.field, ">=", int(low))] if low else []
        return all_of([*bounds, *([Compare(self.field, "<=", int(high))] if high else [])])


class Question(Struct, frozen=True):
    """Which events are meant."""

    where: Node = EVERYTHING
    picks: tuple[Pick, ...] = ()
    start_us: int | None = None
    end_us: int | None = None

    def tree(self, *, without: str = "") -> Node:
        """Query and picks as one tree, leaving out the picks of the field `without`."""
        picked = [pick.node() for pick in self.picks if pick.field != without]
        return all_of([self.where, *picked])

    def narrowed(self, *nodes: Node) -> "Question":
        """The same question, with these conditions besides."""
        return replace(self, where=all_of([self.where, *nodes]))
