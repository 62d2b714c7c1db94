"""The file source: the lines of a file, followed through rotation and across restarts.

Where reading goes on is stored in the same transaction as the lines, so a restart neither loses
nor doubles any. Invariant: a line is put once its end was written; a last line without one, once
its file is over. What a line says must not go here.
"""

import threading
from typing import Any

from msgspec.structs import replace

from armorstack.config import FileSource, source_name
from armorstack.core.gap import Gap, Reason, encode_gap
from armorstack.errors import SourceError, SpoolError
from armorstack.sources.clock import now_us
from armorstack.sources.contract import SourceState
from armorstack.sources.file_folder import close, find, successor
from armorstack.sources.file_tail import Position, Tail, decode_position, encode_position
from armorstack.sources.lines import LIMIT_BYTES
from armorstack.spool.intake import Intake

POLL_S = 0.25
FLUSH_S = 0.25


class File:
    """A source over one file."""

    def __init__(self, settings: FileSource) -> None:
        self.name = source_name(settings)
        self._settings = settings
        self._state = SourceState(name=self.name, kind="file")

    def state(self) -> SourceState:
        """A snapshot."""
        return self._state

    def run(self, intake: Intake, stop: threading.Event) -> None:
        """Read until `stop` is set, or to the end; raises `SourceError` where that cannot be."""
        reading = _Reading(self._settings, intake, self._note)
        try:
            while not stop.is_set() and not reading.step(stop):
                pass
        except SpoolError:
            if not stop.is_set():  # else the spool was closed while we waited for it
                raise
        finally:
            reading.close()

    def _note(self, **changes: Any) -> None:
        if changes.get("connected", self._state.connected) != self._state.connected:
            changes["since_us"] = now_us()
        self._state = replace(self._state, **changes)


class _Reading:
    """One run of the source: the open file, and the position behind the lines that were put."""

    def __init__(self, settings: FileSource, intake: Intake, note: Any) -> None:
        self._settings = settings
        self._name = source_name(settings)
        self._intake = intake
        self._lane = intake.lane(self._name, "auto", "json", settings.cluster)
        self._known = decode_position(intake.position(self._name))
        self._note = note
        self._from_start = settings.from_start
        self._tail: Tail | None = None
        self._all_read_us = 0

    def step(self, stop: threading.Event) -> bool:
        """Read what there is, or find out why not; True when there is nothing more to come."""
        try:
            if self._tail is None:
                self._tail = self._open()
            return self._read(self._tail, stop)
        except FileNotFoundError as error:
            self._from_start = True  # what appears from now on is all new
            self._failed(error, f"{self._settings.path} does not exist (yet)")
        except OSError as error:
            self._failed(error, f"{self._settings.path} cannot be read: {error.strerror}")
        except SourceError as error:
            self._failed(error, str(error), error.hint)
        stop.wait(POLL_S)
        return False

    def close(self) -> None:
        """Let go of the file."""
        if self._tail is not None:
            self._tail.close()
            self._tail = None
        self._note(connected=False)

    def _open(self) -> Tail:
        """The file of the known position, wherever it is called now, else that of the path."""
        tail = find(self._settings.path, self._known) if self._known else None
        if tail is None:
            tail = Tail(self._settings.path)
            if self._known:
                self._tell_rest_lost(self._known)
            elif not self._from_start:
                tail.go_to_end()
            self._put([], tail)
        self._note(connected=True, error="", hint="")
        return tail

    def _read(self, tail: Tail, stop: threading.Event) -> bool:
        if not tail.is_intact():
            self.close()  # then opening looks for a copy of what was there
            return False
        # Looked for first: once another file is written to, nothing more is added to this one.
        ahead = successor(self._settings.path, tail)
        if not self._drain(tail, stop):
            close(ahead)
        elif ahead is not None:
            self._go_over(tail, ahead)
        elif not self._settings.follow:
            return self._finish(tail, stop)
        else:
            stop.wait(POLL_S)
        return False

    def _drain(self, tail: Tail, stop: threading.Event) -> bool:
        """Put everything up to the end of the file; False when stopped before."""
        while not stop.is_set():
            lines = tail.read()
            self._tell_skipped(tail)
            if lines is None:
                self._all_read_us = now_us()
                return True
            if lines:
                self._put(lines, tail)
        return False

    def _go_over(self, tail: Tail, ahead: Tail) -> None:
        """The old file is over: its last line needs no end any more."""
        rest = tail.rest()
        self._tell_skipped(tail)
        tail.close()
        self._tail = ahead
        self._put([rest] if rest else [], ahead)

    def _finish(self, tail: Tail, stop: threading.Event) -> bool:
        """The end: put the last line and wait until all is durable; False when stopped before."""
        rest = tail.rest()
        self._tell_skipped(tail)
        if rest:
            self._put([rest], tail)
        while not stop.is_set():
            if self._lane.flush(FLUSH_S):
                self._note(finished=True)
                return True
        return False

    def _put(self, lines: list[bytes], tail: Tail) -> None:
        """Put lines and, in the same transaction, where `tail` is read on."""
        position = tail.position()
        self._lane.put_many(lines, (self._name, encode_position(position)))
        self._known = position
        if lines:
            self._note(last_frame_us=position.at_us)

    def _failed(self, error: Exception, sentence: str, hint: str = "") -> None:
        """Try again later, or give up where the file is to be read only once."""
        self.close()
        hint = hint or "the file must exist and be readable for this user"
        self._note(error=sentence, hint=hint)
        if not self._settings.follow:
            raise SourceError(sentence, hint=hint) from error

    def _tell_rest_lost(self, known: Position) -> None:
        detail = f"{self._settings.path} was emptied or replaced, and its rest is not found"
        self._tell_gap("disconnect", max(known.at_us, self._all_read_us), detail)

    def _tell_skipped(self, tail: Tail) -> None:
        if skipped := tail.take_skipped():
            detail = f"{tail.path}: lines longer than {LIMIT_BYTES} bytes are skipped"
            self._tell_gap("oversize", now_us(), detail, skipped)

    def _tell_gap(
        self, reason: Reason, start_us: int, detail: str, lost: int | None = None
    ) -> None:
        gap = Gap(
            reason=reason, source=self._name, start_us=start_us, end_us=now_us(), lost=lost,
            detail=detail,
        )  # fmt: skip
        self._intake.gap(encode_gap(gap), self._name)
