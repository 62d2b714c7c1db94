"""`armorstack run`: receive, keep and store, with a summary on the terminal."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import click
from msgspec.structs import replace

from armorstack.cli.options import (
    ENGINE,
    POLICIES,
    SETTINGS,
    SOURCES,
    WEB,
    embedded,
    load_config,
    with_options,
)
from armorstack.config import Config, StdoutSink
from armorstack.errors import ConfigError

EXAMPLES = """\b
Examples:
  armorstack run --sample
  armorstack run --relay 127.0.0.1:32767 --cluster production
  armorstack run --relay relay.example:32767 --tls-ca ca.pem
  kubectl logs -f deploy/kubearmor-relay | armorstack run --stdin
  armorstack run --file events.jsonl --no-follow --plain
  armorstack run --sample --engine http://127.0.0.1:9200
  armorstack run --sample --count 500 --rate 500 --listen 127.0.0.1:0
  armorstack run --sample --listen 0.0.0.0:7780 --web-cert cert.pem --web-key key.pem
  armorstack run --sample --listen 0.0.0.0:7780 --behind-proxy 10.0.0.0/8

Flags that name a source replace the sources of the settings file. --engine sets the address of
[sink.elastic], and that sink is all there is where the settings name no other. Ctrl-C ends it;
nothing that was received is lost, whatever ends it. SIGHUP has the settings file read anew."""


@click.command("run", epilog=EXAMPLES)
@with_options(*SOURCES, *SETTINGS, *ENGINE, *POLICIES, *WEB)
@click.option("--plain", is_flag=True, help="Lines instead of a live summary.")
@click.option("--quiet", is_flag=True, help="Say nothing but what goes wrong, and the result.")
def command(config_file: Path | None, plain: bool, quiet: bool, **flags: Any) -> None:
    """Receive events, keep them, store them; with a live summary."""
    from armorstack import log
    from armorstack.app import require_sources
    from armorstack.summary import Ledger, closing_lines
    from armorstack.supervisor import supervise

    live = not plain and not quiet and _is_terminal()
    summary_on_stdout = False

    def read(also: Callable[[Config], object] | None = None) -> Config:
        config = load_config(config_file, also, **flags)
        _refuse_late_stdout(config, summary_on_stdout)
        if (quiet or (live and not _stdout_sinks(config))) and config.log.level == "info":
            # Above a picture only what is wrong is worth a line.
            config = replace(config, log=replace(config.log, level="warning"))
        require_sources(config)
        return config

    config = read(_vet_rules)
    if flags["engine"] and (left := embedded(load_config(config_file, **flags | {"engine": ""}))):
        click.echo(f"--engine: {', '.join(left)} of the settings is left out", err=True)
    summary_on_stdout = not _stdout_sinks(config)
    live = live and summary_on_stdout
    out = sys.stdout if summary_on_stdout else sys.stderr
    log.configure("supervisor", config.log)
    ledger = Ledger()
    code = supervise(config, ledger, lambda: _display(live, quiet, ledger, out), read)
    click.echo(closing_lines(ledger, config.data_dir), file=out)
    sys.exit(code)


def _vet_rules(config: Config) -> None:
    """Compile filters, matches and selects before anything is received; in a process of its own,
    which only settings that have some are worth."""
    from armorstack.vetting import vet

    if config.filter or config.match or len(config.sink) > 1:
        vet(config)


def _is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _stdout_sinks(config: Config) -> list[str]:
    """Names of sinks that write events where the summary would be."""
    return [name for name, sink in config.sink.items() if isinstance(sink, StdoutSink)]


def _refuse_late_stdout(config: Config, summary_on_stdout: bool) -> None:
    """A reload cannot add what would write between the lines of the summary."""
    names = _stdout_sinks(config)
    if summary_on_stdout and names:
        hint = "start armorstack again: its summary then goes to the standard error"
        raise ConfigError(f"$.sink.{names[0]}: the standard output is in use", hint=hint)


def _display(live: bool, quiet: bool, ledger: Any, out: TextIO) -> Any:
    from armorstack.summary import PlainDisplay, QuietDisplay

    if not live:
        return QuietDisplay(out) if quiet else PlainDisplay(out)
    from rich.console import Console

    from armorstack.live import LiveDisplay

    return LiveDisplay(Console(), ledger)
