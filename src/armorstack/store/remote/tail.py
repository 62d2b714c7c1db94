"""A tail: the last events, then those that arrive, with the gaps among them.

Invariant: nothing that arrives between the last events and the stream is lost or told twice: the
stream is open before the last events are asked for. Gaps are told once each, those before the
first event never.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from armorstack.core.gap import Gap
from armorstack.core.query.asked import ALL
from armorstack.core.query.question import Question
from armorstack.core.query.tree import Compare
from armorstack.errors import ArmorstackError, StoreError
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, Row
from armorstack.store.paging import newest, oldest
from armorstack.store.remote import wire
from armorstack.store.remote.link import Link
from armorstack.store.remote.live import Follower, Told
from armorstack.store.remote.store import RemoteStore


class Tail:
    """One tail. `count`: how many of the last events; None: all from the question's start on."""

    def __init__(
        self, question: Question, columns: Sequence[str], count: int | None,
        now_us: Callable[[], int],
    ) -> None:  # fmt: skip
        self._question, self._columns, self._count = question, columns, count
        self._now_us = now_us
        self._begun_us: int | None = None
        """When the last events were told; what was received since is still to be told."""
        self._gaps_from_us = now_us()
        self._told_gaps: set[Gap] = set()

    def last(self, store: EventStore) -> Iterator[Told]:
        """The last events, oldest first, with the gaps since the first of them."""
        self._begun_us = self._now_us()
        rows = self._rows(store)
        first = next(rows, None)
        if first is not None:
            self._gaps_from_us = min(self._gaps_from_us, first["time"])
        gaps = self._gaps(store)
        for row in chain([] if first is None else [first], rows):
            while gaps and gaps[0].gap is not None and gaps[0].gap.end_us <= row["time"]:
                yield gaps.pop(0)
            yield Told("event", row)
        yield from gaps

    def follow(
        self, find: Callable[[], Link | None], rest: Callable[[float], object], *, patient: bool,
        known: Sequence[bytes] = (), budget: Budget | None = None,
    ) -> Iterator[Told]:  # fmt: skip
        """The last events unless `last` told them, whose ids are `known`; then what arrives, until
        the budget is cancelled. Raises as `Follower.follow` does."""
        follower = Follower(find, self._pairs(), rest, patient=patient, budget=budget)
        for id_ in known:
            follower.know(id_)
        caught_up = False
        for told in follower.follow():
            if told.kind != "ready":
                yield told
                continue
            store = _store(find)
            if not store:
                continue
            # Where the server ends meanwhile, the rest is asked for when one is there again.
            with contextlib.suppress(StoreError):
                if not caught_up:
                    yield from self._missing(store, follower)
                    caught_up = True
                yield from self._gaps(store)

    def _missing(self, store: EventStore, follower: Follower) -> Iterator[Told]:
        """What is in no stream, since it came before."""
        if self._begun_us is None:
            found = self.last(store)
        else:
            since = Compare("received", ">=", self._begun_us)
            rows = oldest(store, self._question.narrowed(since), self._columns)
            found = (Told("event", row) for row in rows)
        for told in found:
            if told.row is None or not follower.know(told.row["id"]):
                yield told

    def _rows(self, store: EventStore) -> Iterator[Row]:
        if self._count is None:
            return oldest(store, self._question, self._columns)
        return reversed(list(newest(store, self._question, self._count, self._columns)))

    def _gaps(self, store: EventStore) -> list[Told]:
        """Gaps that were not told yet; none where that cannot be asked just now."""
        try:
            found = store.gaps(self._gaps_from_us, None)
        except ArmorstackError:
            return []
        fresh = [gap for gap in found if gap not in self._told_gaps]
        self._told_gaps.update(fresh)
        return [Told("gap", gap=gap) for gap in sorted(fresh, key=lambda gap: gap.end_us)]

    def _pairs(self) -> wire.Pairs:
        """A stream heeds a span only where one is asked for."""
        names = wire.column_pairs(self._columns)
        pairs = wire.question_pairs(self._question)
        spanned = self._question.start_us is not None or self._question.end_us is not None
        return (pairs if spanned else [pair for pair in pairs if pair != ("from", ALL)]) + names


def _store(find: Callable[[], Link | None]) -> RemoteStore | None:
    try:
        link = find()
    except StoreError:
        return None
    return RemoteStore(link) if link else None
