"""`armorstack worker`: the process that moves events from the spool to the store."""

import socket
from pathlib import Path
from typing import Any

import click

from armorstack.cli.options import SETTINGS, WEB, load_config, with_options


@click.command("worker")
@with_options(*SETTINGS, *WEB)
@click.option("--control-fd", type=int, hidden=True)
@click.option("--http-fd", type=int, hidden=True)
def command(
    config_file: Path | None, control_fd: int | None, http_fd: int | None, **flags: Any
) -> None:
    """Store what the spool holds; answer pages, API and metrics (for a container of its own)."""
    from armorstack.app import run_worker
    from armorstack.config import Config
    from armorstack.config.change import Change
    from armorstack.control import Orders, open_pipe
    from armorstack.hangup import Reloads

    def read() -> Config:
        return load_config(config_file, **flags)

    def apply(_: Config, change: Change) -> None:
        if change.takes_worker:
            orders.begin_again()

    orders = Orders()
    orders.heed_signals()
    if control_fd is None:
        config = read()
        Reloads(config, read, apply, orders.end).heed_signal()
    else:
        config, pipe = open_pipe(control_fd)
        orders.follow(pipe)
    listener = None if http_fd is None else socket.socket(fileno=http_fd)
    run_worker(config, orders, listener)
    orders.run_again()
