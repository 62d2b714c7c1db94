"""The webhook's `Sink`: which events are sent, in which messages, and what became of each row.

Invariant: a row counts as accepted when the server took it or when the settings leave it out; an
id is remembered only after the server took it. Nothing waits here: when no message may go, the
rows are given back, and the worker comes again after a while.

A message that the server calls bad is halved (too large) or followed by messages of a single entry
(refused), so that the one bad entry ends as a dead letter and the others arrive; with each success
the next one may hold one entry more. This is kept between calls: else a message that is refused as
a whole, with only one message allowed a minute, would be refused for ever.
"""

import json
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import structlog
from msgspec import Struct

from armorstack.config import WebhookSink as Settings
from armorstack.core.batch import Batch, Rejected
from armorstack.core.gap import Gap, encode_gap
from armorstack.core.rebuild import rebuild
from armorstack.core.select import Columns, compile_select
from armorstack.errors import EngineError
from armorstack.sinks.contract import Outcome
from armorstack.sinks.recent import RecentIds
from armorstack.sinks.webhook.entries import Entry, fold, told
from armorstack.sinks.webhook.forms import FORMS
from armorstack.sinks.webhook.messenger import Messenger
from armorstack.sinks.webhook.resolve import Lookup

REFUSED = "webhook_refused"
"""Class of the dead letters."""

log = structlog.get_logger()


class Round(Struct):
    """What became of the entries of one call so far."""

    rows: pa.RecordBatch
    waiting: list[Entry]
    taken: int = 0
    rejected: list[Rejected] = msgspec.field(default_factory=list)

    def has_progress(self) -> bool:
        """Whether any row has its fate already."""
        return bool(self.taken or self.rejected)


class WebhookSink:
    """A `Sink` over one URL; one thread calls."""

    def __init__(
        self, name: str, settings: Settings, data_dir: Path,
        monotonic: Callable[[], float] = time.monotonic, lookup: Lookup = socket.getaddrinfo,
    ) -> None:  # fmt: skip
        """Raises ConfigError for a wrong URL or select."""
        path = f"$.sink.{name}"
        self.name = name
        self.required = settings.required
        self.gaps_refused = 0
        """Gaps that the server would not be told of."""
        self._settings, self._monotonic = settings, monotonic
        self._select = compile_select(settings.select, f"{path}.select")
        self._messenger = Messenger(path, settings, monotonic, lookup)
        self._form = FORMS[settings.form]
        self._max_entries = min(settings.max_events, self._form.max_entries)
        self._entries_now = self._max_entries
        self._recent, self._told_gaps = RecentIds(), RecentIds()

    def open(self) -> int | None:
        """Read the files; raises EngineError where one cannot be used. Asks no server."""
        self._messenger.read_files()
        return None

    def write(self, batch: Batch) -> Outcome:
        """Tell gaps and events; raises EngineError when nothing could be told just now."""
        until = self._monotonic() + self._settings.timeout_s
        self._tell_gaps(batch.gaps, until)
        wanted = self._wanted(batch.rows)
        ids = batch.rows.column("id").take(wanted).to_pylist()
        fresh = wanted.take(pa.array(self._recent.unseen(ids), pa.int64())).to_pylist()
        done = Round(batch.rows, fold(batch.rows, fresh))
        self._send(done, until)
        return Outcome(
            accepted=done.taken,
            duplicates=len(wanted) - len(fresh),
            retry=tuple(sorted(index for entry in done.waiting for index in entry.indices)),
            rejected=tuple(done.rejected),
            left_out=len(batch.rows) - len(wanted),
        )

    def cursor(self) -> int | None:
        """None: what the server took is its own."""
        return None

    def tick(self) -> None:
        """Nothing: messages go when there are events."""

    def flush(self) -> None:
        """Nothing: what `write` took, the server has."""

    def removed(self) -> dict[str, int]:
        """Nothing is kept here, so nothing is removed."""
        return {}

    def close(self) -> None:
        """Nothing: no connection outlives its message."""

    def _wanted(self, rows: pa.RecordBatch) -> pa.Array:
        """Indices of the rows that the settings mean."""
        columns = Columns(rows)
        mask = self._select.mask(columns)
        if self._settings.min_severity:
            high = pc.greater_equal(columns.severity(), self._settings.min_severity)
            mask = pc.and_(mask, pc.fill_null(high, False))
        return pc.indices_nonzero(mask).cast(pa.int64())

    def _send(self, done: Round, until: float) -> None:
        """Send until nothing waits, or no message may go; so a stop of the worker is heeded,
        no message begins after `until`."""
        while done.waiting and self._messenger.may_post() and self._monotonic() < until:
            try:
                self._send_some(done)
            except EngineError:
                # Rows that have their fate must be told; the next call meets the fault again.
                if not done.has_progress():
                    raise
                return

    def _send_some(self, done: Round) -> None:
        """One message, and what its answer means for the entries in it."""
        entries, body = self._message(done)
        verdict = self._messenger.post(body)
        if verdict.meaning == "taken":
            self._note_taken(done, entries)
        elif verdict.meaning in ("refused", "too_large"):
            if len(entries) == 1:
                done.rejected += [
                    _letter(done.rows, at, verdict.reason) for at in entries[0].indices
                ]
                del done.waiting[0]
            self._entries_now = len(entries) // 2 or 1 if verdict.meaning == "too_large" else 1

    def _note_taken(self, done: Round, entries: Sequence[Entry]) -> None:
        indices = [index for entry in entries for index in entry.indices]
        self._recent.add(done.rows.column("id").take(pa.array(indices, pa.int64())).to_pylist())
        self._entries_now = min(self._entries_now + 1, self._max_entries)
        done.taken += len(indices)
        del done.waiting[: len(entries)]

    def _message(self, done: Round) -> tuple[list[Entry], bytes]:
        """As many of the waiting entries as one message may hold."""
        entries = done.waiting[: self._entries_now]
        shown = [told(done.rows, entry) for entry in entries]
        while True:
            body = self._form.body(shown, ())
            if len(body) <= self._form.max_bytes or len(shown) == 1:
                return entries[: len(shown)], body
            shown = shown[: len(shown) // 2]
            self._entries_now = len(shown)

    def _tell_gaps(self, gaps: Sequence[Gap], until: float) -> None:
        """Tell those that were not told yet; raises EngineError when one cannot be told now."""
        frames = [encode_gap(gap) for gap in gaps]
        fresh = self._told_gaps.unseen(frames)
        while fresh:
            now, fresh = fresh[: self._max_entries], fresh[self._max_entries :]
            if self._monotonic() >= until:
                raise EngineError("some gaps are still to be told")
            self._messenger.check_pace()
            verdict = self._messenger.post(self._form.body((), [gaps[at] for at in now]))
            if verdict.meaning == "later":
                raise EngineError(verdict.reason)
            if verdict.meaning != "taken":
                self.gaps_refused += len(now)
                log.error("gaps were refused", sink=self.name, gaps=len(now), reason=verdict.reason)
            self._told_gaps.add(frames[at] for at in now)


def _letter(rows: pa.RecordBatch, at: int, reason: str) -> Rejected:
    """The event as a dead letter, in the spelling it came in."""
    row = rows.slice(at, 1).to_pylist()[0]
    received = rows.column("received").slice(at, 1).cast(pa.int64())[0].as_py()
    return Rejected(
        frame=json.dumps(rebuild(row), ensure_ascii=False).encode(), error_type=REFUSED,
        reason=reason, source=row["from_source"] or "", stream=row["stream"] or "",
        encoding="json", received_us=received or 0,
    )  # fmt: skip
