"""The sink into the embedded store.

Invariant: what `write` took is searchable at once and durable up to `cursor`, which moves when the
tail is flushed; until then the spool has the same events. Must not go here: how the store works.
"""

import time
from collections.abc import Callable
from pathlib import Path

from armorstack.config import DuckdbSink
from armorstack.core.batch import Batch
from armorstack.engines.duckdb.store import Store
from armorstack.errors import EngineError
from armorstack.sinks.contract import Outcome


def _wall_clock_us() -> int:
    return time.time_ns() // 1000


class StoreSink:
    """A `Sink` over one `Store`."""

    def __init__(
        self, name: str, settings: DuckdbSink, data_dir: Path,
        now_us: Callable[[], int] = _wall_clock_us,
    ) -> None:  # fmt: skip
        self.name = name
        self.required = settings.required
        self._settings = settings
        self._folder = Path(settings.path) if settings.path else data_dir / "store"
        self._now_us = now_us
        self._store: Store | None = None

    def open(self) -> int | None:
        """Open the store; see `Store.open` for what it raises. Returns the durable cursor."""
        self._store = Store.open(self._folder, self._settings, self._now_us)
        return self._store.cursor()

    @property
    def store(self) -> Store:
        """The open store, for queries and health."""
        if self._store is None:
            raise EngineError(f"sink {self.name} is not open")
        return self._store

    def write(self, batch: Batch) -> Outcome:
        """Take one batch."""
        accepted, duplicates = self.store.write(batch)
        return Outcome(accepted=accepted, duplicates=duplicates)

    def cursor(self) -> int | None:
        """The position that is durable in the store."""
        return self.store.cursor()

    def tick(self) -> None:
        """Flush, retire and merge as far as due; raises EngineError."""
        self.store.tick()

    def flush(self) -> None:
        """Make durable all that was taken; raises EngineError."""
        self.store.flush()

    def removed(self) -> dict[str, int]:
        """Events that left the store since `open`, by reason: age, bytes, damaged."""
        return self._store.status().retired if self._store else {}

    def close(self) -> None:
        """Flush and let go; raises EngineError when the flush fails, having let go."""
        store, self._store = self._store, None
        if store:
            store.close()
