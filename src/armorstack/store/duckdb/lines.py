"""Lines that were decoded here, as an `EventStore` that is gone with the process.

Invariant: what the lines say lies in a folder of this process alone, as parts such as the store
makes, so memory does not grow with the number of lines. Must not go here: SQL; reading lines.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.core.gap import Gap
from armorstack.core.throttled import throttle_gaps
from armorstack.engines.duckdb.parquet import describe, write_part
from armorstack.engines.duckdb.part import Part
from armorstack.engines.duckdb.snapshot import Snapshot, View, opened
from armorstack.store.contract import Arrivals
from armorstack.store.duckdb.event_store import DuckdbEventStore
from armorstack.store.duckdb.live import wall_clock_us
from armorstack.store.duckdb.moment import Namespaces
from armorstack.store.duckdb.parts import MEMORY_BYTES
from armorstack.store.events import Session

_PART_ROWS = 50_000


class LinesStore(DuckdbEventStore):
    """The `EventStore` over decoded events; to be closed."""

    def __init__(
        self, batches: Iterable[pa.RecordBatch], *, memory_bytes: int = MEMORY_BYTES,
        now_us: Callable[[], int] = wall_clock_us,
    ) -> None:  # fmt: skip
        """`batches` with the columns of `SCHEMA`, such as `Lines.batches` gives; they are read
        here, once. Raises StoreError."""
        self._session = Session(memory_bytes)
        gaps: dict[Gap, None] = {}
        try:
            parts = _written(self._session, _noted(batches, gaps))
        except BaseException:
            self.close()
            raise
        super().__init__(_LinesSource(self._session, parts, tuple(gaps)), now_us)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Remove it all."""
        self._session.__exit__(None, None, None)


class _LinesSource:
    """A `Source` over parts that nobody changes."""

    def __init__(self, session: Session, parts: tuple[Part, ...], gaps: tuple[Gap, ...]) -> None:
        self._session, self._gaps = session, gaps
        self._view = View(parts)

    def snapshot(self, namespaces: Namespaces) -> contextlib.AbstractContextManager[Snapshot]:
        """All lines."""
        session = self._session
        return opened(session.connection, session.folder / "parts", self._view, namespaces)

    def gaps(self, start_us: int | None, end_us: int | None) -> list[Gap]:
        """Those that KubeArmor itself tells, in events."""
        return [
            gap
            for gap in self._gaps
            if (start_us is None or gap.end_us >= start_us)
            and (end_us is None or gap.start_us < end_us)
        ]

    def arrivals(self, place: str, limit: int, namespaces: Namespaces) -> Arrivals:
        """Nothing comes any more."""
        return Arrivals((), "end")


def _noted(
    batches: Iterable[pa.RecordBatch], gaps: dict[Gap, None]
) -> Iterator[pa.RecordBatch]:  # fmt: skip
    """The same batches; what they tell of gaps is added to `gaps`."""
    for batch in batches:
        gaps |= dict.fromkeys(throttle_gaps(batch))
        yield batch


def _written(session: Session, batches: Iterable[pa.RecordBatch]) -> tuple[Part, ...]:
    root = session.folder / "parts"
    root.mkdir()
    parts = []
    for number, rows in enumerate(_gathered(batches)):
        parts.append(write_part(root, describe(rows, root, "lines", "full", number), rows))
    return tuple(parts)


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables of some ten thousand rows."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held += [batch] if len(batch) else []
        if sum(map(len, held)) >= _PART_ROWS:
            yield pa.Table.from_batches(held, SCHEMA)
            held = []
    if held:
        yield pa.Table.from_batches(held, SCHEMA)
