"""What a source promises.

A source turns what it reads into frames, whole and untouched, and puts them into a lane of the
intake. It parses no more than framing. It must never wait for the disk: `Lane.put` does not.
It reconnects by itself, tells each interruption as a `Gap` when it ends, and returns from `run`
only when `stop` is set or there is nothing more to come.
"""

import threading
from typing import Protocol

from armorstack.spool.intake import Intake
from armorstack.state import SourceState

__all__ = ["Source", "SourceState"]


class Source(Protocol):
    """Where events come from."""

    name: str

    def run(self, intake: Intake, stop: threading.Event) -> None:
        """Read until `stop` is set or the source is exhausted."""

    def state(self) -> SourceState:
        """A snapshot; called from another thread."""
