"""What a filter is: it takes a flow of rows and gives back what goes on.

`apply` is called from one thread, with rows in the order of their arrival. A filter that lets rows
go counts them in `dropped`; one that changes rows counts them in `changed`. It never raises for
what an event says. A filter that keeps rows back (`fold`) or owes a gap (`throttle`) says so by
`release`, which is called after each batch and about once a second in between.

Invariant: filters are pure: time is an argument, microseconds since 1970, and never runs back.
"""

from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from armorstack.core.gap import Gap
from armorstack.core.policy_change import TYPE
from armorstack.core.select import Columns, Selector
from armorstack.core.tags import CHANGE_TAG, MESSAGE_TAG, PREFIX


class Flow:
    """Rows on their way, with their tags."""

    def __init__(
        self, rows: pa.RecordBatch, tags: pa.Array | None = None, *, before: int = 0
    ) -> None:
        self.rows = rows
        self.before = before
        """The spool position before the rows: where to read from to have them again."""
        self.own_tags = tags
        """The tag of each row, where a filter has set one; None: all have their stream's."""
        self._columns: Columns | None = None

    @property
    def columns(self) -> Columns:
        """The rows' columns, as selects ask for them."""
        if self._columns is None:
            self._columns = Columns(self.rows)
        return self._columns

    def tags(self) -> pa.Array:
        """The tag of each row."""
        if self.own_tags is not None:
            return self.own_tags
        tags = pc.binary_join_element_wise(PREFIX, self.columns.text("stream"), "")
        changes = pc.and_(pc.equal(tags, MESSAGE_TAG), pc.equal(self.columns.text("type"), TYPE))
        return pc.if_else(changes, CHANGE_TAG, tags) if pc.any(changes).as_py() else tags

    def only(self, mask: pa.BooleanArray) -> "Flow":
        """The rows where the mask is true; this flow itself where that is all of them."""
        if mask.true_count == len(mask):
            return self
        tags = self.own_tags.filter(mask) if self.own_tags is not None else None
        return Flow(self.rows.filter(mask), tags, before=self.before)

    def with_columns(self, changed: dict[str, pa.Array]) -> "Flow":
        """The same rows with other values in these columns."""
        arrays = [changed.get(name, self.rows.column(name)) for name in self.rows.schema.names]
        rows = pa.RecordBatch.from_arrays(arrays, schema=self.rows.schema)
        return Flow(rows, self.own_tags, before=self.before)

    def with_tags(self, tags: pa.Array) -> "Flow":
        """The same rows under other tags."""
        return Flow(self.rows, tags, before=self.before)


class Scope(Struct, frozen=True):
    """The events that a filter or a match works on."""

    tags: frozenset[str] | None
    """The tags that are meant; None: every tag."""
    selector: Selector

    def tagged(self, flow: Flow) -> pa.BooleanArray:
        """Which rows have one of the tags."""
        if self.tags is None:
            return pa.repeat(pa.scalar(True), len(flow.rows))
        return pc.is_in(flow.tags(), value_set=pa.array(sorted(self.tags), pa.string()))

    def mask(self, flow: Flow) -> pa.BooleanArray:
        """Which rows have one of the tags and are selected."""
        if self.tags is None:
            return self.selector.mask(flow.columns)
        tagged = self.tagged(flow)
        if self.selector.takes_all or not tagged.true_count:
            return tagged
        return pc.and_(tagged, self.selector.mask(flow.columns))


class Released(Struct, frozen=True):
    """What a filter gives back later than it took it."""

    flows: Sequence[Flow] = ()
    gaps: tuple[Gap, ...] = ()


NOTHING = Released()


class Filter(Protocol):
    """One filter of the chain; see the top."""

    name: str
    scope: Scope
    dropped: int
    changed: int

    def apply(self, flow: Flow, now_us: int) -> Flow:
        """What goes on of the flow. `now_us`: the newest arrival so far."""

    def release(self, now_us: int, *, everything: bool) -> Released:
        """What is due by now; with `everything` all that is kept back."""

    def held_from(self) -> int | None:
        """The spool position before the oldest row that is kept back; None: none is."""


class Plain:
    """A filter that works row by row and remembers nothing but its counts."""

    def __init__(self, name: str, scope: Scope) -> None:
        self.name, self.scope = name, scope
        self.dropped = self.changed = 0

    def release(self, now_us: int, *, everything: bool) -> Released:
        """Nothing, ever."""
        return NOTHING

    def held_from(self) -> int | None:
        """Nothing is."""
        return None
