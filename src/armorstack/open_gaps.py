"""Gaps that have not ended: what the receiver's report says of losses that go on just now.

Pure: a report and the time in, gaps out, with the time as their end. Told only of sources that
lose events while nobody listens: relays, and what stdin had given a receiver that crashed.
"""

from collections.abc import Iterator

from armorstack.core.gap import Gap, Reason
from armorstack.health import is_live
from armorstack.state import ReceiverState, SourceState

REASONS: tuple[Reason, ...] = ("disconnect", "spool_overflow", "stop", "crash")
"""What may be open."""


def open_gaps(receiver: ReceiverState | None, now_us: int) -> tuple[Gap, ...]:
    """The gaps that are open at this moment; none where there never was a receiver."""
    if receiver is None:
        return ()
    if is_live(receiver, now_us):
        return (*_disconnected(receiver, now_us), *_not_appended(receiver, now_us))
    return tuple(_not_running(receiver, now_us))


def _disconnected(receiver: ReceiverState, now_us: int) -> Iterator[Gap]:
    for source in receiver.sources:
        start_us = min(source.since_us or source.last_frame_us, now_us)
        # One that was never connected has not lost anything.
        if source.kind == "relay" and not source.connected and start_us:
            yield Gap("disconnect", source.name, start_us, now_us, detail=source.error)


def _not_appended(receiver: ReceiverState, now_us: int) -> Iterator[Gap]:
    """While the spool takes nothing, a relay drops what its queues cannot hold."""
    if not receiver.spool.full:
        return
    start_us = min(receiver.last_commit_us or receiver.started_us, now_us)
    for source in receiver.sources:
        if source.kind == "relay":
            yield Gap("spool_overflow", source.name, start_us, now_us, detail=receiver.spool.full)


class FullSpool:
    """Watches whether the spool takes frames; what relays lost meanwhile is told at the end."""

    def __init__(self) -> None:
        self._full: ReceiverState | None = None
        """The first report of a spool that takes none."""
        self._blocked_s = 0.0
        """How long sources had waited, by the last report of one that does."""

    def ended(self, report: ReceiverState) -> tuple[Gap, ...]:
        """The gaps that end with this report; none where no source had to wait."""
        if report.spool.full:
            self._full = self._full or report
            return ()
        full, self._full = self._full, None
        blocked_s, self._blocked_s = self._blocked_s, report.blocked_s
        if full is None or report.blocked_s <= blocked_s:
            return ()
        return tuple(_not_appended(full, report.updated_us))


def _not_running(receiver: ReceiverState, now_us: int) -> Iterator[Gap]:
    reason: Reason = "stop" if receiver.phase == "stopped" else "crash"
    if not receiver.last_commit_us:
        return
    start_us = min(receiver.last_commit_us, now_us)
    for source in receiver.sources:
        if _loses(source, reason):
            yield Gap(reason, source.name, start_us, now_us, detail="the receiver is not running")


def _loses(source: SourceState, reason: Reason) -> bool:
    lost_stdin = source.kind == "stdin" and reason == "crash" and not source.finished
    return source.kind == "relay" or lost_stdin
