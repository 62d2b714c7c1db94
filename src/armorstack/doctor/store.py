"""The sinks as the running worker tells of them; without one, the stores as they lie on disk.

Invariant: a store is opened for reading only, and only while no other process has it or is about
to: the shared lock lasts for two queries. Mending must not go here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from armorstack.config import DuckdbSink
from armorstack.doctor.case import Case, shown
from armorstack.doctor.finding import Finding, failure, note, ok, warning
from armorstack.doctor.locks import holder, shared
from armorstack.doctor.processes import Scene
from armorstack.doctor.words import number, size, span
from armorstack.health import BEHIND_S
from armorstack.state import SinkState

CATALOGUE = "catalog.duckdb"
_SETTINGS: dict[str, Any] = {
    "threads": 1, "memory_limit": "128MB", "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false", "python_enable_replacements": "false",
}  # fmt: skip
_SUMS = "SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(bytes), 0) FROM parts"


def check_sinks(case: Case, scene: Scene) -> Iterator[Finding]:
    """Each sink, by whoever knows best."""
    if scene.worker_lives and scene.worker:
        for state in scene.worker.sinks:
            yield from _check_running(case, state)
        return
    for name, sink in case.config.sink.items():
        if isinstance(sink, DuckdbSink):
            folder = Path(sink.path) if sink.path else case.folder / "store"
            yield _check_store(case, name, folder, scene)


def _check_running(case: Case, state: SinkState) -> Iterator[Finding]:
    name = state.name
    if state.waits_for:
        told = f"sink {name} waits: {state.waits_for}"
        yield failure("store.sink", told, *_mend(case, state.waits_for), subject=name)
    elif not state.is_open:
        yield warning("store.sink", f"sink {name} is not open yet", subject=name)
    elif state.lag_s > BEHIND_S:
        told = f"sink {name} is {span(state.lag_s)} behind"
        yield warning("store.sink", told, case.command("spool status"), subject=name)
    else:
        told = (
            f"sink {name} is open: {number(state.stored, 'event')} stored, lag {state.lag_s:.1f} s"
        )
        yield ok("store.sink", told, name)
    for reason, times in state.missed.items():
        told = f"sink {name} missed rows {number(times, 'time')}: {reason}"
        yield warning("store.missed", told, "raise spool.max_bytes", subject=name)


def _mend(case: Case, why: str) -> list[str]:
    if "space" in why.lower() or "disk" in why.lower():
        return [
            f"df -h {shown(case.folder)}",
            "lower sink.duckdb.max_age_days or set its max_bytes",
        ]
    return ["what is received meanwhile waits in the spool: " + case.command("spool status")]


def _check_store(case: Case, name: str, folder: Path, scene: Scene) -> Finding:
    owner = holder(folder / "lock") or scene.worker_pid or scene.run_pid
    if owner:
        told = f"the store of sink {name} is left alone: process {owner} has it or is about to"
        return note("store.open", told, subject=name)
    if not (folder / CATALOGUE).exists():
        return note("store.open", f"sink {name} has no store yet in {folder}", subject=name)
    try:
        with shared(folder / "lock") as free:
            if free:
                return _look(case, name, folder)
    except OSError as error:
        told = f"the store in {folder} cannot be read: {error.strerror}"
        return failure("store.open", told, f"ls -la {shown(folder)}", subject=name)
    return note("store.open", f"the store of sink {name} was opened just now", subject=name)


def _look(case: Case, name: str, folder: Path) -> Finding:
    """Read the catalogue, and whether the parts it lists are there."""
    import duckdb

    from armorstack.engines.duckdb.catalog import STEPS

    try:
        with duckdb.connect(folder / CATALOGUE, read_only=True, config=_SETTINGS) as connection:
            (version,) = connection.execute("SELECT version FROM meta").fetchall()[0]
            parts, rows, taken = connection.execute(_SUMS).fetchall()[0]
            names = connection.execute("SELECT name FROM parts").fetchall()
    except (duckdb.Error, IndexError, ValueError) as error:
        return _unreadable(case, name, folder, str(error).partition("\n")[0])
    if version > len(STEPS):
        told = f"the store in {folder} has version {version}, this armorstack knows {len(STEPS)}"
        mend = "use the version of armorstack that wrote it, or a newer one"
        return failure("store.open", told, mend, subject=name)
    missing = sum(not (folder / "parts" / part).exists() for (part,) in names)
    if missing:
        told = f"{number(missing, 'part')} that the store in {folder} lists are missing"
        return failure("store.parts", told, f"bring back {shown(folder / 'parts')}", subject=name)
    told = (
        f"{folder} can be read: {number(rows, 'event')} in {number(parts, 'part')}, {size(taken)}"
    )
    return ok("store.open", told, name)


def _unreadable(case: Case, name: str, folder: Path, why: str) -> Finding:
    told = f"the catalogue of the store in {folder} cannot be read: {why}"
    if "with version number" in why:
        mend = "use the version of armorstack that wrote it, or a newer one"
        return failure("store.open", told, mend, subject=name)
    keep = f"cp -a {shown(folder)} {shown(folder.with_name(folder.name + '.copy'))}"
    start = "start armorstack: it keeps the damaged catalogue and makes a new one from the parts"
    return failure("store.open", told, keep, start, subject=name)
