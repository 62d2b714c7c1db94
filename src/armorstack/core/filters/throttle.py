"""The throttle: so many events in an interval, the others are let go and told as a gap.

Intervals are those of arrival, cut at multiples of their length since 1970; the spool keeps the
time of arrival. So what passes follows from the rows alone, never from when a gap is asked for. A
crash loses the number of the interval that was running, never an event that was to pass.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.filters.contract import NOTHING, Flow, Plain, Released, Scope
from armorstack.core.gap import Gap

MAX_SHARES = 10_000
"""Shares in an interval; beyond, all further values have one in common."""
_BEYOND: tuple[object, ...] = ()
"""The share they have in common; no other is without a value where there are columns."""


class Throttle(Plain):
    """Lets so many events of each share pass per interval."""

    def __init__(
        self, name: str, scope: Scope, events: int, interval_us: int, columns: Sequence[str]
    ) -> None:
        super().__init__(name, scope)
        self._events, self._interval_us, self._columns = events, interval_us, columns
        self._interval = 0
        self._shares: dict[tuple[object, ...], int] = {}
        self._let_go = 0
        self._ended: list[Gap] = []

    def apply(self, flow: Flow, now_us: int) -> Flow:
        """What passes."""
        hit = self.scope.mask(flow)
        if not hit.true_count:
            return flow
        places = [place for place, is_hit in enumerate(hit.to_pylist()) if is_hit]
        rows = flow.rows.take(pa.array(places, pa.int64()))
        gone = [place for place, row in zip(places, self._asked(rows), strict=True) if not row]
        self.dropped += len(gone)
        if not gone:
            return flow
        numbers = flow.columns.numbers()
        return flow.only(pc.invert(pc.is_in(numbers, value_set=pa.array(gone, pa.int64()))))

    def release(self, now_us: int, *, everything: bool) -> Released:
        """The gaps of intervals that have ended; shares stay, since rows may still be on their way
        that came before the interval's end."""
        if everything or now_us // self._interval_us > self._interval:
            self._tell()
        if not self._ended:
            return NOTHING
        gaps, self._ended = tuple(self._ended), []
        return Released(gaps=gaps)

    def _asked(self, rows: pa.RecordBatch) -> list[bool]:
        """Whether each row passes."""
        times = rows.column("received").cast(pa.int64()).to_pylist()
        columns = [rows.column(name).to_pylist() for name in self._columns]
        keys = zip(*columns, strict=True) if columns else ((),) * len(times)
        return [self._passes(time, key) for time, key in zip(times, keys, strict=True)]

    def _passes(self, time_us: int, key: tuple[object, ...]) -> bool:
        interval = time_us // self._interval_us
        if interval > self._interval:
            self._tell()
            self._interval, self._shares = interval, {}
        if key not in self._shares and len(self._shares) >= MAX_SHARES:
            key = _BEYOND
        passed = self._shares.get(key, 0)
        self._shares[key] = passed + 1
        if passed < self._events:
            return True
        self._let_go += 1
        return False

    def _tell(self) -> None:
        if self._let_go:
            start_us = self._interval * self._interval_us
            detail = f"beyond {self._events} events in {self._interval_us / 1e6:g} s"
            if self._columns:
                detail += " for each " + ", ".join(self._columns)
            self._ended.append(
                Gap(
                    reason="filter_throttle", source=self.name, start_us=start_us,
                    end_us=start_us + self._interval_us, lost=self._let_go, detail=detail,
                )
            )  # fmt: skip
        self._let_go = 0
