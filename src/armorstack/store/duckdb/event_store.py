"""`EventStore` over DuckDB, whichever way its events lie.

Invariant: every answer comes from a snapshot that the source restricted to the namespaces of this
store, gaps and arrivals from the source alike; no method chooses. Must not go here: SQL.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import pyarrow as pa
from msgspec.structs import replace

from armorstack.core.gap import Gap
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.question import Question
from armorstack.engines.duckdb.snapshot import PartGone
from armorstack.store.buckets import Buckets
from armorstack.store.budget import Budget
from armorstack.store.contract import (
    Arrivals,
    Facet,
    FieldFacts,
    Histogram,
    Page,
    Row,
    Seen,
    Top,
)
from armorstack.store.cursor import Cursor
from armorstack.store.duckdb import exporting, groups, pages
from armorstack.store.duckdb import histogram as histograms
from armorstack.store.duckdb.histogram import Counts
from armorstack.store.duckdb.inquiry import Inquiry
from armorstack.store.duckdb.moment import Moment, Namespaces, Source
from armorstack.store.duckdb.partials import Partials
from armorstack.store.duckdb.rows import selection

_NEWEST_S = 5.0
_TRIES = 5

Answer = TypeVar("Answer")


class DuckdbEventStore:
    """An `EventStore`."""

    def __init__(
        self, source: Source, now_us: Callable[[], int], namespaces: Namespaces = None,
        partials: Partials | None = None,
    ) -> None:  # fmt: skip
        self._source = source
        self._now_us = now_us
        self._namespaces = namespaces
        self._partials = Partials() if partials is None else partials

    def events(
        self, question: Question, budget: Budget, *, size: int = 50,
        before: Cursor | None = None, after: Cursor | None = None,
        columns: Sequence[str] | None = None,
    ) -> Page:  # fmt: skip
        """See `EventStore`."""
        names = selection(columns)
        return self._ask(
            budget, lambda inquiry: pages.page(inquiry, question, size, before, after, names)
        )

    def event(self, id_: bytes, budget: Budget, *, near_us: int | None = None) -> Row | None:
        """See `EventStore`."""
        return self._ask(budget, lambda inquiry: pages.event(inquiry, id_, near_us))

    def count(self, question: Question, budget: Budget) -> int:
        """See `EventStore`."""
        return self._ask(budget, lambda inquiry: _count(inquiry, question))

    def histogram(
        self, question: Question, budget: Budget, *, by: str = "", buckets: int = 60,
        interval_us: int | None = None, size: int = 8,
    ) -> Histogram:  # fmt: skip
        """See `EventStore`. Where the span has no end, it reaches to now."""
        now_us = self._now_us()

        def counted(inquiry: Inquiry) -> tuple[Buckets, Counts]:
            made = histograms.buckets_for(inquiry, question, now_us, buckets, interval_us)
            if not made.count:
                return made, {}
            return made, histograms.counts_of(inquiry, question, made, by, size)

        made, counts = self._ask(budget, counted)
        gaps = self.gaps(made.start_us, made.end_us)
        return histograms.histogram(made, counts, by, gaps)

    def facets(
        self, question: Question, budget: Budget, *, fields: Sequence[str], size: int = 10
    ) -> tuple[Facet, ...]:
        """See `EventStore`."""
        return self._ask(budget, lambda inquiry: groups.facets(inquiry, question, fields, size))

    def top(
        self, question: Question, budget: Budget, *, fields: Sequence[str], size: int = 10,
        distinct: str = "", smallest: bool = False,
    ) -> Top:  # fmt: skip
        """See `EventStore`."""
        return self._ask(
            budget,
            lambda inquiry: groups.top(inquiry, question, fields, size, distinct, smallest),
        )

    def seen(self, question: Question, budget: Budget) -> Seen:
        """See `EventStore`."""

        def look(inquiry: Inquiry) -> Seen:
            found = histograms.extent(inquiry, question)
            if found is None:
                return Seen(0, None, None)
            # When they were is known, so a part or two are read.
            ends = [
                pages.edge(inquiry, replace(question, start_us=at, end_us=at + 1), newest=newest)
                for at, newest in ((found.first_us, False), (found.last_us, True))
            ]
            return Seen(found.count, *ends)

        return self._ask(budget, look)

    def stream(
        self, question: Question, budget: Budget, *, columns: Sequence[str] | None = None,
        newest_first: bool = False,
    ) -> Iterator[pa.RecordBatch]:  # fmt: skip
        """See `EventStore`."""
        with self._inquiry(budget) as inquiry:
            yield from exporting.batches(inquiry, question, columns, newest_first)

    def arrivals(self, place: str = "", *, limit: int = 1000) -> Arrivals:
        """See `EventStore`."""
        return self._source.arrivals(place, limit, self._namespaces)

    def gaps(self, start_us: int | None, end_us: int | None) -> list[Gap]:
        """See `EventStore`."""
        found = self._source.gaps(start_us, end_us)
        if self._namespaces is not None:
            found = list(dict.fromkeys(map(_nameless, found)))
        return sorted(found, key=lambda gap: gap.start_us)

    def fields(self) -> tuple[FieldFacts, ...]:
        """See `EventStore`."""
        return tuple(
            FieldFacts(field.name, field.sort, field.doc, field.facet, field.columns[0])
            for field in QUERY_FIELDS.values()
        )

    def newest(self) -> int | None:
        """See `EventStore`."""
        return self._ask(Budget(_NEWEST_S), pages.newest)

    @contextlib.contextmanager
    def at_one_moment(self) -> Iterator["DuckdbEventStore"]:
        """See `EventStore`; where a part goes away meanwhile, the moment is a later one."""
        with Moment(self._source) as source:
            yield DuckdbEventStore(source, self._now_us, self._namespaces, self._partials)

    def within(self, namespaces: Sequence[str]) -> "DuckdbEventStore":
        """See `EventStore`; of a store that is within some already, only these."""
        inside = self._namespaces
        kept = tuple(name for name in namespaces if inside is None or name in inside)
        return DuckdbEventStore(self._source, self._now_us, kept, self._partials)

    def _ask(self, budget: Budget, work: Callable[[Inquiry], Answer]) -> Answer:
        """The work's answer from one snapshot; from another one where a part of that was gone."""
        for _ in range(_TRIES - 1):
            with contextlib.suppress(PartGone), self._inquiry(budget) as inquiry:
                return work(inquiry)
        with self._inquiry(budget) as inquiry:
            return work(inquiry)

    @contextlib.contextmanager
    def _inquiry(self, budget: Budget) -> Iterator[Inquiry]:
        budget.check()
        with self._source.snapshot(self._namespaces) as snapshot:
            yield Inquiry(snapshot, budget, self._namespaces, self._partials)


def _count(inquiry: Inquiry, question: Question) -> int:
    found = histograms.extent(inquiry, question)
    return found.count if found else 0


def _nameless(gap: Gap) -> Gap:
    """What somebody may know of a gap who may not see the whole: neither where, nor how many."""
    return Gap(gap.reason, gap.source, gap.start_us, gap.end_us, gap.stream)
