"""Many small parts become one, a little at a time, in bounded memory.

Invariant: the sources stay as they are until the catalogue lists the merged part in their place.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from armorstack.engines.duckdb.parquet import PartWriter, free_name, read_rows
from armorstack.engines.duckdb.part import Part, joined


class Merge:
    """One merge under way."""

    def __init__(self, root: Path, sources: Sequence[Part]) -> None:
        self.sources = tuple(sources)
        self._writer = PartWriter(root, _merged(root, sources))
        self._rows: Iterator[pa.RecordBatch] = (
            rows for part in sources for rows in read_rows(root, part)
        )

    def step(self, budget_s: float) -> bool:
        """Copy rows for about this long; true when all are copied."""
        deadline = time.monotonic() + budget_s
        for rows in self._rows:
            self._writer.append(rows)
            if time.monotonic() >= deadline:
                return False
        return True

    def finish(self) -> Part:
        """The merged part, durable on disk, not yet in the catalogue."""
        return self._writer.finish()

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._writer.abandon()


def _merged(root: Path, sources: Sequence[Part]) -> Part:
    first = sources[0]
    cursor = max(part.cursor for part in sources)
    return Part(
        name=free_name(root, first.day, cursor), day=first.day, kind="merged",
        layout=first.layout, cursor=cursor, rows=sum(part.rows for part in sources), bytes=0,
        min_time_us=min(part.min_time_us for part in sources),
        max_time_us=max(part.max_time_us for part in sources),
        min_received_us=min(part.min_received_us for part in sources),
        max_received_us=max(part.max_received_us for part in sources),
        runs=joined(part.runs for part in sources),
        sources=tuple(part.name for part in sources),
    )  # fmt: skip
