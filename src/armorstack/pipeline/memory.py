"""What one loop of all remembers in `work.db` for people: gaps, and when each node was heard last.

Gaps are noted before the cursor passes them; nodes once a second, since each costs a row. Where the
file cannot be written just now they wait in memory. Must not go here: what a gap means, who asks.
"""

from collections.abc import Sequence

import pyarrow as pa
import structlog

from armorstack.core.gap import Gap, encode_gap
from armorstack.core.sightings import Sighting, sightings
from armorstack.errors import SpoolError
from armorstack.spool.work import GapNote, Seen, Work

MAX_WAITING = 10_000
"""Gaps that wait for the file; beyond, the oldest are forgotten here (the sink has them)."""
MAX_NODES = 10_000


class Memory:
    """Takes gaps and events of one loop."""

    def __init__(self, work: Work, leads: bool) -> None:
        """A loop that does not lead remembers only what its own sink missed: another one sees the
        same events."""
        self._work, self._leads = work, leads
        self._gaps: list[GapNote] = []
        self._nodes: dict[tuple[str, str], Sighting] = {}

    def keep(self, gaps: Sequence[Gap], rows: pa.RecordBatch | None = None) -> None:
        """Take the gaps of a batch and, if given, all its events, filtered or not."""
        if not self._leads:
            gaps, rows = [gap for gap in gaps if gap.reason == "sink_behind"], None
        for each in sightings(rows) if rows is not None else ():
            self._see(each)
        if gaps:
            notes = [GapNote(encode_gap(gap), gap.start_us, gap.end_us) for gap in gaps]
            self._gaps = (self._gaps + notes)[-MAX_WAITING:]
            self._write(with_nodes=False)

    def tick(self) -> None:
        """Write what waits; called about once a second."""
        if self._gaps or self._nodes:
            self._write(with_nodes=True)

    def _see(self, new: Sighting) -> None:
        key = (new.cluster, new.node)
        old = self._nodes.get(key)
        if old is None and len(self._nodes) >= MAX_NODES:
            return
        self._nodes[key] = new if old is None else _joined(old, new)

    def _write(self, *, with_nodes: bool) -> None:
        nodes = [_seen(each) for each in self._nodes.values()] if with_nodes else []
        try:
            self._work.note(self._gaps, nodes)
        except SpoolError as error:
            structlog.get_logger().warning("gaps and nodes are noted later", reason=str(error))
            return
        self._gaps = []
        if with_nodes:
            self._nodes = {}


def _joined(old: Sighting, new: Sighting) -> Sighting:
    return Sighting(
        new.cluster, new.node, max(old.last_event_us, new.last_event_us),
        max(old.last_received_us, new.last_received_us), old.events + new.events,
    )  # fmt: skip


def _seen(each: Sighting) -> Seen:
    return Seen(
        each.cluster, each.node, each.last_event_us, each.last_received_us, each.events
    )  # fmt: skip
