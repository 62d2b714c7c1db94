"""The whole examination, in the order in which one thing stands on another.

Invariant: a check that breaks down is told as a warning of its own, and the rest goes on. What is
checked must not go here.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from armorstack.config import FileSource, RelaySource, Source, StdinSource, source_name
from armorstack.doctor.case import Case
from armorstack.doctor.clock import check_clock, check_nodes
from armorstack.doctor.ears import Ear, FileEar, StdinEar, StreamEar, listen
from armorstack.doctor.finding import Finding, note, ok, warning
from armorstack.doctor.folder import check_folder
from armorstack.doctor.heard import Heard, newest, together, understand
from armorstack.doctor.lines import PIPE, check_file, check_growth, check_stdin, stdin_is_terminal
from armorstack.doctor.processes import Scene, check_processes, check_steadiness, look
from armorstack.doctor.relay import check_relay, check_sharing, ears_of
from armorstack.doctor.settings import check_settings
from armorstack.doctor.spool import check_spool
from armorstack.doctor.store import check_sinks
from armorstack.doctor.streams import check_streams
from armorstack.doctor.web import check_web

Tell = Callable[[str], None]


def examine(case: Case, tell: Tell) -> Iterator[Finding]:
    """Every finding; `tell` takes what is going on, for whoever waits."""
    tell("looking at this machine")
    scene = look(case.folder)
    yield from _guarded("settings", partial(check_settings, case))
    yield from _guarded("folder", partial(check_folder, case))
    yield from _guarded("spool", partial(check_spool, case, scene))
    yield from _guarded("store", partial(check_sinks, case, scene))
    yield from _guarded("process", partial(check_processes, case, scene))
    yield from _guarded("process", partial(check_web, scene, case.config.web))
    yield from _guarded("clock", check_clock)
    yield from _guarded("source", partial(_check_any_source, case, scene))
    yield from _examine_sources(case, scene, tell)
    yield from _guarded("process", lambda: check_steadiness(scene, look(case.folder)))


def _guarded(room: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check, also of one that breaks down."""
    try:
        yield from check()
    except Exception as error:
        told = f"this could not be checked to the end: {type(error).__name__}: {error}"
        yield warning(f"{room}.check", told, "run it again as `armorstack --debug doctor`")


def _check_any_source(case: Case, scene: Scene) -> Iterator[Finding]:
    if case.config.source or case.fault:
        return
    if scene.receiver_lives and scene.receiver:
        names = ", ".join(source.name for source in scene.receiver.sources)
        told = f"no source is given here; the running receiver reads {names}"
        yield note("source.any", told, "to have a relay examined: --relay HOST:PORT")
    else:
        told = "no source of events is given"
        yield warning("source.any", told, case.command("doctor --relay HOST:PORT"))


def _examine_sources(case: Case, scene: Scene, tell: Tell) -> Iterator[Finding]:
    """First the ways to all of them, then all are listened to together."""
    ears: dict[str, list[Ear]] = {}
    for source in case.config.source:
        found = list(_guarded(_room(source), partial(_reach, source, scene, tell)))
        yield from found
        if not any(each.status == "failure" for each in found):
            ears[source_name(source)] = _ears(source)
    every = [ear for some in ears.values() for ear in some]
    if not every:
        return
    listen(every, case.listen_s, tell)
    tell("reading what came")
    offsets: dict[str, float] = {}
    for source in case.config.source:
        mine = ears.get(source_name(source), [])
        heard = {ear.stream: understand(ear.rows()) for ear in mine}
        offsets = newest(offsets, _offsets(source, heard))
        yield from _guarded(_room(source), partial(_verdict, source, mine, heard, case))
    yield from _guarded("clock", partial(check_nodes, offsets))


def _room(source: Source) -> str:
    return str(source.__struct_config__.tag)


def _reach(source: Source, scene: Scene, tell: Tell) -> Iterator[Finding]:
    """What can be told of a source before it is listened to."""
    match source:
        case RelaySource():
            yield from check_relay(source, tell)
            yield from check_sharing(source, scene)
        case FileSource():
            yield from check_file(source)
        case StdinSource():
            if stdin_is_terminal():
                told = "standard input is a terminal here, so there is nothing to listen to"
                yield note("stdin.lines", told, PIPE, subject=source_name(source))
        case _:
            told = "a sample needs no cluster, and nothing of it can fail"
            yield ok("sample.there", told, source_name(source))


def _ears(source: Source) -> list[Ear]:
    match source:
        case RelaySource():
            return list(ears_of(source))
        case FileSource():
            return [FileEar(source)] if source.follow else []
        case StdinSource():
            return [] if stdin_is_terminal() else [StdinEar(source)]
    return []


def _verdict(
    source: Source, ears: list[Ear], heard: dict[str, Heard], case: Case
) -> Iterator[Finding]:
    match source, ears:
        case RelaySource(), [_, *_]:
            streams = [ear for ear in ears if isinstance(ear, StreamEar)]
            yield from check_streams(source, streams, heard, case.listen_s)
        case FileSource(), [FileEar() as ear]:
            yield from check_growth(source, ear, case.listen_s)
        case StdinSource(), [StdinEar() as ear]:
            yield check_stdin(source, ear, together(heard.values()), case.listen_s)


def _offsets(source: Source, heard: dict[str, Heard]) -> dict[str, float]:
    """How far each node's events are from the clock here. Lines may be old ones: only those from
    the future tell anything."""
    found = together(heard.values()).offsets_s
    if isinstance(source, RelaySource):
        return found
    return {node: offset_s for node, offset_s in found.items() if offset_s > 0}
