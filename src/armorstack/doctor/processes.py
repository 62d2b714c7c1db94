"""The processes: which run, which died, and what the running ones say is wrong.

Invariant: what a process says of itself is believed only while it is live. Locks are looked up,
never tried. The store, and what only listening can tell, must not go here.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from armorstack.doctor.case import Case
from armorstack.doctor.finding import Finding, failure, note, ok, warning
from armorstack.doctor.locks import holder
from armorstack.doctor.words import ago, number, size
from armorstack.health import SILENT_S, is_live
from armorstack.state import (
    ReceiverState,
    SourceState,
    WorkerState,
    read_state,
    receiver_path,
    worker_path,
)

START_S = 10.0
"""Both children are started at once; one that is so much younger than `run` was started again."""
LOG = "its log says why: journalctl -u armorstack, kubectl logs --previous, or its terminal"


class Scene(Struct, frozen=True):
    """Who works in a data folder at one moment."""

    now_us: int
    receiver: ReceiverState | None
    worker: WorkerState | None
    run_pid: int
    """The supervisor, 0: none, or nobody can tell."""
    run_since_us: int
    receiver_pid: int
    """Who holds the receiver's lock."""
    worker_pid: int

    @property
    def receiver_lives(self) -> bool:
        """Whether a receiver reports."""
        return is_live(self.receiver, self.now_us)

    @property
    def worker_lives(self) -> bool:
        """Whether a worker reports."""
        return is_live(self.worker, self.now_us)


def look(folder: Path) -> Scene:
    """The scene now."""
    run = folder / "run"
    run_pid = holder(run / "run.lock")
    return Scene(
        time.time_ns() // 1000,
        read_state(receiver_path(str(folder)), ReceiverState),
        read_state(worker_path(str(folder)), WorkerState),
        run_pid,
        (run / "run.lock").stat().st_mtime_ns // 1000 if run_pid else 0,
        holder(run / "receiver.lock"),
        holder(run / "worker.lock"),
    )


def check_processes(case: Case, scene: Scene) -> Iterator[Finding]:
    """Who runs, and what they complain about."""
    if scene.run_pid:
        yield ok("process.run", f"`armorstack run` is process {scene.run_pid}", "run")
    yield _check_process("receiver", scene.receiver, scene.receiver_pid, scene)
    yield _check_process("worker", scene.worker, scene.worker_pid, scene)
    yield from _check_restarts(scene)
    if scene.receiver_lives and scene.receiver:
        for source in scene.receiver.sources:
            yield from _check_source(source, scene.now_us)
        yield from _check_receiver(case, scene.receiver)


def _check_process(
    name: str, state: ReceiverState | WorkerState | None, pid: int, scene: Scene
) -> Finding:
    check = f"process.{name}"
    if state is None:
        told = f"no {name} has reported here yet" + (f"; process {pid} is starting" if pid else "")
        return note(check, told, subject=name)
    if is_live(state, scene.now_us):
        since, memory = ago(state.started_us, scene.now_us), size(state.resident_bytes)
        told = f"the {name} is process {state.pid}, started {since}, {state.phase}, {memory}"
        return ok(check, told, name)
    when = ago(state.updated_us, scene.now_us)
    if state.phase == "stopped":
        return note(check, f"the {name} was stopped {when}", subject=name)
    if pid == state.pid:
        told = f"the {name}, process {pid}, has not reported for {when.removesuffix(' ago')}"
        mend = f"kill {pid}   # `armorstack run` starts it again; nothing received is lost"
        return failure(check, told, mend, subject=name)
    told = f"the {name} ended without saying so {when}: it crashed or was killed"
    if scene.run_pid:
        return failure(check, f"{told}; `run` starts it again", LOG, subject=name)
    return failure(check, told, f"start armorstack again; {LOG}", subject=name)


def _check_restarts(scene: Scene) -> Iterator[Finding]:
    for name, state in (("receiver", scene.receiver), ("worker", scene.worker)):
        if not scene.run_pid or state is None:
            continue
        if state.started_us - scene.run_since_us > START_S * 1e6:
            told = f"the {name} had to be started again {ago(state.started_us, scene.now_us)}"
            yield warning("process.restarts", told, LOG, subject=name)


def check_steadiness(before: Scene, after: Scene) -> Iterator[Finding]:
    """Whether a process was replaced while sources were listened to."""
    pairs = (("receiver", before.receiver, after.receiver), ("worker", before.worker, after.worker))
    for name, then, now in pairs:
        if then and now and then.started_us != now.started_us and before.run_pid == after.run_pid:
            told = f"the {name} crashes again and again: a new one started while we looked"
            yield failure("process.restarts", told, LOG, subject=name)


def _check_source(source: SourceState, now_us: int) -> Iterator[Finding]:
    """A source as the running receiver sees it."""
    check, name = "process.source", source.name
    if source.finished:
        told = f"{name} is finished" + (f": {source.error}" if source.error else "")
        yield (warning if source.error else ok)(check, told, subject=name)
    elif not source.connected and not source.error:
        told = f"the receiver is not connected to {name} yet, and has met no error"
        yield warning(check, told, "look again in some seconds", subject=name)
    elif not source.connected:
        told = f"the receiver is not connected to {name}: {source.error}"
        yield failure(check, told, *filter(None, [source.hint]), subject=name)
    elif now_us - max(source.last_frame_us, source.since_us) > SILENT_S * 1e6:
        silent = ago(max(source.last_frame_us, source.since_us), now_us).removesuffix(" ago")
        told = f"the receiver is connected to {name}, and heard nothing for {silent}"
        yield warning(check, told, "see what is told of that source below", subject=name)
    else:
        yield ok(check, f"the receiver is connected to {name}", name)
    if source.reconnects:
        told = f"{name} was dialled again {number(source.reconnects, 'time')}"
        yield note("process.reconnects", told, subject=name)


def _check_receiver(case: Case, state: ReceiverState) -> Iterator[Finding]:
    if state.spool.full:
        told = f"the spool takes nothing just now: {state.spool.full}"
        yield failure("process.full", told, case.command("spool status"))
    for reason, dropped in state.dropped.items():
        if dropped:
            told = f"the receiver dropped {number(dropped, 'frame')}: {reason}"
            yield warning("process.dropped", told, "raise spool.max_bytes")
