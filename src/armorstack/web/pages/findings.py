"""Why a screen is empty, or what is wrong: findings from states, with the commands that mend them.

Pure: reports and the time in, sentences out. Invariant: whatever `health.reasons` tells is told
here too, so that page and /health never contradict; a command names nothing that an event said.
"""

import shlex
from collections.abc import Iterator

from msgspec import Struct

from armorstack.core.commands import Command, is_safe
from armorstack.health import BEHIND_S, FULL_SHARE, SILENT_S, Health, is_live
from armorstack.state import ReceiverState, SinkState, SourceState, WorkerState

DAY_US = 86_400 * 1_000_000


class Finding(Struct, frozen=True):
    """One thing that is so, and what to do about it."""

    text: str
    hint: str = ""
    mend: tuple[Command, ...] = ()


class Step(Struct, frozen=True):
    """One step of the first hour."""

    text: str
    is_done: bool
    mend: tuple[Command, ...] = ()


SAMPLE = Command("armorstack run --sample", "events of a scripted incident, to look around")
DOCTOR = Command("armorstack doctor", "looks at everything from the settings to the relay")
SPOOL = Command("armorstack spool status", "what waits there, and for which sinks")
TRY = Command("armorstack try-config --help", "shows what rules do to events, before they do it")
GAPS = Command("armorstack gaps", "when that was, and what is known to be lost")
CONNECT = (
    Command(
        "kubectl -n kubearmor port-forward deploy/kubearmor-relay 32767:32767",
        "makes the cluster's relay reachable from here",
    ),
    Command("armorstack run --relay 127.0.0.1:32767", "receives from it"),
    Command("armorstack doctor --relay 127.0.0.1:32767", "tells what is wrong if nothing comes"),
)
SILENT = (
    Command("kubectl get kubearmorpolicies,kubearmorclusterpolicies -A", "are there policies?"),
    Command(
        "kubectl annotate namespace NAMESPACE kubearmor-visibility=process,file,network",
        "has KubeArmor report what happens in a namespace, without any policy",
    ),
    Command("kubectl -n kubearmor get pods", "is KubeArmor running on each node?"),
)
LETTERS = (
    Command("armorstack deadletters list", "what was refused, and why"),
    Command("armorstack deadletters replay --all", "tries them again"),
)


def findings(health: Health, newest_us: int | None, now_us: int) -> tuple[Finding, ...]:
    """What keeps events from being seen, the most upstream first; nothing where all is well."""
    found = [*_of_receiver(health.receiver, now_us)]
    found += _of_worker(health.worker)
    if not found:
        found += _of_silence(health, newest_us, now_us)
    return tuple(found)


def first_hour(health: Health, stored: int, now_us: int) -> tuple[Step, ...]:
    """The way from nothing to the first event on a page."""
    receiver = health.receiver
    sources = receiver.sources if receiver else ()
    return (
        Step("A receiver works on this data folder", is_live(receiver, now_us), (*CONNECT, SAMPLE)),
        Step("A source is connected", any(each.connected for each in sources), CONNECT[::2]),
        Step("KubeArmor has sent something", bool(receiver and receiver.received), SILENT),
        Step("An event is stored", stored > 0, (SPOOL, DOCTOR)),
    )


def _of_receiver(receiver: ReceiverState | None, now_us: int) -> Iterator[Finding]:
    if receiver is None:
        yield Finding(
            "No receiver has ever worked on this data folder: nothing brings events here.",
            mend=(*CONNECT, SAMPLE),
        )
        return
    finished = receiver.sources and all(source.finished for source in receiver.sources)
    if not is_live(receiver, now_us) and not finished:
        yield Finding("The receiver is not running: nothing is received just now.",
                      "start it again with the command it was started with", (DOCTOR,))  # fmt: skip
    for source in receiver.sources:
        yield from _of_source(source, now_us)
    yield from _of_spool(receiver)


def _of_source(source: SourceState, now_us: int) -> Iterator[Finding]:
    if source.finished:
        if source.error:
            yield Finding(f"Source {source.name} ended: {source.error}.", source.hint, (DOCTOR,))
        return
    if not source.connected:
        why = f": {source.error}" if source.error else ""
        yield Finding(f"Source {source.name} is not connected{why}.", source.hint, _reach(source))
        return
    silent_s = (now_us - max(source.last_frame_us, source.since_us)) / 1e6
    if silent_s > SILENT_S:
        never = "has sent nothing yet" if not source.last_frame_us else "has fallen silent"
        yield Finding(
            f"Source {source.name} is connected and {never}.",
            "KubeArmor reports what a policy judges, and what it was told to watch", SILENT,
        )  # fmt: skip


def _reach(source: SourceState) -> tuple[Command, ...]:
    if source.kind != "relay":
        return (DOCTOR,)
    _, slash, address = source.name.partition("relay/")
    line = ["armorstack", "doctor", *(("--relay", address) if slash and is_safe(address) else ())]
    look = Command(shlex.join(line), "looks at each step of the way to it")
    return (look, CONNECT[0], Command("kubectl -n kubearmor get pods,services", "is it there?"))


def _of_spool(receiver: ReceiverState) -> Iterator[Finding]:
    spool = receiver.spool
    if spool.full:
        yield Finding(f"The spool takes nothing just now: {spool.full}.",
                      "make room on its disk", (DOCTOR,))  # fmt: skip
    elif spool.max_bytes and spool.bytes > FULL_SHARE * spool.max_bytes:
        share = 100 * spool.bytes / spool.max_bytes
        yield Finding(f"The spool is {share:.0f} % full: a sink does not keep up.",
                      mend=(SPOOL,))  # fmt: skip
    if spool.recoveries:
        left = f"what is left lies in {spool.recovered}"
        yield Finding("The spool was damaged and replaced.", left, (GAPS,))  # fmt: skip
    for reason, count in receiver.dropped.items():
        if count:
            yield Finding(f"{count} frames were received and lost: {reason}.", mend=(DOCTOR,))


def _of_worker(worker: WorkerState) -> Iterator[Finding]:
    for sink in worker.sinks:
        yield from _of_sink(sink)
    if worker.letters_kept:
        yield Finding(
            f"{worker.letters_kept} frames were refused and wait for a person.", mend=LETTERS
        )


def _of_sink(sink: SinkState) -> Iterator[Finding]:
    if sink.waits_for:
        yield Finding(f"Sink {sink.name} waits: {sink.waits_for}.", mend=(DOCTOR,))
    elif sink.lag_s > BEHIND_S:
        yield Finding(f"Sink {sink.name} is {sink.lag_s:.0f} s behind: what is newer is not there "
                      "yet.", mend=(SPOOL,))  # fmt: skip
    for reason, count in sink.missed.items():
        yield Finding(f"Sink {sink.name} missed rows {count} times: {reason}.",
                      mend=(GAPS,))  # fmt: skip


def _of_silence(health: Health, newest_us: int | None, now_us: int) -> Iterator[Finding]:
    """Everything works: then it is what comes, or what is let through."""
    if newest_us is None:
        yield _of_nothing(health)
    elif now_us - newest_us > DAY_US:
        text = "The newest event is older than a day, and pages show the last day at first."
        yield Finding(text, "choose a longer time there", SILENT[:1])


def _of_nothing(health: Health) -> Finding:
    """Why nothing at all is stored, the most likely first."""
    worker, received = health.worker, health.receiver.received if health.receiver else 0
    dropped = sum(each.dropped for each in worker.filters)
    skipped = sum(worker.skipped.values())
    if not received:
        return Finding("Everything works, but no event has come yet.", mend=(*SILENT, SAMPLE))
    if dropped:
        text = f"No event is stored: filters let go of {dropped} of those that came."
        return Finding(text, "see what each of them did below", (TRY,))
    if worker.unmatched:
        text = f"No match gives the {worker.unmatched} events that came to a sink."
        return Finding(text, "add a [[match]] that does", (TRY,))
    if skipped:
        text = f"{skipped} lines came, and none of them is an event."
        return Finding(text, "the source reads another program's log", (DOCTOR,))
    return Finding("Events came, and none is stored yet.", "they may be a moment away", (SPOOL,))
