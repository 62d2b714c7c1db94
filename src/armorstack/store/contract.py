"""What every store that can be asked offers: `EventStore`, and the shapes of its answers.

Pages, API and command line know stores by this alone; the semantics stand as a table in
`ARCHITECTURE.md` (contract 6) and are held by `tests/contract/test_event_store.py`.

Invariants: a count is of events as KubeArmor reported them, so an event that others were folded
into counts as all of them. An absent value is the empty text in answers. Nothing here is asked
without a `Budget`; every method may be called from any thread, blocks, and raises `QueryStopped`
when the budget ends it, `StoreError` when the store cannot answer.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

import pyarrow as pa
from msgspec import Struct

from armorstack.core.gap import Gap
from armorstack.core.query.question import Question
from armorstack.store.budget import Budget
from armorstack.store.cursor import Cursor

Row: TypeAlias = dict[str, Any]
"""One event: the columns of `SCHEMA` that have a value. `id` is bytes; `time`, `received`,
`fold_first`, `fold_last` are microseconds since 1970; `event_data` is a dict."""


class Page(Struct, frozen=True):
    """Some events, newest first, and how to go on."""

    rows: tuple[Row, ...]
    older: Cursor | None
    """Pass as `before` for the next page; None: there is nothing older."""
    newer: Cursor | None
    """Pass as `after` for the page before; None: there is nothing newer."""


class Series(Struct, frozen=True):
    """One value of a histogram, a count per bucket."""

    value: str
    counts: tuple[int, ...]
    is_rest: bool = False
    """All values that are not among the most frequent; `value` is then empty."""


class Histogram(Struct, frozen=True):
    """Counts over event time. Bucket n begins at `start_us + n * interval_us`."""

    start_us: int
    """A multiple of the interval, so that the same bucket has the same bounds tomorrow."""
    interval_us: int
    buckets: int
    series: tuple[Series, ...]
    """The most frequent values in the order of their counts (a number's: descending), then the
    rest; without `by` a single one with an empty value. Without any event: none."""
    gaps: tuple[Gap, ...]
    """Those that touch the span."""
    approximate: bool = False
    """Whether other values may be more frequent than those shown, or the rest's counts be off."""


class FacetValue(Struct, frozen=True):
    """One value and how many events have it."""

    value: str
    count: int


class Facet(Struct, frozen=True):
    """The most frequent values of a field, counted without the field's own picks."""

    field: str
    values: tuple[FacetValue, ...]
    distinct: int
    """How many values there are in all."""
    rest: int
    """Events whose value is not among `values`. An event with several tags counts at each."""
    approximate: bool = False
    """Whether counts or `distinct` may be off, as a cluster's are."""


class Group(Struct, frozen=True):
    """Events that agree in some fields."""

    values: tuple[str, ...]
    """One per field that was asked for."""
    count: int
    first_us: int
    last_us: int
    measure: int = 0
    """What `Top` was asked to measure: the count, or how many distinct values."""


class Top(Struct, frozen=True):
    """The largest groups by their measure."""

    groups: tuple[Group, ...]
    distinct: int
    """How many groups there are in all."""
    total: int
    """Events in all of them."""
    approximate: bool = False


class Seen(Struct, frozen=True):
    """When something happened first and last."""

    count: int
    first: Row | None
    last: Row | None


class Arrivals(Struct, frozen=True):
    """Events in the order in which they came to the store."""

    rows: tuple[Row, ...]
    place: str
    """Pass it to the next call. Opaque, printable, without spaces."""
    missed: int = 0
    """How many events that came in between cannot be given any more; they can be searched."""


class FieldFacts(Struct, frozen=True):
    """A field that can be asked for."""

    name: str
    sort: str
    doc: str
    facet: bool
    column: str


class EventStore(Protocol):
    """Stored events, to be asked."""

    def events(
        self, question: Question, budget: Budget, *, size: int = 50,
        before: Cursor | None = None, after: Cursor | None = None,
        columns: Sequence[str] | None = None,
    ) -> Page:  # fmt: skip
        """A page of events in the order of (time, id), newest first.

        `before`: only older ones than this; `after`: the `size` next newer ones (also given newest
        first). `columns` names columns of `SCHEMA`; `id`, `time` and `stream` always come.
        """

    def event(self, id_: bytes, budget: Budget, *, near_us: int | None = None) -> Row | None:
        """The event with this id, all its columns. `near_us`, where it is known, is its time, and
        makes the search short; a wrong one is harmless."""

    def count(self, question: Question, budget: Budget) -> int:
        """How many events there are."""

    def histogram(
        self, question: Question, budget: Budget, *, by: str = "", buckets: int = 60,
        interval_us: int | None = None, size: int = 8,
    ) -> Histogram:  # fmt: skip
        """Counts over time, split by the values of a field. `buckets` is about how many are wanted;
        the interval is then a round one. Without bounds in the question: from the first event to
        the last. There are never more than 2,000 buckets."""

    def facets(
        self, question: Question, budget: Budget, *, fields: Sequence[str], size: int = 10
    ) -> tuple[Facet, ...]:
        """A facet per field, in the order asked for; values by count, then by value."""

    def top(
        self, question: Question, budget: Budget, *, fields: Sequence[str], size: int = 10,
        distinct: str = "", smallest: bool = False,
    ) -> Top:  # fmt: skip
        """Groups by one or more fields; of a field with several values each counts. The measure is
        the count, or how many values the field `distinct` has; `smallest`: the rarest first."""

    def seen(self, question: Question, budget: Budget) -> Seen:
        """How often, when first and when last."""

    def stream(
        self, question: Question, budget: Budget, *, columns: Sequence[str] | None = None,
        newest_first: bool = False,
    ) -> Iterator[pa.RecordBatch]:  # fmt: skip
        """Every event that is meant, in batches with these columns of `SCHEMA` in memory that does
        not grow with their number; ordered by time to the length of a part, or a day. All come
        from one moment's view of the store. To be closed if it is left early."""

    def arrivals(self, place: str = "", *, limit: int = 1000) -> Arrivals:
        """Events that came since that place, oldest first; without one: none, and where now is.

        Never waits. A place of another process or version is understood as far as possible.
        """

    def gaps(self, start_us: int | None, end_us: int | None) -> list[Gap]:
        """Gaps that touch the span, in order of their start."""

    def fields(self) -> tuple[FieldFacts, ...]:
        """The fields that can be asked for, in the order of the field table."""

    def newest(self) -> int | None:
        """Time of the newest event; None: there is none."""

    def at_one_moment(self) -> AbstractContextManager["EventStore"]:
        """The same store for one thread, all of whose answers are of the same moment, where that
        can be had: what the parts of a page say then fits together."""

    def within(self, namespaces: Sequence[str]) -> "EventStore":
        """The same store for somebody who may read these namespaces only: no answer shows, counts
        or hints at any other event. Gaps come without the names of nodes."""
