"""What a person is told while armorstack runs: totals, rates, and plain lines.

Totals add up over restarts: a process that is started again counts from zero, its predecessor's
last report is kept. Pure but for writing lines to the stream it was given. The live picture of a
terminal is in `live.py`.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Protocol, TextIO

from msgspec import Struct

from armorstack.core.text import printable
from armorstack.health import reasons
from armorstack.state import ReceiverState, SinkState, SourceState, WorkerState

RATE_WINDOW_S = 5.0
PLAIN_EVERY_S = 5.0
SETTLE_S = 3.0


class Totals(Struct, frozen=True):
    """Counts since the command was started."""

    received: int = 0
    stored: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    dropped: int = 0
    skipped: int = 0
    missed: int = 0
    let_go: int = 0
    """Events that filters dropped or folded into others."""


class Picture(Struct, frozen=True):
    """One moment, for a display."""

    now_us: int
    started_us: int
    receiver: ReceiverState | None
    worker: WorkerState | None
    totals: Totals
    in_per_s: float
    stored_per_s: float
    url: str
    data_dir: str
    passing: bool = False
    """Whether it ends, or goes over to other settings."""

    def reasons(self) -> list[str]:
        """What is wrong just now; nothing while it begins, ends or changes."""
        if self.passing or self.now_us - self.started_us < SETTLE_S * 1e6:
            return []
        return list(reasons(self.receiver, self.worker, self.now_us))

    def lag_s(self) -> float:
        """From receiving to being in the store, of the slowest sink."""
        sinks = self.worker.sinks if self.worker else ()
        return max((sink.lag_s for sink in sinks), default=0.0)


class Display(Protocol):
    """A way to show pictures."""

    in_place: bool
    """Whether it draws over what it drew, so that nobody else may write to the terminal."""
    is_seen: bool
    """Whether it is a terminal that somebody looks at, and no log."""

    def show(self, picture: Picture) -> None:
        """Show this moment."""

    def note(self, line: str) -> None:
        """Tell something that happened, once."""

    def greet(self, line: str) -> None:
        """Tell what a person needs to begin, once."""

    def close(self) -> None:
        """Leave the terminal as it was found."""


class Ledger:
    """Adds up the reports of all processes that were started, and their rates."""

    def __init__(self) -> None:
        self._receivers: dict[int, ReceiverState] = {}
        self._workers: dict[int, WorkerState] = {}
        self._moments: deque[tuple[int, int, int]] = deque()

    def enter(
        self, receiver: ReceiverState | None, worker: WorkerState | None, now_us: int
    ) -> None:
        """Take in the newest reports."""
        if receiver:
            self._receivers[receiver.started_us] = receiver
        if worker:
            self._workers[worker.started_us] = worker
        totals = self.totals()
        self._moments.append((now_us, totals.received, totals.stored))
        while len(self._moments) > 2 and now_us - self._moments[1][0] > RATE_WINDOW_S * 1e6:
            self._moments.popleft()

    def totals(self) -> Totals:
        """Counts over all processes."""
        workers, receivers = list(self._workers.values()), self._receivers.values()
        sinks = [sink for worker in workers for sink in leading(worker)]
        stored, duplicates = self._stored(workers)
        return Totals(
            received=sum(receiver.received for receiver in receivers),
            stored=stored,
            duplicates=duplicates,
            dead_letters=sum(sum(worker.dead_letters.values()) for worker in workers),
            dropped=sum(sum(receiver.dropped.values()) for receiver in receivers),
            skipped=sum(sum(worker.skipped.values()) for worker in workers),
            missed=sum(sum(sink.missed.values()) for sink in sinks),
            let_go=sum(each.dropped for worker in workers for each in worker.filters),
        )

    def _stored(self, workers: Sequence[WorkerState]) -> tuple[int, int]:
        """Stored events and duplicates. What an earlier worker had stored but not made durable
        came again to the next one, and counts there."""
        stored = duplicates = 0
        for worker in workers:
            for sink in leading(worker):
                is_last = worker is workers[-1]
                stored += sink.stored if is_last else sink.durable_stored
                duplicates += sink.duplicates if is_last else sink.durable_duplicates
        return stored, duplicates

    def counts(self, member: str) -> Counter[str]:
        """Events by stream, action or severity over all workers."""
        total: Counter[str] = Counter()
        for worker in self._workers.values():
            total.update(getattr(worker, member))
        return total

    def rates(self) -> tuple[float, float]:
        """Frames received and events stored per second, over the last seconds."""
        if len(self._moments) < 2:
            return 0.0, 0.0
        (begin_us, received, stored), (end_us, received_now, stored_now) = (
            self._moments[0], self._moments[-1],
        )  # fmt: skip
        seconds = max(1e-6, (end_us - begin_us) / 1e6)
        return (received_now - received) / seconds, (stored_now - stored) / seconds

    def restarted(self) -> bool:
        """Whether a process had to be started again; one that could say all that it had done
        before it ended (a reload) does not count."""
        reports = (list(self._receivers.values()), list(self._workers.values()))
        return any(each.phase != "stopped" for earlier in reports for each in earlier[:-1])


def leading(worker: WorkerState) -> tuple[SinkState, ...]:
    """The sink whose figures stand for all: the first that is required, else the first; none where
    there is none yet."""
    return (*(sink for sink in worker.sinks if sink.required), *worker.sinks)[:1]


def closing_lines(ledger: Ledger, data_dir: str) -> str:
    """What is said at the end."""
    totals = ledger.totals()
    parts = [
        f"received {totals.received}", f"stored {totals.stored}",
        f"duplicates {totals.duplicates}", f"dead letters {totals.dead_letters}",
        f"lost {totals.dropped}",
    ]  # fmt: skip
    if totals.let_go:
        parts.append(f"let go by filters {totals.let_go}")
    if totals.skipped:
        parts.append(f"lines that are no events {totals.skipped}")
    lines = [", ".join(parts), f"the data lie in {data_dir}"]
    taken = totals.stored + totals.duplicates + totals.dead_letters + totals.skipped
    if taken > totals.received and not ledger.restarted():
        lines.append(f"{taken - totals.received} of them had been received by an earlier run")
    if ledger.restarted():
        lines.append("a process was started again: its last second may be missing in these counts")
    return "\n".join(lines)


def source_line(source: SourceState) -> str:
    """How a source is doing, in one line."""
    name = printable(source.name)
    if source.finished:
        return f"{name}: finished" + (f": {printable(source.error)}" if source.error else "")
    if source.connected:
        again = f", {source.reconnects} reconnects" if source.reconnects else ""
        return f"{name}: connected{again}"
    why = f": {printable(source.error)}" if source.error else ""
    hint = f" (hint: {printable(source.hint)})" if source.hint else ""
    return f"{name}: not connected{why}{hint}"


class PlainDisplay:
    """A line every few seconds, and one when a source or a reason changes; for pipes and logs."""

    in_place = False

    def __init__(self, stream: TextIO, *, every_s: float = PLAIN_EVERY_S) -> None:
        self._stream, self._every_us = stream, int(every_s * 1e6)
        self.is_seen = not stream.closed and stream.isatty()
        self._next_us = 0
        self._sources: dict[str, str] = {}
        self._reasons: set[str] = set()

    def show(self, picture: Picture) -> None:
        """Write what changed, and from time to time the counts."""
        sources = picture.receiver.sources if picture.receiver else ()
        for source in sources:
            line = source_line(source)
            if self._sources.get(source.name) != line:
                self._sources[source.name] = line
                self.note(line)
        if picture.receiver and not picture.passing:
            for name in self._sources.keys() - {source.name for source in sources}:
                del self._sources[name]
                self.note(f"{printable(name)}: no longer read")
        if picture.now_us >= self._next_us:
            if self._next_us:
                self.note(counts_line(picture))
                self._tell_reasons(picture.reasons())
            self._next_us = picture.now_us + self._every_us

    def _tell_reasons(self, found: Iterable[str]) -> None:
        """A reason is told when it is new; its numbers may go on changing."""
        kinds = {"".join(c for c in reason if not c.isdigit()): reason for reason in found}
        for kind, reason in kinds.items():
            if kind not in self._reasons:
                self.note(f"attention: {printable(reason)}")
        self._reasons = set(kinds)

    def note(self, line: str) -> None:
        """Write one line; a reader that is gone is no reason to stop keeping events."""
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):
            return

    def greet(self, line: str) -> None:
        """Write the line."""
        self.note(line)

    def close(self) -> None:
        """Nothing to tidy up."""


class QuietDisplay:
    """Says nothing but what happened once."""

    in_place = False
    is_seen = False

    def __init__(self, stream: TextIO) -> None:
        self._plain = PlainDisplay(stream)

    def show(self, picture: Picture) -> None:
        """Nothing."""

    def note(self, line: str) -> None:
        """Write the line."""
        self._plain.note(line)

    def greet(self, line: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing to tidy up."""


def counts_line(picture: Picture) -> str:
    """The counts in one line."""
    totals, spool = picture.totals, picture.receiver.spool if picture.receiver else None
    kept = spool.bytes / 2**20 if spool else 0.0
    let_go = f"let go {totals.let_go}, " if totals.let_go else ""
    return (
        f"in {picture.in_per_s:.1f}/s, stored {picture.stored_per_s:.1f}/s, "
        f"received {totals.received}, stored {totals.stored}, duplicates {totals.duplicates}, "
        f"{let_go}dead letters {totals.dead_letters}, lost {totals.dropped}, "
        f"spool {kept:.1f} MiB, lag {picture.lag_s():.2f} s"
    )
