"""`EventStore` over Elasticsearch or OpenSearch.

Invariant: every answer comes from an inquiry that is restricted to the namespaces of this store;
no method chooses. Must not go here: bodies of requests.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from msgspec import Struct

from armorstack.core.gap import Gap
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.question import Question
from armorstack.engines.elastic.connection import Engine
from armorstack.engines.place import Place, PlaceKey
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
from armorstack.store.elastic import arrivals as came
from armorstack.store.elastic import exporting, groups, pages
from armorstack.store.elastic import gaps as noted
from armorstack.store.elastic import histogram as histograms
from armorstack.store.elastic.inquiry import Inquiry, Target
from armorstack.store.elastic.moment import point_in_time

Namespaces = tuple[str, ...] | None
"""What may be seen; None: everything."""
_NEWEST_S = 5.0


def wall_clock_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class Surroundings(Struct, frozen=True):
    """What all views of one store share."""

    target: Target
    now_us: Callable[[], int]
    open_gaps: Callable[[], Iterable[Gap]]
    key: PlaceKey
    follower: came.Follower


class ElasticEventStore:
    """An `EventStore`."""

    def __init__(self, shared: Surroundings, namespaces: Namespaces = None, pit: str = "") -> None:
        """See `elastic_store`, which makes the first."""
        self._shared = shared
        self._namespaces = namespaces
        self._pit = pit

    def events(
        self, question: Question, budget: Budget, *, size: int = 50,
        before: Cursor | None = None, after: Cursor | None = None,
        columns: Sequence[str] | None = None,
    ) -> Page:  # fmt: skip
        """See `EventStore`."""
        names = pages.selection(columns)
        return pages.page(self._inquiry(budget), question, size, before, after, names)

    def event(self, id_: bytes, budget: Budget, *, near_us: int | None = None) -> Row | None:
        """See `EventStore`."""
        del near_us
        return pages.event(self._inquiry(budget), id_)

    def count(self, question: Question, budget: Budget) -> int:
        """See `EventStore`."""
        return histograms.count(self._inquiry(budget), question)

    def histogram(
        self, question: Question, budget: Budget, *, by: str = "", buckets: int = 60,
        interval_us: int | None = None, size: int = 8,
    ) -> Histogram:  # fmt: skip
        """See `EventStore`. Where the span has no end, it reaches to now."""
        found = histograms.histogram(
            self._inquiry(budget), question, self._shared.now_us(), by, buckets, interval_us, size
        )
        return histograms.with_gaps(found, self.gaps(found.start_us, histograms.end_of(found)))

    def facets(
        self, question: Question, budget: Budget, *, fields: Sequence[str], size: int = 10
    ) -> tuple[Facet, ...]:
        """See `EventStore`."""
        return groups.facets(self._inquiry(budget), question, fields, size)

    def top(
        self, question: Question, budget: Budget, *, fields: Sequence[str], size: int = 10,
        distinct: str = "", smallest: bool = False,
    ) -> Top:  # fmt: skip
        """See `EventStore`."""
        return groups.top(self._inquiry(budget), question, fields, size, distinct, smallest)

    def seen(self, question: Question, budget: Budget) -> Seen:
        """See `EventStore`."""
        inquiry = self._inquiry(budget)
        first = pages.edge(inquiry, question, newest=False)
        if first is None:
            return Seen(0, None, None)
        last = pages.edge(inquiry, question, newest=True)
        return Seen(histograms.count(inquiry, question), first, last)

    def stream(
        self, question: Question, budget: Budget, *, columns: Sequence[str] | None = None,
        newest_first: bool = False,
    ) -> Iterator[pa.RecordBatch]:  # fmt: skip
        """See `EventStore`."""
        with point_in_time(self._shared.target, budget) as pit:
            inquiry = Inquiry(self._shared.target, budget, self._namespaces, pit)
            yield from exporting.batches(inquiry, question, columns, newest_first)

    def arrivals(self, place: str = "", *, limit: int = 1000) -> Arrivals:
        """See `EventStore`; an event comes when it can be searched."""
        follower, key = self._shared.follower, self._shared.key
        since = key.read(place)
        if since is None:
            return Arrivals((), key.sealed(follower.now()))
        held = follower.since(since, limit)
        if held is not None:
            rows, behind = held
            return Arrivals(tuple(filter(self._is_allowed, rows)), key.sealed(behind))
        return self._made_up(since, limit)

    def _made_up(self, since: Place, limit: int) -> Arrivals:
        """What whoever was away missed, from the store; from its end on by number."""
        follower, key = self._shared.follower, self._shared.key
        now = follower.now()
        rows, behind, missed = came.stored(self._inquiry(Budget(came.ARRIVALS_S)), since, limit)
        is_all = len(rows) < limit
        return Arrivals(tuple(rows), key.sealed(now if is_all else behind), missed)

    def _is_allowed(self, row: Row) -> bool:
        return self._namespaces is None or row.get("namespace_name") in self._namespaces

    def gaps(self, start_us: int | None, end_us: int | None) -> list[Gap]:
        """See `EventStore`."""
        budget = Budget(_NEWEST_S)
        found = noted.between(Inquiry(self._shared.target, budget), start_us, end_us)
        found += noted.touching(self._shared.open_gaps(), start_us, end_us)
        if self._namespaces is not None:
            found = list(dict.fromkeys(map(noted.nameless, found)))
        return sorted(found, key=lambda gap: gap.start_us)

    def fields(self) -> tuple[FieldFacts, ...]:
        """See `EventStore`."""
        return tuple(
            FieldFacts(field.name, field.sort, field.doc, field.facet, field.columns[0])
            for field in QUERY_FIELDS.values()
        )

    def newest(self) -> int | None:
        """See `EventStore`."""
        return pages.newest(self._inquiry(Budget(_NEWEST_S)))

    @contextlib.contextmanager
    def at_one_moment(self) -> Iterator["ElasticEventStore"]:
        """See `EventStore`; gaps are those of their own moment."""
        if self._pit:
            yield self
            return
        with point_in_time(self._shared.target, Budget()) as pit:
            yield ElasticEventStore(self._shared, self._namespaces, pit)

    def within(self, namespaces: Sequence[str]) -> "ElasticEventStore":
        """See `EventStore`; of a store that is within some already, only these."""
        inside = self._namespaces
        kept = tuple(name for name in namespaces if inside is None or name in inside)
        return ElasticEventStore(self._shared, kept, self._pit)

    def _inquiry(self, budget: Budget) -> Inquiry:
        budget.check()
        return Inquiry(self._shared.target, budget, self._namespaces, self._pit)


def elastic_store(
    engine: Engine, prefix: str, now_us: Callable[[], int] = wall_clock_us,
    open_gaps: Callable[[], Iterable[Gap]] = tuple, *, folder: Path | None = None,
) -> ElasticEventStore:  # fmt: skip
    """The store over the indices of this prefix. `open_gaps` are those that have not ended;
    `folder` keeps the key of places, so that they outlive the process."""
    target = Target(engine, prefix)
    key = PlaceKey(_random_key()) if folder is None else PlaceKey.of(folder)
    follower = came.Follower(lambda budget: Inquiry(target, budget), now_us)
    return ElasticEventStore(Surroundings(target, now_us, open_gaps, key, follower))


def _random_key() -> bytes:
    import secrets

    return secrets.token_bytes(32)
