"""`armorstack sample-relay`: a relay that replays recorded events and a scripted incident.

Prints one JSON line with the bound address, one with what was sent after the last event, and one
with what clients were too slow for when it ends. Hidden: the sample source starts it, and tests do.
"""

import json
import os
import signal
import sys
import threading

import click

from armorstack.sample.relay import SampleRelay, Settings
from armorstack.signals import heed


@click.command("sample-relay")
@click.option("--port", default=0, show_default=True, help="Port on loopback; 0: a free one.")
@click.option(
    "--rate", default=20.0, show_default=True, type=click.FloatRange(min=0, min_open=True),
    help="Events per second in the mean, with bursts.",
)  # fmt: skip
@click.option(
    "--count", default=0, show_default=True, type=click.IntRange(min=0),
    help="End after so many events; 0: never.",
)  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="The same seed: the same events.")
@click.option("--while-stdin", is_flag=True, help="End only when standard input closes.")
def command(port: int, rate: float, count: int, seed: int, while_stdin: bool) -> None:
    """Serve recorded events as KubeArmor's relay does."""
    relay = SampleRelay(Settings(port=port, rate=rate, count=count, seed=seed))
    heed((signal.SIGTERM, signal.SIGINT), relay.stop)
    if while_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    _tell(address=relay.start())
    sent = relay.replay()
    _tell(sent=sent.events, bytes=sent.bytes)
    if while_stdin:
        relay.wait()
    _tell(dropped=relay.end())


def _tell(**line: object) -> None:
    click.echo(json.dumps(line))


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    # Whoever started this is gone: nobody is left to wait for a tidy end.
    os._exit(0)
