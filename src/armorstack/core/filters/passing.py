"""Filters that let events pass or go: drop, keep, sample.

A sample is drawn by the event's id, so that every collector and every sink draws the same one,
and drawing again after a crash changes nothing.
"""

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.filters.contract import Flow, Plain, Scope


class Drop(Plain):
    """Lets the events of its scope go."""

    def apply(self, flow: Flow, now_us: int) -> Flow:
        """The others."""
        hit = self.scope.mask(flow)
        self.dropped += hit.true_count
        return flow.only(pc.invert(hit)) if hit.true_count else flow


class Keep(Plain):
    """Of the events with its tags, lets go those that are not selected."""

    def apply(self, flow: Flow, now_us: int) -> Flow:
        """Those that are selected, and those of other tags."""
        kept = self.scope.selector.mask(flow.columns)
        if self.scope.tags is not None:
            kept = pc.or_(kept, pc.invert(self.scope.tagged(flow)))
        self.dropped += len(kept) - kept.true_count
        return flow.only(kept)


class Sample(Plain):
    """Keeps one event of its scope in so many."""

    def __init__(self, name: str, scope: Scope, one_in: int) -> None:
        super().__init__(name, scope)
        self._one_in = one_in

    def apply(self, flow: Flow, now_us: int) -> Flow:
        """The chosen ones, and those outside the scope."""
        hit = self.scope.mask(flow)
        if not hit.true_count:
            return flow
        chosen = pa.array([self._is_chosen(id_) for id_ in flow.rows.column("id").to_pylist()])
        kept = pc.or_(pc.invert(hit), chosen)
        self.dropped += len(kept) - kept.true_count
        return flow.only(kept)

    def _is_chosen(self, id_: bytes) -> bool:
        return int.from_bytes(id_[:8]) % self._one_in == 0
