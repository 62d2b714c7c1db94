"""`armorstack completion bash|zsh|fish`: the script that a shell needs to complete our commands."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_ARMORSTACK_COMPLETE"
"""What the script sets when it asks `armorstack` for completions (click's own convention)."""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash, put this line into ~/.bashrc:  eval "$(armorstack completion bash)"
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "armorstack", VARIABLE).source())
