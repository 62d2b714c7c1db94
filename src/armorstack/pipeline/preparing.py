"""From rows of the spool to the batch that one sink gets: decode, tell throttling, apply the rules.

Invariant: a batch's cursor never passes a row that a filter keeps back, so that a crash brings it
again. Writing, waiting and positions must not go here.
"""

import time
from collections.abc import Sequence

from msgspec import Struct

from armorstack.core.batch import Batch, Rejected
from armorstack.core.decode import NOTHING, Decoded
from armorstack.core.gap import Gap
from armorstack.core.rules import Passed
from armorstack.core.throttled import throttle_gaps
from armorstack.pipeline.decoding import decode_surely
from armorstack.pipeline.job import Job
from armorstack.spool.rows import Row


class Prepared(Struct, frozen=True):
    """What came of some rows."""

    decoded: Decoded
    passed: Passed
    batch: Batch
    """What the sink gets."""
    rejected: tuple[Rejected, ...]
    """Frames that cannot be decoded, redacted as events are."""


class Preparation:
    """One loop's way from rows to batches."""

    def __init__(self, job: Job) -> None:
        self.seconds = 0.0
        """Time that decoding and rules have taken."""
        self.held_from: int | None = None
        """The position that must not be passed; None: any may be."""
        self._decode, self._rules = job.decode, job.rules

    def prepare(
        self, rows: Sequence[Row], gaps: Sequence[Gap], *, before: int, last: int
    ) -> Prepared:
        """The rows behind `before` as far as `last`, and gaps for what is missing of them."""
        begin = time.perf_counter()
        decoded = decode_surely(rows, self._decode)
        passed = self._rules.apply(decoded.batch.rows, before)
        told = (*decoded.batch.gaps, *throttle_gaps(decoded.batch.rows), *gaps)
        rejected = tuple(map(self._rules.redact, decoded.rejected))
        prepared = Prepared(decoded, passed, self._batch(passed, told, last), rejected)
        self.seconds += time.perf_counter() - begin
        return prepared

    def due(self, position: int, now_us: int) -> tuple[Passed, Batch] | None:
        """What filters kept back until now, while nothing waits to be read."""
        return self._late(self._rules.apply(NOTHING, position, now_us), position)

    def rest(self, position: int) -> tuple[Passed, Batch] | None:
        """All that filters keep back, because the loop ends."""
        return self._late(self._rules.finish(), position)

    def _late(self, passed: Passed, position: int) -> tuple[Passed, Batch] | None:
        before = self.held_from
        batch = self._batch(passed, (), position)
        if len(passed.rows) or batch.gaps or before != passed.held_from:
            return passed, batch
        return None

    def _batch(self, passed: Passed, gaps: Sequence[Gap], last: int) -> Batch:
        self.held_from = passed.held_from
        floor = last if passed.held_from is None else min(last, passed.held_from)
        return Batch(passed.own, (*gaps, *passed.gaps), floor)
