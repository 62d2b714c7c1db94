"""`armorstack export`: all events that are meant, as a file or on standard output."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import IO, Any

import click

from armorstack.cli.human import human_bytes
from armorstack.cli.interrupts import Interrupts
from armorstack.cli.options import with_options
from armorstack.cli.paint import is_terminal
from armorstack.cli.reading import (
    PLACE,
    WHICH,
    columns_of,
    complete_columns,
    place_of,
    question_of,
    reached,
    remark,
)

EXAMPLES = """\b
Examples:
  armorstack export --since all --out events.parquet
  armorstack export action:Block --since 30d --format csv --out blocks.csv
  armorstack export --form kubearmor --since 1h | karmor-reader
  armorstack export --form ecs --namespace shop --out shop.ndjson
  armorstack export --columns time,pod,policy,resource --out short.csv
  armorstack export --url https://armorstack.example --token-file token --out all.ndjson

The format follows from the file's name, unless --format says it; without a file it is ndjson. The
file is there when it is whole, and not before: an error leaves nothing behind, and its exit code is
1. In CSV no cell is a formula to a spreadsheet, at the price of a ' before some texts; the other
formats give every text back as it was."""

_FORMATS = ("csv", "json", "ndjson", "parquet")
_FORMS = ("columns", "ecs", "kubearmor")
_ENDINGS = {"jsonl": "ndjson"}


@click.command("export", epilog=EXAMPLES)
@with_options(*WHICH)
@click.option("--format", "format_", type=click.Choice(_FORMATS), help="Form of the file.")
@click.option("--form", type=click.Choice(_FORMS), default="columns", show_default=True,
              help="Form of an event: flat columns, an ECS document, or as KubeArmor prints "
              "it.")  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The file; without it standard output.")  # fmt: skip
@click.option("--columns", metavar="NAMES", shell_complete=complete_columns,
              help="Of the form columns: which, with commas between them; all.")  # fmt: skip
@click.option("--file", type=click.File("rb"), metavar="PATH",
              help="Event lines instead of the store; - is stdin.")  # fmt: skip
@with_options(*PLACE)
def command(
    query: Sequence[str], since: str, until: str | None, zone: tzinfo, format_: str | None,
    form: str, out: Path | None, columns: str | None, file: IO[bytes] | None,
    config_file: Path | None, data_dir: str | None, url: str | None, token_file: Path | None,
    ca: str | None, **flags: Any,
) -> None:  # fmt: skip
    """All events that QUERY and flags mean, as a file.

    QUERY is of the language in docs/query.md: severity>=7 and action:Block and pod:web-*
    """
    from armorstack.cli.export_file import written
    from armorstack.store.event_json import COLUMNS
    from armorstack.store.export import EXPORT_S, pieces

    format_ = format_ or _format_of(out)
    if form != "columns" and (format_ in ("csv", "parquet") or columns):
        raise click.UsageError(f"--form {form} goes with --format json or ndjson, all columns")
    if out in (None, Path("-")) and format_ == "parquet" and is_terminal():
        raise click.UsageError("Parquet is nothing for a terminal: give --out")
    names = columns_of(columns) if columns else tuple(COLUMNS)
    question = question_of(query, zone, flags, since, until)
    place = place_of(config_file, data_dir, url, token_file, ca, file)
    with Interrupts() as interrupts, reached(place) as reach:
        budget = interrupts.budget(EXPORT_S)
        with _progress(reach, question, format_, budget) as advance:
            made = pieces(reach, question, budget, format_, form, names)  # type: ignore[arg-type]
            size = written(out, made, advance)
    if out not in (None, Path("-")):
        remark(f"{human_bytes(size)} in {out}")


def _format_of(out: Path | None) -> str:
    """By the file's name."""
    ending = out.suffix.lower().lstrip(".") if out else ""
    known = _ENDINGS.get(ending, ending)
    return known if known in _FORMATS else "ndjson"


@contextmanager
def _progress(reach: Any, question: Any, format_: str, budget: Any) -> Iterator[Any]:
    """What is told of each piece: on a terminal a bar, elsewhere nothing."""
    from armorstack.cli.export_file import terminal_bar, unheard

    if is_terminal_of_errors():
        from armorstack.store.export import LINED

        total = reach.store.count(question, budget) if format_ in LINED else None
        with terminal_bar(total) as advance:
            yield advance
    else:
        yield unheard


def is_terminal_of_errors() -> bool:
    """Whether a person sees the standard error."""
    import sys

    return sys.stderr.isatty()
