"""Passing over what a sink that is not required has no time for.

The spool waits for such a sink `max_lag_s` at most. What is older is passed over, row by row, and
told to the sink as one gap when it is abreast again. Must not go here: reading and writing.
"""

from collections.abc import Sequence

from armorstack.core.gap import Gap
from armorstack.spool.rows import Row


class Lag:
    """How far one sink may be behind."""

    def __init__(self, sink: str, required: bool, max_lag_s: float) -> None:
        self.passed_over = 0
        """Events that this sink never got, in all."""
        self._sink = sink
        self._max_us = 0 if required else round(max_lag_s * 1e6)
        self._start_us = self._end_us = 0
        self._lost: int | None = 0

    def is_too_late(self, received_us: int, now_us: int) -> bool:
        """Whether what came at this time is not waited for any more."""
        return bool(self._max_us) and received_us < now_us - self._max_us

    def split(self, rows: Sequence[Row], now_us: int) -> Sequence[Row]:
        """The rows that are still to be taken; the others are noted as passed over."""
        if not self._max_us:
            return rows
        late = [row for row in rows if self.is_too_late(row.received_us, now_us)]
        for row in late:
            if row.stream != "gap":
                self.note(row.count, row.received_us, row.received_us)
        return [row for row in rows if row not in late] if late else rows

    def note(self, lost: int | None, start_us: int, end_us: int) -> None:
        """So many events of this time will not be written; None: nobody knows how many."""
        if lost == 0:
            return
        self.passed_over += lost or 0
        self._lost = None if lost is None or self._lost is None else self._lost + lost
        self._start_us = min(self._start_us or start_us, start_us)
        self._end_us = max(self._end_us, end_us)

    def gap(self) -> Gap | None:
        """What was passed over since the last call; None: nothing."""
        if self._lost == 0:
            return None
        gap = Gap(
            reason="sink_behind", source=self._sink, start_us=self._start_us,
            end_us=self._end_us, lost=self._lost, detail="the sink is not required and was behind",
        )  # fmt: skip
        self._start_us = self._end_us = 0
        self._lost = 0
        return gap
