"""`armorstack migrate`: what is stored elsewhere already, moved into a sink of the settings.

How events are moved must not go here.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from armorstack.cli.options import SETTINGS, load_config, with_options
from armorstack.cli.reading import remark
from armorstack.cli.spool import AS_JSON, print_json
from armorstack.core.text import printable
from armorstack.errors import ArmorstackError, ConfigError

if TYPE_CHECKING:
    from armorstack.migrate.contract import Origin
    from armorstack.migrate.mark import Counts, Mark
    from armorstack.migrate.moving import Moving

EXAMPLES = """\b
Examples:
  armorstack migrate --config armorstack.toml
  armorstack migrate --to cluster
  armorstack migrate --index kubearmor-alerts --index alert
  armorstack migrate --json | jq .written

It may be stopped at any moment and goes on where it was. Nothing is changed or deleted where events
are read from, and nothing is doubled: each has the same id everywhere. Exit codes: 0 all was moved,
1 it ended before that, 3 some events can never be taken (they lie in a file, with reasons)."""

SOME_REJECTED = 3


@click.command("migrate", epilog=EXAMPLES)
@with_options(*SETTINGS)
@click.option("--to", metavar="SINK", help="Which sink of the settings; the first of type elastic.")
@click.option("--index", "indices", multiple=True, metavar="NAME",
              help="Instead of the embedded store: an index of the relay's own adapters, in the "
              "same engine; may be repeated.")  # fmt: skip
@click.option("--again", is_flag=True, help="Begin anew, whatever was moved before.")
@with_options(AS_JSON)
def command(
    config_file: Path | None, data_dir: str | None, to: str | None, indices: tuple[str, ...],
    again: bool, as_json: bool,
) -> None:  # fmt: skip
    """Move events that are stored already: the embedded store, or old indices."""
    config = load_config(config_file, data_dir=data_dir)
    name, settings = _target(config, to)
    stop = threading.Event()
    with ExitStack() as opened, _ends_orderly(stop):
        sink = _opened(name, settings, config.data_dir)
        opened.callback(sink.close)
        results = [
            _moved(origin, sink, f"{name} {_where(settings)}", config.data_dir, stop, again=again)
            for origin in _origins(config, settings, indices, opened)
        ]
    if as_json:
        print_json({"migrations": results} if len(results) > 1 else results[0])
    if any(result["rejected"] for result in results):
        sys.exit(SOME_REJECTED)


def _target(config: Any, to: str | None) -> tuple[str, Any]:
    """Name and settings of the sink. Raises ConfigError."""
    from armorstack.config import DuckdbSink, ElasticSink

    if to is not None and to not in config.sink:
        known = ", ".join(config.sink)
        raise ConfigError(f"$.sink: there is no sink {to!r}", hint=f"known are: {known}")
    for name, settings in config.sink.items():
        if name == to or (to is None and isinstance(settings, ElasticSink)):
            if isinstance(settings, DuckdbSink) and not settings.path:
                raise ConfigError(f"$.sink.{name}: it is the store that is read")
            return name, settings
    hint = "add [sink.elastic] with its urls to the settings, or name a sink with --to"
    raise ConfigError("$.sink: none is of type elastic", hint=hint)


def _where(settings: Any) -> str:
    """Where the sink writes to, for the mark."""
    return " ".join(getattr(settings, "urls", ())) or getattr(settings, "path", "")


def _opened(name: str, settings: Any, data_dir: str) -> Any:
    from armorstack.sinks import make_sink

    sink = make_sink(name, settings, Path(data_dir))
    sink.open()
    return sink


def _origins(
    config: Any, settings: Any, indices: tuple[str, ...], opened: ExitStack
) -> "Iterator[Origin]":
    if not indices:
        yield _store(config, opened)
        return
    from armorstack.config import ElasticSink
    from armorstack.engines.elastic.connection import Engine
    from armorstack.migrate.indices import IndexOrigin

    if not isinstance(settings, ElasticSink):
        raise ConfigError("--index reads from the engine of a sink of type elastic")
    engine = Engine(settings)
    opened.callback(engine.close)
    for index in indices:
        yield IndexOrigin(engine, index)


def _store(config: Any, opened: ExitStack) -> "Origin":
    from armorstack.core.gap import decode_gaps
    from armorstack.migrate.parts import PartsOrigin
    from armorstack.spool.history import look
    from armorstack.store.duckdb.parts import MEMORY_BYTES
    from armorstack.store.place import MAY_MISS, Local

    here = Local(config)
    if here.link() is not None:
        remark(f"armorstack runs: {MAY_MISS}; run this again when it has ended.")
    spool = Path(config.data_dir) / "spool"

    def gaps() -> Any:
        return decode_gaps(look(spool, 0, time.time_ns() // 1000).gaps)

    origin = PartsOrigin(here.root(), MEMORY_BYTES, gaps)
    opened.callback(origin.close)
    return origin


def _moved(
    origin: "Origin", sink: Any, target: str, data_dir: str, stop: threading.Event, *, again: bool
) -> dict[str, Any]:
    """Move it all; say what became of it."""
    from armorstack.migrate.moving import Moving

    moving = Moving(origin, sink, target, Path(data_dir) / "migrate", stop=stop)
    mark = moving.begin(again=again)
    if mark.place:
        remark(f"{printable(origin.name)}: goes on after {mark.counts.read:,} events")
    with _progress(origin, moving, mark) as advance:
        mark = moving.run(mark, advance)
    _tell(origin.name, mark.counts)
    if mark.counts.rejected:
        remark(f"what was rejected lies in {moving.rejected_file}")
    return {"origin": origin.name, "target": target, **_as_object(mark.counts)}


def _as_object(counts: "Counts") -> dict[str, int]:
    from msgspec.structs import asdict

    return asdict(counts)


def _tell(name: str, counts: "Counts") -> None:
    told = f"{counts.read:,} read = {counts.written:,} written + {counts.there:,} already there"
    told += f" + {counts.rejected:,} rejected"
    told += f" + {counts.left_out:,} left out" if counts.left_out else ""
    remark(f"{printable(name)}: {told}")


@contextmanager
def _progress(
    origin: "Origin", moving: "Moving", mark: "Mark"
) -> "Iterator[Callable[[Counts], None]]":
    """On a terminal a bar, elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda counts: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[told]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(
            printable(origin.name), total=origin.total(), completed=mark.counts.read, told=""
        )

        def advance(counts: "Counts") -> None:
            told = printable(moving.waits_for, 60) or f"{counts.written:,} written"
            progress.update(task, completed=counts.read, told=told)

        yield advance


@contextmanager
def _ends_orderly(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM end it after the write that goes on; it can go on later."""

    def end(number: int, frame: Any) -> None:
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, end) for number in numbers]
    try:
        yield
    except ArmorstackError:
        if stop.is_set():
            remark("stopped; run it again to go on")
            sys.exit(130)
        raise
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
