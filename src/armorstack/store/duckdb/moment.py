"""Where the events of a store lie, and one moment of that.

Invariant: a snapshot is of the namespaces that it was asked for. Must not go here: questions.
"""

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

from armorstack.core.gap import Gap
from armorstack.engines.duckdb.snapshot import PartGone, Snapshot
from armorstack.store.contract import Arrivals

Namespaces = tuple[str, ...] | None
"""What may be seen; None: everything."""


class Source(Protocol):
    """Where events lie. Every method may be called from any thread."""

    def snapshot(self, namespaces: Namespaces) -> contextlib.AbstractContextManager[Snapshot]:
        """What there is now of these namespaces; raises StoreError."""

    def gaps(self, start_us: int | None, end_us: int | None) -> list[Gap]:
        """Gaps that touch the span."""

    def arrivals(self, place: str, limit: int, namespaces: Namespaces) -> Arrivals:
        """See `EventStore.arrivals`, of these namespaces."""


class Moment:
    """A `Source` for one thread, whose snapshots are the same until a part of it is gone."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept: dict[Namespaces, Snapshot] = {}
        self._gaps: dict[tuple[int | None, int | None], list[Gap]] = {}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._open.close()

    @contextlib.contextmanager
    def snapshot(self, namespaces: Namespaces) -> Iterator[Snapshot]:
        """See `Source`."""
        if namespaces not in self._kept:
            found = self._open.enter_context(self._source.snapshot(namespaces))
            self._kept[namespaces] = found
        try:
            yield self._kept[namespaces]
        except PartGone:
            self._kept.clear()
            raise

    def gaps(self, start_us: int | None, end_us: int | None) -> list[Gap]:
        """See `Source`."""
        if (start_us, end_us) not in self._gaps:
            self._gaps[start_us, end_us] = self._source.gaps(start_us, end_us)
        return self._gaps[start_us, end_us]

    def arrivals(self, place: str, limit: int, namespaces: Namespaces) -> Arrivals:
        """See `Source`."""
        return self._source.arrivals(place, limit, namespaces)
