"""Telling a process what to do: signals, and the pipe from the supervisor that started it.

The pipe's first line is the configuration as JSON (settings lie neither in a file nor in the
command line), then comes one word per line; `drain` is the only one: nothing more will be
received, store what is there and end. The end of the pipe means that the supervisor is gone.
Invariant: a process that was told to stop ends, by force if it must. What it does until then must
not go here.
"""

import os
import signal
import threading
from typing import IO

import msgspec
import structlog

from armorstack.config import Config
from armorstack.errors import ConfigError
from armorstack.signals import heed

DRAIN = b"drain\n"
GRACE_S = 9.5
"""After this a process that was told to stop ends without its own consent (contract 7: 10 s)."""


class Orders:
    """What this process was told. `stop` and `drain` are only ever set, never cleared."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self.stop = threading.Event()
        self.drain = threading.Event()
        self._grace_s = grace_s

    def heed_signals(self) -> None:
        """SIGTERM and SIGINT mean stop; call it from the main thread."""
        heed((signal.SIGTERM, signal.SIGINT), self.end)

    def end(self) -> None:
        """Stop, and be gone within the grace whatever hangs."""
        if not self.stop.is_set():
            self.stop.set()
            watchdog = threading.Timer(self._grace_s, _end_by_force)
            watchdog.daemon = True
            watchdog.start()

    def follow(self, pipe: IO[bytes]) -> None:
        """Heed the supervisor's pipe, in a thread of its own."""
        threading.Thread(target=self._follow, args=(pipe,), name="control", daemon=True).start()

    def _follow(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            if line == DRAIN:
                self.drain.set()
        if not self.stop.is_set():
            structlog.get_logger().warning("the supervisor is gone; stopping")
        self.end()


def _end_by_force() -> None:
    structlog.get_logger().error("did not stop in time; ending by force, the spool keeps the rest")
    os._exit(1)


def encode_config(config: Config) -> bytes:
    """The pipe's first line."""
    return msgspec.json.encode(config) + b"\n"


def open_pipe(fd: int) -> tuple[Config, IO[bytes]]:
    """The configuration, and the rest of the pipe; raises `ConfigError` where there is none."""
    try:
        pipe = open(fd, "rb")  # noqa: SIM115 - it lives as long as the process
        return msgspec.json.decode(pipe.readline(), type=Config), pipe
    except (OSError, msgspec.MsgspecError) as error:
        hint = "this option is for `armorstack run`; give --config FILE instead"
        raise ConfigError(f"--control-fd: no settings on {fd}: {error}", hint=hint) from error
