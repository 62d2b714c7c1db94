"""`armorstack report`: the overview and the lists as one HTML file.

From the store's files, beside a running worker or without one, or from lines of events: then
nothing has to be installed or to run. What it shows must not go here.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click
from click.core import ParameterSource

from armorstack.cli.human import human_bytes
from armorstack.cli.interrupts import Interrupts
from armorstack.cli.options import with_options
from armorstack.cli.reading import ALL, FILTERS, PLACE, SPAN, place_of, question_of, remark
from armorstack.cli.zones import Zone
from armorstack.core.text import printable
from armorstack.errors import ArmorstackError

EXAMPLES = """\b
Examples:
  armorstack report
  armorstack report --since 7d --tz Europe/Berlin --out week.html
  armorstack report --query 'namespace:shop and severity>=7' --out - > shop.html
  kubectl logs deploy/kubearmor-relay -n kubearmor | armorstack report -
  armorstack report events.jsonl --title "Incident 4711"

The file needs nothing else: it can be mailed, put into a ticket, printed. Only its owner may read
it, since it says what events say."""

OUT = "armorstack-report.html"
_ON_STDIN = "-"


@click.command("report", epilog=EXAMPLES)
@click.argument("file", type=click.File("rb"), required=False, metavar="[FILE]")
@with_options(*PLACE, *FILTERS, *SPAN)
@click.option("--query", "-q", default="", metavar="QUERY", help="Only events that match.")
@click.option("--tz", "zone", type=Zone(), default="UTC", metavar="ZONE",
              help="Zone of times: UTC, Europe/Berlin; UTC unless given.")  # fmt: skip
@click.option("--title", default="KubeArmor events", metavar="TEXT", help="The report's heading.")
@click.option("--out", default=OUT, metavar="PATH", help=f"Where to, {OUT}; - is stdout.")
@click.pass_context
def command(
    ctx: click.Context, /, file: IO[bytes] | None, out: str, query: str, zone: Any, title: str,
    since: str, until: str | None, **flags: Any,
) -> None:  # fmt: skip
    """Write the overview and the lists as one HTML file.

    FILE has lines of events; - is stdin. Of lines every time is shown unless --since says
    otherwise. Without FILE the store is asked.
    """
    from armorstack.web.report import About

    if file and flags["url"]:
        raise click.UsageError("give FILE or --url, not both")
    if file and ctx.get_parameter_source("since") is ParameterSource.DEFAULT:
        since = ALL
    place = [flags.pop(name) for name in ("config_file", "data_dir", "url", "token_file", "ca")]
    asked = _asked(query, zone, flags, since, until)
    now_us = time.time_ns() // 1000
    with (
        Interrupts() as interrupts,
        _lines(file, now_us) if file else _stored(*place) as (store, origin, remarks),
    ):
        about = About(title, now_us, origin, remarks)
        text = _rendered(about, asked, store, interrupts)
    size = _write(out, text.encode())
    if out != _ON_STDIN:
        click.echo(f"{printable(out)}: {human_bytes(size)}")


def _asked(query: str, zone: Any, flags: dict[str, Any], since: str, until: str | None) -> Any:
    """What options ask for, as a URL would."""
    from armorstack.core.query.asked import DEFAULT_TO, Asked

    question = question_of([query] if query else [], zone, flags, since, until)
    return Asked(
        q=query.strip(), picks=question.picks, start=since, end=until or DEFAULT_TO,
        tz=getattr(zone, "key", "UTC"), where=question.where, start_us=question.start_us,
        end_us=question.end_us,
    )  # fmt: skip


def _rendered(about: Any, asked: Any, store: Any, interrupts: Interrupts) -> str:
    from armorstack.web.report import SECONDS, render

    return render(about, asked, store, interrupts.budget(SECONDS))


@contextmanager
def _stored(*place: Any) -> Iterator[tuple[Any, str, tuple[str, ...]]]:
    """The store of these options, where it is, and what is to be said of it."""
    with place_of(*place).reach() as reach:
        remark(reach.remark)
        origin = f"armorstack at {reach.link.url}" if reach.link else "the store on disk"
        yield reach.store, origin, (reach.remark,) if reach.remark else ()


@contextmanager
def _lines(file: IO[bytes], now_us: int) -> Iterator[tuple[Any, str, tuple[str, ...]]]:
    """The same of lines of events."""
    from armorstack.store.duckdb import LinesStore
    from armorstack.store.lines import Lines

    lines = Lines(file, now_us)
    with LinesStore(lines.batches()) as store:
        remark(told := _unread(lines.unread))
        yield store, _name(file), (told,) if told else ()


def _name(file: IO[bytes]) -> str:
    """What a person calls it; a pipe has no name of its own."""
    name = getattr(file, "name", "<stdin>")
    return "standard input" if name == "<stdin>" else Path(name).name


def _unread(lines: int) -> str:
    """What is to be said of lines that are no events."""
    if not lines:
        return ""
    told = "1 line is no event" if lines == 1 else f"{lines:,} lines are no events"
    return f"{told}; not counted."


def _write(out: str, body: bytes) -> int:
    """Write the file, whole or not at all; returns its size in bytes."""
    if out == _ON_STDIN:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return len(body)
    try:
        _replace(Path(out), body)
    except OSError as error:
        raise ArmorstackError(f"{printable(out)} cannot be written: {error.strerror}") from error
    return len(body)


def _replace(target: Path, body: bytes) -> None:
    """Put the body where the target is; the file is its owner's alone, as `mkstemp` makes it."""
    handle, made = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, target)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise
