"""Events as lines on the standard output, for pipes and for whoever looks on.

Invariant: no line is torn or written twice while the sink is open; what part of a batch a slow
reader has not taken is told as rows to try again. There is no cursor: what lies in a pipe is
nobody's yet, so after a crash the last moments are written once more. Must not go here: what a
line is.
"""

import contextlib
import os
import select
import stat
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from armorstack.config import StdoutSink
from armorstack.core.batch import Batch
from armorstack.errors import EngineError
from armorstack.sinks.contract import Outcome
from armorstack.sinks.lines import event_lines, gap_id, gap_lines
from armorstack.sinks.recent import RecentIds

STDOUT = 1
STALL_S = 1.0
"""So long without progress, and the rest of a batch is tried again later."""
LONGEST_S = 5.0
"""So long in one call at most, so that a stop is heard in time whatever the reader does."""
PIPE_CHUNK = select.PIPE_BUF
"""A pipe that polls as writable takes so much without waiting (pipe(7), POSIX)."""
FILE_CHUNK = 1 << 20


class LineStdoutSink:
    """A `Sink` over a descriptor that it does not own."""

    def __init__(
        self, name: str, settings: StdoutSink, data_dir: Path, descriptor: int = STDOUT
    ) -> None:
        self.name = name
        self.required = settings.required
        self.descriptor: Final = descriptor
        self._form = settings.form
        self._recent = RecentIds()
        self._rest = b""
        """The end of a line whose beginning is written."""
        self._chunk = PIPE_CHUNK

    def open(self) -> int | None:
        """Look whether the output can be written to; raises EngineError. There is no cursor."""
        if self.descriptor == STDOUT and sys.__stdout__ is None:
            # The number may by now belong to a file of ours.
            raise EngineError("the standard output is closed", hint=_HINT)
        try:
            kind = os.fstat(self.descriptor).st_mode
        except OSError as error:
            raise _refusal(error) from error
        self._chunk = FILE_CHUNK if stat.S_ISREG(kind) else PIPE_CHUNK
        return None

    def write(self, batch: Batch) -> Outcome:
        """Take one batch; raises EngineError when nothing of it could be written."""
        deadline = time.monotonic() + LONGEST_S
        self._write_rest(deadline)
        self._write_gaps(batch, deadline)
        ids = batch.rows.column("id").to_pylist()
        fresh = self._recent.unseen(ids)
        duplicates = len(ids) - len(fresh)
        if not fresh:
            return Outcome(duplicates=duplicates)
        lines = event_lines(batch.rows.take(pa.array(fresh, pa.int64())), self._form)
        written = self._write_lines(lines, deadline)
        self._recent.add(ids[index] for index in fresh[:written])
        return Outcome(accepted=written, duplicates=duplicates, retry=tuple(fresh[written:]))

    def cursor(self) -> int | None:
        """None: the output keeps none."""
        return None

    def tick(self) -> None:
        """End a line that was begun, if the reader lets us."""
        with contextlib.suppress(EngineError):
            self._write_rest(time.monotonic())

    def flush(self) -> None:
        """Nothing is held back but the end of a line; raises EngineError if that cannot go out."""
        self._write_rest(time.monotonic() + STALL_S)

    def removed(self) -> dict[str, int]:
        """Nothing is ever taken back."""
        return {}

    def close(self) -> None:
        """Try to end a line that was begun; the descriptor stays open, it is not ours."""
        with contextlib.suppress(EngineError):
            self.flush()

    def _write_rest(self, deadline: float) -> None:
        if self._rest:
            written = self._write_bytes(self._rest, deadline)
            self._rest = self._rest[written:]
            if self._rest:
                raise EngineError(_STALLED, hint=_HINT)

    def _write_gaps(self, batch: Batch, deadline: float) -> None:
        """Before the rows, because a batch that is tried again comes without its gaps."""
        ids = [gap_id(gap) for gap in batch.gaps]
        fresh = self._recent.unseen(ids)
        lines = gap_lines((batch.gaps[index] for index in fresh), self._form)
        written = self._write_lines(lines, deadline)
        self._recent.add(ids[index] for index in fresh[:written])
        if written < len(lines):
            raise EngineError(_STALLED, hint=_HINT)

    def _write_lines(self, lines: Sequence[bytes], deadline: float) -> int:
        """Write; how many lines went out or were begun. At least one, or EngineError is raised."""
        data = b"".join(lines)
        written = self._write_bytes(data, deadline)
        end = count = 0
        while end < written:
            end += len(lines[count])
            count += 1
        self._rest = data[written:end]
        if data and not written:
            raise EngineError(_STALLED, hint=_HINT)
        return count

    def _write_bytes(self, data: bytes, deadline: float) -> int:
        """Write as far as the reader lets us until the deadline; how many bytes went out."""
        view, written = memoryview(data), 0
        ready = select.poll()
        ready.register(self.descriptor, select.POLLOUT)
        while written < len(data):
            wait_s = min(STALL_S, max(0.0, deadline - time.monotonic()))
            try:
                if not ready.poll(wait_s * 1000):
                    break
                written += os.write(self.descriptor, view[written : written + self._chunk])
            except BlockingIOError:
                # Writable, but not for so much: wait a moment, not for ever.
                if time.monotonic() >= deadline:
                    break
                time.sleep(0.01)
            except OSError as error:
                if written:
                    break
                raise _refusal(error) from error
        return written


_STALLED = "nobody reads the standard output"
_HINT = "read it, for example with a pipe or > FILE, or remove the sink of type stdout"


def _refusal(error: OSError) -> EngineError:
    if isinstance(error, BrokenPipeError):
        return EngineError("the program that read the standard output has ended", hint=_HINT)
    return EngineError(f"the standard output cannot be written: {error.strerror}", hint=_HINT)
