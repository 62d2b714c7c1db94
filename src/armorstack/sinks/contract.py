"""What a sink promises.

`write` is called from one thread, with batches in the order of their cursors. It may be called
twice with the same events (after a crash, or because a source sent them twice): ids make that
harmless, the second time they count as `duplicates`. It returns when the events can be read back
from the store, and raises `EngineError` when the store as a whole refuses or cannot be reached;
the worker then waits and calls again with the same batch. A sink never retries by itself.

A sink that cannot ask what it holds (file, stdout, webhook) knows again the last ids that it took
since it was opened (`recent.py`), and no others. What a crash makes the spool give again is doubled
by those without a cursor; a durable cursor tells the spool where to begin.

`cursor` is the position that is durable in the sink: a crash loses nothing up to it. It may lag
behind what `write` took. Where it is None, what `write` took counts as durable. The spool keeps
what lies after the cursor of every sink, for one that is not required within bounds.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from armorstack.core.batch import Batch, Rejected


class Outcome(Struct, frozen=True):
    """What became of one batch: every row is in exactly one of the five."""

    accepted: int = 0
    """Rows that are now in the store and were not before."""
    duplicates: int = 0
    """Rows that were in the store already, or twice in the batch."""
    retry: tuple[int, ...] = ()
    """Indices of rows to try again, after a wait."""
    rejected: Sequence[Rejected] = ()
    """Rows the store will never take."""
    left_out: int = 0
    """Rows that the sink's own settings do not want."""


class Sink(Protocol):
    """A place where events are kept."""

    name: str
    required: bool

    def open(self) -> int | None:
        """Make ready; return the durable cursor, or None when the sink keeps none itself."""

    def write(self, batch: Batch) -> Outcome:
        """Take one batch; see above."""

    def cursor(self) -> int | None:
        """The durable cursor, or None when the sink keeps none itself."""

    def tick(self) -> None:
        """Do what time asks for (flush by age, retention); called about once a second."""

    def flush(self) -> None:
        """Make durable all that was taken so far; rare (after a replay of dead letters)."""

    def removed(self) -> dict[str, int]:
        """Events that retention removed since `open`, by reason; any thread may ask."""

    def close(self) -> None:
        """Make durable what was taken, and let go."""
