"""What is wrong just now, in sentences: for /health, /ready and the live summary.

Pure: two states and the time in, sentences out. An empty list means that all is well.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from armorstack.state import ReceiverState, SinkState, SourceState, WorkerState

SILENT_S = 60
"""A connected source without an event for so long is told: the feed stops silently at times."""
STALE_S = 5
"""States are written every second; one that is older speaks of a process that hangs or is gone."""
FULL_SHARE = 0.8
BEHIND_S = 30


class Health(Struct, frozen=True):
    """The answer of /health."""

    status: str
    """`ok` or `degraded`."""
    reasons: tuple[str, ...]
    receiver: ReceiverState | None
    worker: WorkerState


def health(receiver: ReceiverState | None, worker: WorkerState, now_us: int) -> Health:
    """How the whole is doing. Texts of events are left out: who may ask is not asked."""
    found = tuple(reasons(receiver, worker, now_us))
    worker = replace(worker, last=())
    return Health("degraded" if found else "ok", found, receiver, worker)


def reasons(
    receiver: ReceiverState | None, worker: WorkerState | None, now_us: int
) -> Iterator[str]:
    """What is wrong, most upstream first."""
    yield from _of_receiver(receiver, now_us)
    if worker is None:
        yield "the worker has not reported yet"
        return
    if _age_s(worker.updated_us, now_us) > STALE_S:
        yield f"the worker has not reported for {_age_s(worker.updated_us, now_us):.0f} s"
    for sink in worker.sinks:
        yield from _of_sink(sink)


def not_ready(worker: WorkerState) -> str:
    """Why the worker cannot do its work yet; empty when it can."""
    if not worker.spool_ready:
        return "the spool cannot be read yet: is a receiver running on this data folder?"
    closed = [sink for sink in worker.sinks if not sink.is_open]
    if closed or not worker.sinks:
        return "; ".join(f"sink {sink.name} is not open{_because(sink)}" for sink in closed) or (
            "the sinks are being opened"
        )
    return ""


def is_live(state: ReceiverState | WorkerState | None, now_us: int) -> bool:
    """Whether the state was written by a process that still works."""
    if state is None or state.phase == "stopped":
        return False
    return _age_s(state.updated_us, now_us) <= STALE_S


def _of_receiver(state: ReceiverState | None, now_us: int) -> Iterator[str]:
    if state is None:
        yield "the receiver has not reported yet"
        return
    if state.phase == "stopped" and not all(source.finished for source in state.sources):
        yield "the receiver was stopped"
    elif state.phase != "stopped" and _age_s(state.updated_us, now_us) > STALE_S:
        yield f"the receiver has not reported for {_age_s(state.updated_us, now_us):.0f} s"
    for source in state.sources:
        yield from _of_source(source, now_us)
    if state.spool.max_bytes and state.spool.bytes > FULL_SHARE * state.spool.max_bytes:
        yield f"the spool is {100 * state.spool.bytes / state.spool.max_bytes:.0f} % full"
    if state.spool.full:
        yield f"the spool takes nothing just now: {state.spool.full}"
    if state.spool.recoveries:
        yield f"the spool was damaged and replaced; what is left lies in {state.spool.recovered}"
    for reason, count in state.dropped.items():
        if count:
            yield f"{count} frames were dropped: {reason}"


def _of_source(source: SourceState, now_us: int) -> Iterator[str]:
    if source.finished:
        if source.error:
            yield f"{source.name}: ended: {source.error}"
        return
    if not source.connected:
        yield f"{source.name}: not connected{': ' if source.error else ''}{source.error}"
        return
    silent_s = _age_s(max(source.last_frame_us, source.since_us), now_us)
    if silent_s > SILENT_S:
        yield f"{source.name}: no event for {silent_s:.0f} s: connected but silent"


def _of_sink(sink: SinkState) -> Iterator[str]:
    if sink.waits_for:
        yield f"sink {sink.name}: waits: {sink.waits_for}"
    elif sink.lag_s > BEHIND_S:
        yield f"sink {sink.name}: {sink.lag_s:.0f} s behind"
    for reason, count in sink.missed.items():
        yield f"sink {sink.name}: missed rows {count} times: {reason}"


def _because(sink: SinkState) -> str:
    return f": {sink.waits_for}" if sink.waits_for else ""


def _age_s(then_us: int, now_us: int) -> float:
    return (now_us - then_us) / 1e6
