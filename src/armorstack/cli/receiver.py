"""`armorstack receiver`: the process that reads sources and writes the spool."""

from pathlib import Path
from typing import Any

import click

from armorstack.cli.options import SETTINGS, SOURCES, load_config, with_options


@click.command("receiver")
@with_options(*SOURCES, *SETTINGS)
@click.option("--control-fd", type=int, hidden=True)
def command(config_file: Path | None, control_fd: int | None, **flags: Any) -> None:
    """Read the sources into the spool, without a worker beside it (for a container of its own)."""
    from armorstack.app import require_sources, run_receiver
    from armorstack.config import Config
    from armorstack.control import Orders, open_pipe
    from armorstack.hangup import Reloads

    def read() -> Config:
        config = load_config(config_file, **flags)
        require_sources(config)
        return config

    orders = Orders()
    orders.heed_signals()
    if control_fd is None:
        config = read()
        Reloads(config, read, lambda new, _: orders.changes.put(new), orders.end).heed_signal()
    else:
        config, pipe = open_pipe(control_fd)
        orders.follow(pipe)
    run_receiver(config, orders)
