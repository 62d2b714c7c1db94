"""`armorstack doctor`: looks at everything an installation stands on, and says what mends it."""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from armorstack.cli.options import SETTINGS, SOURCES, load_config, with_options
from armorstack.cli.spool import AS_JSON, print_json

EXAMPLES = """\b
Examples:
  armorstack doctor --relay 127.0.0.1:32767
  armorstack doctor --config /etc/armorstack.toml --listen-for 30s
  kubectl -n kubearmor logs -f deploy/kubearmor-relay | armorstack doctor --stdin
  armorstack doctor --json | jq -r '.findings[] | select(.status == "failure") | .mend[]'

\b
Nothing is changed, and a running armorstack is not disturbed: a relay serves each of its
clients by itself. Exit code 0: nothing failed; 1: something did; 2: wrong settings or options.
"""
SHORTEST_S, LONGEST_S = 1.0, 600.0
UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0}


class Span(click.ParamType[float]):
    """A time such as `5`, `10s` or `2min`, as seconds."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds; fails where the text is none or out of bounds."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(ms|s|m|min|)", value)
        if found is None:
            self.fail(f"{value!r} is no time; write 10s or 2min", param, ctx)
        seconds = float(found[1]) * UNITS[found[2]]
        if not SHORTEST_S <= seconds <= LONGEST_S:
            self.fail(f"{value} is not between 1s and 10min", param, ctx)
        return seconds


@click.command("doctor", epilog=EXAMPLES)
@with_options(*SETTINGS, *SOURCES)
@click.option(
    "--listen-for", type=Span(), default=5.0, metavar="TIME",
    help="How long to listen to the sources, 5s.",
)  # fmt: skip
@with_options(AS_JSON)
def command(config_file: Path | None, listen_for: float, as_json: bool, **flags: Any) -> None:
    """Find out what is wrong, from the settings to the relay's streams, and how to mend it."""
    # What gRPC's core would print on stderr the findings say better.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from armorstack.doctor.examination import examine
    from armorstack.doctor.finding import exit_code

    case = _case(config_file, listen_for, **flags)
    with _progress() as tell:
        findings = list(examine(case, tell))
    _print_findings(findings, as_json)
    sys.exit(exit_code(findings))


def _case(config_file: Path | None, listen_s: float, **flags: Any) -> Any:
    """What is to be examined; settings that are wrong are examined as far as they are right."""
    from armorstack.doctor.case import Case
    from armorstack.doctor.settings import salvage
    from armorstack.errors import ConfigError

    fault = None
    try:
        config = load_config(config_file, **flags)
    except ConfigError as error:
        fault, config = error, salvage(config_file)
        if flags["data_dir"]:
            config = replace(config, data_dir=str(Path(flags["data_dir"]).absolute()))
        with contextlib.suppress(ConfigError):
            config = replace(config, source=load_config(None, **flags).source or config.source)
    return Case(
        config=config, config_file=config_file, data_dir_flag=flags["data_dir"] or "",
        fault=fault, listen_s=listen_s,
    )  # fmt: skip


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Where it can be told what is going on: on a terminal, beside what is printed."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.text import Text

    from armorstack.core.text import printable

    with Console(stderr=True).status("") as status:
        yield lambda told: status.update(Text(printable(told)))


def _print_findings(findings: list[Any], as_json: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    from armorstack import __version__
    from armorstack.doctor.finding import count
    from armorstack.doctor.report import lines

    if as_json:
        failures, warnings = count(findings, "failure"), count(findings, "warning")
        print_json(
            {"version": __version__, "failures": failures, "warnings": warnings,
             "findings": findings}
        )  # fmt: skip
        return
    console = Console(highlight=False)
    for line in lines(findings):
        text = line.text.encode(console.encoding, "replace").decode(console.encoding)
        # Unwrapped, so that commands can be copied.
        console.print(Text(text, line.style), soft_wrap=True)
