"""The source of event lines on standard input, until it ends.

Invariant: every byte that was read becomes part of a line that is put, the last one included,
whether it has an end or not. What a line says must not go here.
"""

import os
import select
import threading

from msgspec.structs import replace

from armorstack.config import StdinSource, source_name
from armorstack.core.gap import Gap, encode_gap
from armorstack.errors import SpoolError
from armorstack.sources.clock import now_us
from armorstack.sources.contract import SourceState
from armorstack.sources.lines import LIMIT_BYTES, LineCutter
from armorstack.spool.intake import Intake, Lane

BLOCK_BYTES = 1024 * 1024
POLL_S = 0.25
FLUSH_S = 0.25
STDIN_FD = 0


class Stdin:
    """A source over a file descriptor; it does not close it."""

    def __init__(self, settings: StdinSource, fd: int = STDIN_FD) -> None:
        self.name = source_name(settings)
        self._settings = settings
        self._fd = fd
        self._state = SourceState(name=self.name, kind="stdin")

    def state(self) -> SourceState:
        """A snapshot."""
        return self._state

    def run(self, intake: Intake, stop: threading.Event) -> None:
        """Read until `stop` is set or the input ends; then all of it is durable."""
        self._state = replace(self._state, connected=True, since_us=now_us())
        finished = False
        try:
            finished = self._read_all(intake, stop)
        except SpoolError:
            if not stop.is_set():  # else the spool was closed while we waited for it
                raise
        finally:
            self._state = replace(
                self._state, connected=False, finished=finished, since_us=now_us()
            )

    def _read_all(self, intake: Intake, stop: threading.Event) -> bool:
        """Put every line; True when the input ended and all of it is durable."""
        lane = intake.lane(self.name, "auto", "json", self._settings.cluster)
        cutter = LineCutter()
        while block := self._read(stop):
            self._put(lane, cutter.feed(block))
            self._tell_skipped(intake, cutter)
        rest = cutter.rest()
        self._put(lane, [rest] if rest else [])
        self._tell_skipped(intake, cutter)
        while not stop.is_set():
            if lane.flush(FLUSH_S):
                return True
        return False

    def _read(self, stop: threading.Event) -> bytes:
        """The next block, as soon as there is anything; nothing at the end or once stopped."""
        while not stop.is_set():
            ready, _, _ = select.select([self._fd], [], [], POLL_S)
            if ready:
                try:
                    return os.read(self._fd, BLOCK_BYTES)
                except BlockingIOError:  # another reader of the same pipe was faster
                    continue
        return b""

    def _put(self, lane: Lane, lines: list[bytes]) -> None:
        if lines:
            lane.put_many(lines)
            self._state = replace(self._state, last_frame_us=now_us())

    def _tell_skipped(self, intake: Intake, cutter: LineCutter) -> None:
        if cutter.skipped:
            now = now_us()
            detail = f"lines longer than {LIMIT_BYTES} bytes are skipped"
            gap = Gap(
                reason="oversize", source=self.name, start_us=now, end_us=now,
                lost=cutter.skipped, detail=detail,
            )  # fmt: skip
            cutter.skipped = 0
            intake.gap(encode_gap(gap), self.name)
