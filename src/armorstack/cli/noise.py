"""`armorstack noise`: what makes the volume, and which filter would remove how much of it.

It reads the store's files beside a running worker, or lines of events.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from armorstack.cli.human import human_span, human_time
from armorstack.cli.options import SETTINGS, load_config, with_options
from armorstack.cli.spool import AS_JSON, print_json
from armorstack.cli.times import Moment
from armorstack.core.text import printable
from armorstack.errors import ConfigError

EXAMPLES = """\b
Examples:
  armorstack noise
  armorstack noise --since 7d --top 20
  armorstack noise --since 2026-11-23T08:00Z --until 2026-11-23T09:00Z --json
  armorstack noise --toml >> /etc/armorstack/armorstack.toml
  kubectl logs deploy/kubearmor-relay --since=1h | armorstack noise --file -

Nothing is changed: each suggestion is a filter to paste, or a command for kubectl. Alerts that
were blocked and alerts of a policy are never suggested to be dropped."""

SINCE = "24h"
_MEMORY_BYTES = 128 * 1024 * 1024
_LIVE_S = 60


@click.command("noise", epilog=EXAMPLES)
@with_options(*SETTINGS, AS_JSON)
@click.option("--since", type=Moment(), metavar="TIME", help=f"From then on, {SINCE}.")
@click.option("--until", type=Moment(), metavar="TIME", help="Up to then; without it all.")
@click.option("--top", type=click.IntRange(1, 1000), default=10, help="Lines per table, 10.")
@click.option("--file", type=click.File("rb"), metavar="PATH", help="Event lines; - is stdin.")
@click.option("--toml", "as_toml", is_flag=True, help="Only the filters, to paste.")
@click.option("--all", "everything", is_flag=True, help="Suggestions that add nothing, too.")
def command(
    config_file: Path | None, data_dir: str | None, as_json: bool, as_toml: bool,
    file: IO[bytes] | None, everything: bool, **span: Any,
) -> None:  # fmt: skip
    """Tell what makes the volume, and which filter would remove how much."""
    from armorstack.cli import noise_view

    if as_json and as_toml:
        raise click.UsageError("give --json or --toml, not both")
    found, remarks = _of_lines(file, **span) if file else _of_store(config_file, data_dir, **span)
    if as_json:
        print_json(noise_view.as_object(found) | {"remarks": remarks})
        return
    for remark in remarks:
        click.echo(f"{'# ' if as_toml else ''}{printable(remark)}")
    if as_toml:
        click.echo(noise_view.as_toml(found, everything=everything), nl=False)
    elif found.tables.events:
        wide = shutil.get_terminal_size((100, 24)).columns
        for line in noise_view.lines(found, wide, _bar(), everything=everything):
            click.echo(line, color=False if os.environ.get("NO_COLOR") else None)


def _of_store(
    config_file: Path | None, data_dir: str | None, since: int | None, until: int | None, top: int
) -> tuple[Any, list[str]]:
    """The report on the store of these settings, and what is to be said before it."""
    from armorstack.core.noise import Report, Tables
    from armorstack.store.noise import examine_store

    config = load_config(config_file, data_dir=data_dir)
    settings, root = _store(config)
    if not root.is_dir():
        remark = f"There is no store in {root} yet: start `armorstack run`, or read --file."
        return Report(tables=Tables()), [remark]
    if since is None:
        since = Moment().convert(SINCE, None, None)
    with _progress() as begin:
        report, listing = examine_store(root, settings.memory_bytes, since, until, top, begin)
    remarks = [_heading(report, since, until)]
    if listing.unreadable:
        remarks.append(f"{listing.unreadable} files of the store cannot be read; not counted.")
    if _worker_runs(config.data_dir):
        latest = human_span(settings.part_interval_s)
        remarks.append(f"A worker is running; what came in the last {latest} may be missing.")
    if not report.tables.events:
        remarks[0] = _empty(since, until)
    return report, remarks


def _store(config: Any) -> tuple[Any, Path]:
    """The first embedded store of the settings, and its folder."""
    from armorstack.config import DuckdbSink

    for settings in config.sink.values():
        if isinstance(settings, DuckdbSink):
            return settings, Path(settings.path or Path(config.data_dir) / "store").absolute()
    hint = "give events with --file, or add a sink of type duckdb"
    raise ConfigError("$.sink: none is an embedded store", hint=hint)


def _of_lines(
    file: IO[bytes], since: int | None, until: int | None, top: int
) -> tuple[Any, list[str]]:
    from armorstack.store.events import BatchEvents, Session
    from armorstack.store.lines import Lines
    from armorstack.store.noise import READINGS, examine

    lines = Lines(file, time.time_ns() // 1000, since, until)
    with Session(_MEMORY_BYTES) as session, _progress() as begin:
        events = BatchEvents(session, _watched(lines, begin(_size(file))))
        report = examine(events, top, begin(READINGS * events.rows()))
    remarks = [_heading(report, since, until)]
    if not report.tables.events:
        remarks = ["No line is an event of this time: one JSON object a line is expected."]
    if lines.unread:
        remarks.append(f"{lines.unread:,} lines are no events; not counted.")
    return report, remarks


def _watched(lines: Any, advance: Callable[[int], None]) -> Iterator[Any]:
    """The batches of the lines; tells how many bytes of the file each took."""
    told = 0
    for batch in lines.batches():
        advance(lines.taken_bytes - told)
        told = lines.taken_bytes
        yield batch


def _size(file: IO[bytes]) -> int:
    """Bytes in a file; of a pipe nobody knows."""
    try:
        return os.fstat(file.fileno()).st_size
    except OSError:
        return 0


def _heading(report: Any, since: int | None, until: int | None) -> str:
    from armorstack.cli.human import human_bytes

    text = human_bytes(report.tables.bytes)
    return f"{report.tables.events:,} events, {text} of text{_span(since, until)}"


def _span(since: int | None, until: int | None) -> str:
    told = f" since {human_time(since)}" if since is not None else ""
    return told + (f" until {human_time(until)}" if until is not None else "")


def _empty(since: int | None, until: int | None) -> str:
    hint = "look further back, such as --since 30d, or see `armorstack spool status`"
    return f"The store has no events{_span(since, until)}: {hint}."


def _worker_runs(data_dir: str) -> bool:
    """By its report, since its lock must not be touched."""
    from armorstack.state import WorkerState, read_state, worker_path

    state = read_state(worker_path(data_dir), WorkerState)
    if state is None or state.phase == "stopped":
        return False
    return time.time() - state.updated_us / 1e6 < _LIVE_S


def _bar() -> str:
    """A block where the output can show it."""
    try:
        "█".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#"
    return "█"


@contextmanager
def _progress() -> Iterator[Callable[[int], Callable[[int], None]]]:
    """What begins a progress bar on a terminal, and elsewhere does nothing."""
    open_bars: list[Any] = []

    def begin(rows: int) -> Callable[[int], None]:
        while open_bars:
            open_bars.pop().__exit__(None, None, None)
        if not sys.stderr.isatty():
            return lambda rows: None
        bar = click.progressbar(length=rows, label="reading", file=sys.stderr)
        open_bars.append(bar.__enter__())
        return bar.update

    try:
        yield begin
    finally:
        while open_bars:
            open_bars.pop().__exit__(None, None, None)
