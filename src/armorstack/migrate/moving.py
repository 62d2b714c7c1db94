"""One piece after the other into a sink, until each event has its fate.

Invariant: what was read is written, was there already, is rejected or left out, and no place is
marked as done before all that lies before it has its fate. What can never be taken is kept as a
line of JSON with its reason. Must not go here: what is read, what a person is told.
"""

import base64
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import msgspec
import pyarrow as pa

from armorstack.core.backoff import delay_s
from armorstack.core.batch import Batch, Rejected
from armorstack.errors import ArmorstackError, EngineError, StoreError
from armorstack.migrate.contract import Origin, Piece
from armorstack.migrate.mark import Counts, Mark, read_mark, write_mark
from armorstack.sinks.contract import Sink

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 15.0
PATIENCE_S = 300.0
"""How long a target that takes nothing is asked again before the migration ends."""


class Stopped(ArmorstackError):
    """Somebody ended it; it can go on."""


class Moving:
    """One migration. `run` may be called once."""

    def __init__(
        self, origin: Origin, sink: Sink, target: str, folder: Path, *,
        stop: threading.Event | None = None, patience_s: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        """`target` is what a person calls the sink; the mark and what is rejected lie in
        `folder`."""
        self._origin, self._sink, self._target = origin, sink, target
        self._stop = stop or threading.Event()
        self._patience_s = patience_s
        name = "".join(char if char.isalnum() or char in "-." else "_" for char in origin.name)
        self._mark_file = folder / f"{name}.json"
        self.rejected_file = folder / f"{name}-rejected.ndjson"
        self._rejected: IO[bytes] | None = None
        self.waits_for = ""

    def begin(self, *, again: bool = False) -> Mark:
        """How far it is; `again` forgets that. Raises StoreError."""
        if again:
            self._mark_file.unlink(missing_ok=True)
        return read_mark(self._mark_file, self._origin.name, self._target)

    def run(self, mark: Mark, advance: Callable[[Counts], None] = lambda counts: None) -> Mark:
        """Move all from this mark on; `advance` is told all counts after each piece.

        Raises Stopped, and ArmorstackError when the target takes nothing for too long.
        """
        counts = mark.counts
        try:
            for piece in self._origin.pieces(mark.place):
                counts += self._moved(piece)
                if piece.place:
                    self._sink.flush()
                    mark = Mark(mark.origin, mark.target, piece.place, counts)
                    write_mark(self._mark_file, mark)
                advance(counts)
        finally:
            if self._rejected:
                self._rejected.close()
        self._sink.flush()
        mark = Mark(mark.origin, mark.target, mark.place, counts, is_done=True)
        write_mark(self._mark_file, mark)
        return mark

    def _moved(self, piece: Piece) -> Counts:
        self._keep(piece.unread)
        # Lines that are no event at all are neither rows nor rejected; they count as such.
        lost = piece.read - len(piece.rows)
        counts = Counts(read=piece.read, rejected=lost)
        batch = Batch(piece.rows, piece.gaps, 0)
        began, attempt = time.monotonic(), 0
        while len(batch.rows) or batch.gaps:
            if self._stop.is_set():
                raise Stopped("the migration was stopped", hint="run it again to go on")
            attempt += 1
            try:
                outcome = self._sink.write(batch)
            except (EngineError, StoreError, OSError) as error:
                self._wait(error, attempt, began)
                continue
            self.waits_for = ""
            self._keep(outcome.rejected)
            counts += Counts(
                0, outcome.accepted, outcome.duplicates, len(outcome.rejected), outcome.left_out
            )
            batch = Batch(batch.rows.take(pa.array(outcome.retry, pa.int64())), (), 0)
            if outcome.retry:
                self._wait(
                    EngineError(f"{len(outcome.retry)} are to be tried again"), attempt, began
                )
        return counts

    def _wait(self, error: Exception, attempt: int, began: float) -> None:
        self.waits_for = str(error)
        if time.monotonic() - began > self._patience_s:
            told = f"the target took nothing for {self._patience_s:.0f} s: {error}"
            raise StoreError(told, hint="mend it and run this again; it goes on") from error
        self._stop.wait(delay_s(attempt, FIRST_WAIT_S, LONGEST_WAIT_S, random.random()))

    def _keep(self, rejected: Sequence[Rejected]) -> None:
        """One line each, with the event as it came."""
        if rejected and self._rejected is None:
            self.rejected_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._rejected = self.rejected_file.open("ab")
            self.rejected_file.chmod(0o600)
        for item in rejected:
            told = {
                "error_type": item.error_type,
                "reason": item.reason,
                "frame": _text(item.frame),
            }
            self._rejected.write(msgspec.json.encode(told) + b"\n")  # type: ignore[union-attr]


def _text(frame: bytes) -> str:
    try:
        return frame.decode()
    except UnicodeDecodeError:
        return base64.b64encode(frame).decode()
