"""`armorstack vet`: whether settings could be run; asked before a process goes over to them.

Hidden: they come by a pipe, so that just what would be run is checked. People use `check-config`.
"""

import click


@click.command("vet")
@click.option("--control-fd", type=int, required=True, hidden=True)
def command(control_fd: int) -> None:
    """Check settings that come by a pipe; exit code 2 where they are wrong."""
    from armorstack.app import vet
    from armorstack.control import open_pipe

    config, _ = open_pipe(control_fd)
    vet(config)
