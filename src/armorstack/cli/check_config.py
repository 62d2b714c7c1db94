"""`armorstack check-config`: whether the settings are right, and with which ones it would run."""

import os
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from armorstack.cli.options import SETTINGS, with_options
from armorstack.cli.spool import AS_JSON, print_json
from armorstack.config import load
from armorstack.config.loading import default_data_dir, document, read
from armorstack.config.origins import STDIN, Document
from armorstack.config.show import as_toml, plain, resolved

EXAMPLES = """\b
Examples:
  armorstack check-config armorstack.toml
  armorstack check-config --only-changes
  armorstack check-config --quiet new.toml && kill -HUP "$PID"
  armorstack config example | armorstack check-config -

Without FILE it checks what `run` would take: --config, ARMORSTACK_CONFIG, other variables. Exit
code 0: right. 2: wrong; the sentence says what, where, in which line, and how to mend it."""

FILE = click.argument(
    "file", required=False, type=click.Path(dir_okay=False, path_type=Path, allow_dash=True)
)


@click.command("check-config", epilog=EXAMPLES)
@FILE
@with_options(*SETTINGS, AS_JSON)
@click.option("--only-changes", is_flag=True, help="Only what differs from the defaults.")
@click.option("--quiet", is_flag=True, help="Say nothing when all is right.")
def command(
    file: Path | None, config_file: Path | None, data_dir: str | None, as_json: bool,
    only_changes: bool, quiet: bool,
) -> None:  # fmt: skip
    """Whether the settings in FILE (`-`: standard input) are right, and what they come to.

    Prints the whole tree: defaults filled in, presets replaced by their filters, variables
    applied. What is printed can be used as a settings file.
    """
    from armorstack.app import vet
    from armorstack.core.presets import expand

    _one_file(file, click.get_current_context())
    overrides = {"data_dir": str(Path(data_dir).absolute())} if data_dir else {}
    config = resolved(load(_source(file or config_file), overrides, also=vet), expand)
    if quiet:
        return
    how: dict[str, Any] = {"only_changes": only_changes, "data_dir": default_data_dir(os.environ)}
    if as_json:
        print_json(plain(config, **how))
    else:
        click.echo(as_toml(config, **how), nl=False)


def _one_file(file: Path | None, context: click.Context) -> None:
    named = context.get_parameter_source("config_file") is ParameterSource.COMMANDLINE
    if file and named:
        raise click.UsageError("give the file once: as FILE or with --config")


def _source(path: Path | None) -> Document | None:
    if path is None:
        return None
    return document(STDIN, sys.stdin.buffer.read()) if str(path) == "-" else read(path)
