"""The `armorstack` command: finds the subcommand and turns errors into one sentence.

Invariant: `armorstack --help` and completion import no command's module, so both stay quick.
What a command does must not go here.
"""

import importlib
import sys
import traceback

import click
from click.shell_completion import CompletionItem
from msgspec import Struct

from armorstack import __version__
from armorstack.core.text import printable
from armorstack.errors import ArmorstackError

INTERNAL_ERROR_HINT = (
    "this is a fault in armorstack; run it again with --debug and report what it says"
)


class Entry(Struct, frozen=True):
    """A subcommand as `--help` lists it, known without importing its module."""

    module: str
    help: str
    hidden: bool = False


COMMANDS: dict[str, Entry] = {
    "run": Entry("run", "Receive events, keep them, store them; with a live summary."),
    "tail": Entry("tail", "Events as they arrive."),
    "query": Entry("query", "Stored events: tables, counts, groups, SQL."),
    "export": Entry("export", "All events that are meant, as a file."),
    "stats": Entry("stats", "What there is, at a glance."),
    "check-config": Entry("check_config", "Whether the settings are right, and what they come to."),
    "config": Entry("config", "Help with the settings: example, presets."),
    "doctor": Entry("doctor", "Find out what is wrong, and what mends it."),
    "spool": Entry("spool", "Look at the durable buffer: status, verify."),
    "deadletters": Entry("deadletters", "Events the store refused: list, show, replay, purge."),
    "noise": Entry("noise", "What makes the volume, and the filter that removes it."),
    "gaps": Entry("gaps", "When events were or may have been lost, and why."),
    "nodes": Entry("nodes", "When each node was heard last."),
    "policies": Entry("policies", "Deployed policies and what each did; one from events."),
    "setup": Entry("setup", "Put index templates into Elasticsearch or OpenSearch."),
    "migrate": Entry("migrate", "Move what is stored already: embedded store, old indices."),
    "report": Entry("report", "The overview and the lists as one HTML file."),
    "token": Entry("token", "Who may see pages and API: create, list, revoke, url."),
    "try-config": Entry("try_config", "Send events through filters and matches, and look."),
    "completion": Entry("completion", "Print the completion script of a shell."),
    "receiver": Entry("receiver", "The process that reads sources and writes the spool.", True),
    "worker": Entry("worker", "The process that moves events from the spool to the store.", True),
    "vet": Entry("vet", "Check settings that come by a pipe.", True),
    "sample-relay": Entry("sample_relay", "A relay that replays recorded events.", True),
}
"""What a user types → where it lives in `armorstack.cli`."""


class LazyGroup(click.Group):
    """Subcommands from `COMMANDS`, imported on use; errors of ours as one sentence and a hint."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the subcommands, in the order they are told."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand, imported now; None where there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = importlib.import_module(f"armorstack.cli.{entry.module}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in visible().items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Options, and subcommands without importing them."""
        names = [name for name in visible() if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=COMMANDS[name].help) for name in names]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand; whatever it raises ends as one sentence, a hint and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params["debug"]:
                for line in traceback.format_exc().splitlines():
                    click.echo(printable(line), err=True)
            sys.exit(tell(error))


def visible() -> dict[str, Entry]:
    """The subcommands that users are told of."""
    return {name: entry for name, entry in COMMANDS.items() if not entry.hidden}


def tell(error: Exception) -> int:
    """Write the sentence and the hint to stderr; return the exit code.

    The sentence may quote what a peer sent.
    """
    if isinstance(error, ArmorstackError):
        sentence, hint, exit_code = str(error), error.hint, error.exit_code
    elif isinstance(error, OSError):
        sentence, hint, exit_code = str(error), "", 1
    else:
        sentence, hint, exit_code = f"{type(error).__name__}: {error}", INTERNAL_ERROR_HINT, 1
    click.echo(f"armorstack: {printable(sentence)}", err=True)
    if hint:
        click.echo(f"hint: {printable(hint)}", err=True)
    return exit_code


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="armorstack")
@click.option("--debug", is_flag=True, envvar="ARMORSTACK_DEBUG", help="Show tracebacks of errors.")
def cli(debug: bool) -> None:
    """Every event that KubeArmor reports: kept, searchable within seconds."""
