"""`armorstack nodes`: when each node was heard last.

A silent node is no gap: it may have nothing to say. Whether it should have is for a person.
"""

import time
from pathlib import Path
from typing import Any

import click

from armorstack.cli.human import human_span
from armorstack.cli.options import SETTINGS, with_options
from armorstack.cli.spool import AS_JSON, print_json, spool_folder
from armorstack.cli.table import table
from armorstack.cli.times import Span, show_time

EXAMPLES = """\b
Examples:
  armorstack nodes
  armorstack nodes --silent-for 10m
  armorstack nodes --cluster production --json"""

LOCAL = click.option("--local", is_flag=True, help="Times of this place instead of UTC.")


@click.command("nodes", epilog=EXAMPLES)
@with_options(*SETTINGS, AS_JSON, LOCAL)
@click.option("--silent-for", type=Span(), metavar="SPAN", default=0,
              help="Only nodes not heard for so long, such as 10m.")  # fmt: skip
@click.option("--cluster", metavar="NAME", help="Only nodes of this cluster.")
def command(
    config_file: Path | None, as_json: bool, local: bool, silent_for: int, cluster: str | None,
    data_dir: str | None,
) -> None:  # fmt: skip
    """When each node's newest event came; the longest silent last.

    Silence counts from an event's arrival here, so a node's clock does not matter.
    """
    from armorstack.spool.history import look

    now_us = time.time_ns() // 1000
    found = [
        node
        for node in look(spool_folder(config_file, data_dir=data_dir)).nodes
        if now_us - node.last_received_us >= silent_for and cluster in (None, node.cluster)
    ]
    if as_json:
        print_json({"nodes": [_fields(node, now_us) for node in found]})
        return
    if found:
        click.echo(_table(found, now_us, local))
    click.echo(f"{len(found)} nodes" + (" are silent" if silent_for else ""), err=True)


def _silent_s(node: Any, now_us: int) -> float:
    return max(0, now_us - int(node.last_received_us)) / 1e6


def _fields(node: Any, now_us: int) -> dict[str, Any]:
    names = ("cluster", "node", "last_event_us", "last_received_us", "events")
    fields = {name: getattr(node, name) for name in names}
    return fields | {"silent_s": round(_silent_s(node, now_us), 3)}


def _table(nodes: list[Any], now_us: int, local: bool) -> str:
    rows = [
        (
            node.cluster or "-", node.node, show_time(node.last_event_us, local=local),
            human_span(_silent_s(node, now_us)), str(node.events),
        )
        for node in nodes
    ]  # fmt: skip
    heads = ("cluster", "node", "last event", "silent for", "events")
    return table(heads, rows, right=("silent for", "events"))
