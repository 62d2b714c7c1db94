"""The spool: whole, read by its sinks, with nothing set aside that nobody looks at.

Invariant: a damaged spool is told without the note that readers leave for the writer: the doctor
writes nothing. How a spool is read must not go here.
"""

from collections.abc import Iterator
from pathlib import Path

from armorstack.config import DuckdbSink
from armorstack.doctor.case import Case
from armorstack.doctor.finding import Finding, failure, note, ok, warning
from armorstack.doctor.processes import Scene
from armorstack.doctor.words import ago, number, size
from armorstack.errors import SpoolDamaged, SpoolError
from armorstack.spool.database import guarded
from armorstack.spool.follow import Follower
from armorstack.spool.mark import first_mark, last_mark
from armorstack.spool.place import SPOOL_FILE, SUSPECT_FILE
from armorstack.spool.schema import SPOOL
from armorstack.spool.survey import Survey, survey

LATE_S = 60.0
"""Beyond the longest time that a sink of these settings may take, rows should be durable in it."""


def check_spool(case: Case, scene: Scene) -> Iterator[Finding]:
    """What it holds, what is wrong with it, and what waits for a person."""
    if not (case.spool / SPOOL_FILE).exists():
        yield note("spool.there", "there is no spool yet; the first run makes it")
        return
    fault = _fault(case)
    if fault is not None:
        yield fault
        return
    found = survey(case.spool)
    yield _check_state(found)
    yield from _check_suspect(case)
    yield _check_backlog(case, found, scene)
    yield from _check_losses(found)
    yield _check_letters(case, found)
    yield from _check_damaged_files(found)


def _fault(case: Case) -> Finding | None:
    """Why it cannot be read, None where it can."""
    try:
        _read_ends(case.spool)
    except SpoolDamaged as error:
        start = "start armorstack: it keeps the damaged file under a new name and tells a gap"
        return failure("spool.whole", str(error), case.command("spool verify"), start)
    except SpoolError as error:
        return failure("spool.whole", str(error), error.hint or case.command("spool status"))
    return None


def _read_ends(folder: Path) -> None:
    """Read the first and the last row as any reader would, but leave no note."""
    follower = Follower(folder / SPOOL_FILE, SPOOL)
    try:
        connection = follower.connection()
        if connection is not None:
            with guarded(follower.path):
                first_mark(connection)
                last_mark(connection)
    finally:
        follower.close()


def _check_state(found: Survey) -> Finding:
    state = found.status
    by = f", written by process {found.writer_pid}" if found.writer_pid else ""
    held = f"{number(state.frames, 'frame')} in {number(state.rows, 'row')}, {size(state.bytes)}"
    return ok("spool.whole", f"it can be read: {held}{by}")


def _check_suspect(case: Case) -> Iterator[Finding]:
    if (case.spool / SUSPECT_FILE).exists():
        told = "a reader met damage in the spool, and its writer has not looked yet"
        yield warning("spool.suspect", told, case.command("spool verify"))


def _check_backlog(case: Case, found: Survey, scene: Scene) -> Finding:
    """Rows that a sink has not made durable yet."""
    state = found.status
    behind = [sink.name for sink in found.sinks if sink.cursor < state.last]
    if not state.rows or (found.sinks and not behind):
        return ok("spool.backlog", "all it holds is durable in the sinks")
    age = ago(state.oldest_us, scene.now_us)
    if scene.now_us - state.oldest_us < _patience_s(case, scene) * 1e6:
        return ok("spool.backlog", f"the oldest row that waits was received {age}")
    whom = f" for {', '.join(behind)}" if behind else ": no sink has ever been open"
    told = f"the oldest of {number(state.rows, 'row')} that wait was received {age}, waiting{whom}"
    if not scene.worker_lives:
        told += "; no worker runs"
    return warning("spool.backlog", told, case.command("spool status"))


def _patience_s(case: Case, scene: Scene) -> float:
    """Rows stay in the spool until a part of the store is written."""
    sinks = case.config.sink.values() if scene.worker_lives else ()
    return LATE_S + max((s.part_interval_s for s in sinks if isinstance(s, DuckdbSink)), default=0)


def _check_losses(found: Survey) -> Iterator[Finding]:
    if found.status.dropped:
        told = f"{number(found.status.dropped, 'frame')} were dropped unread, ever: it was full"
        yield warning("spool.dropped", told, "raise spool.max_bytes, or find out why sinks waited")
    for sink in found.sinks:
        if sink.missed:
            told = f"sink {sink.name} has missed rows that were dropped before it had them"
            yield warning("spool.missed", told, "raise spool.max_bytes", subject=sink.name)


def _check_letters(case: Case, found: Survey) -> Finding:
    if not found.letters:
        return ok("spool.letters", "no dead letters")
    told = f"{number(found.letters, 'dead letter')} wait for a person, {size(found.letter_bytes)}"
    if found.letters_dropped:
        told += f"; {found.letters_dropped} older ones were dropped by their limit"
    replay = f"{case.command('deadletters replay --all')}   # once the cause is gone"
    return warning("spool.letters", told, case.command("deadletters list"), replay)


def _check_damaged_files(found: Survey) -> Iterator[Finding]:
    if found.damaged_files:
        names = ", ".join(found.damaged_files)
        told = f"damaged files were replaced and kept: {names}"
        mend = f"send them with a report, or delete them: {found.folder}"
        yield note("spool.replaced", told, mend)
