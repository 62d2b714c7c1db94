"""What one loop has seen: counts by kind, and the newest events for a person to look at.

Written by the loop's thread, read by others: every value is replaced or added to, never taken
apart. What is counted per label set is in `counting.py`.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.batch import Rejected
from armorstack.core.decode import Decoded
from armorstack.core.gap import Gap
from armorstack.core.rules import Passed
from armorstack.core.text import printable
from armorstack.counting import EventCounts
from armorstack.state import LastEvent

LAST = 8
LOOK_EVERY_S = 0.5
"""A large batch is looked into only so often; a small one always."""
TEXT_LIMIT = 300
SHOWN = {
    "stream": "stream",
    "severity": "severity",
    "host": "host_name",
    "namespace": "namespace_name",
    "pod": "pod_name",
    "policy": "policy_name",
    "action": "action",
    "operation": "operation",
}
"""Member of `LastEvent` → column."""
WHAT = ("resource", "message", "data")
"""What an event is about: the first of these columns that says anything."""


class Tally:
    """Counts of one loop."""

    def __init__(self, events: EventCounts) -> None:
        self.events = events
        self.dead_letters: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.gaps: Counter[str] = Counter()
        self.gap_seconds: defaultdict[str, float] = defaultdict(float)
        self.unknown = 0
        self.unmatched = 0
        self.last: tuple[LastEvent, ...] = ()
        self._looked_at = 0.0

    def decoded(self, decoded: Decoded, passed: Passed, gaps: Iterable[Gap]) -> None:
        """Count what decoding and filters gave, once the sink has taken its part of it."""
        self.skipped.update(decoded.skipped)
        self.unknown += decoded.unknown
        self.passed(passed, gaps)

    def passed(self, passed: Passed, gaps: Iterable[Gap]) -> None:
        """Count what came through the filters."""
        self.unmatched += passed.unmatched
        for gap in gaps:
            self.gaps[gap.reason] += 1
            self.gap_seconds[gap.reason] += max(0, gap.end_us - gap.start_us) / 1e6
        if len(passed.rows):
            self.events.add(passed.rows)
            self._look(passed.rows)

    def set_aside(self, rejected: Iterable[Rejected]) -> None:
        """Count dead letters."""
        self.dead_letters.update(item.error_type for item in rejected)

    def _look(self, rows: pa.RecordBatch) -> None:
        now = time.monotonic()
        if len(rows) > LAST and now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        self.last = (*reversed(_shown(rows.slice(max(0, len(rows) - LAST)))), *self.last)[:LAST]


def _shown(rows: pa.RecordBatch) -> list[LastEvent]:
    times = rows.column("time").cast(pa.int64()).to_pylist()
    texts = {name: rows.column(column).to_pylist() for name, column in SHOWN.items()}
    texts["resource"] = pc.coalesce(*(rows.column(name) for name in WHAT)).to_pylist()
    return [
        LastEvent(
            time_us=when or 0,
            **{name: printable(column[i] or "", TEXT_LIMIT) for name, column in texts.items()},
        )
        for i, when in enumerate(times)
    ]
