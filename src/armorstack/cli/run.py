"""`armorstack run`: receive, keep and store, with a summary on the terminal."""

import os
import sys
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from armorstack.cli.options import LISTEN, SETTINGS, SOURCES, load_config, with_options

EXAMPLES = """\b
Examples:
  armorstack run --sample
  armorstack run --relay 127.0.0.1:32767 --cluster production
  armorstack run --relay relay.example:32767 --tls-ca ca.pem
  kubectl logs -f deploy/kubearmor-relay | armorstack run --stdin
  armorstack run --file events.jsonl --no-follow --plain
  armorstack run --sample --count 500 --rate 500 --listen 127.0.0.1:0

Flags that name a source replace the sources of the settings file. Ctrl-C ends it; nothing that
was received is lost, whatever ends it."""


@click.command("run", epilog=EXAMPLES)
@with_options(*SOURCES, *SETTINGS, LISTEN)
@click.option("--plain", is_flag=True, help="Lines instead of a live summary.")
@click.option("--quiet", is_flag=True, help="Say nothing but what goes wrong, and the result.")
def command(config_file: Path | None, plain: bool, quiet: bool, **flags: Any) -> None:
    """Receive events, keep them, store them; with a live summary."""
    from armorstack import log
    from armorstack.app import require_sources
    from armorstack.summary import Ledger, closing_lines
    from armorstack.supervisor import supervise

    live = not plain and not quiet and _is_terminal()
    config = load_config(config_file, **flags)
    if (live or quiet) and config.log.level == "info":
        # Above a picture only what is wrong is worth a line.
        config = replace(config, log=replace(config.log, level="warning"))
    require_sources(config)
    log.configure("supervisor", config.log)
    ledger = Ledger()
    code = supervise(config, ledger, lambda: _display(live, quiet, ledger))
    click.echo(closing_lines(ledger, config.data_dir))
    sys.exit(code)


def _is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _display(live: bool, quiet: bool, ledger: Any) -> Any:
    from armorstack.summary import PlainDisplay, QuietDisplay

    if not live:
        return QuietDisplay(sys.stdout) if quiet else PlainDisplay(sys.stdout)
    from rich.console import Console

    from armorstack.live import LiveDisplay

    return LiveDisplay(Console(), ledger)
