"""Telling a process what to do: signals, and the pipe from the supervisor that started it.

The pipe's first line is the configuration as JSON (settings lie neither in a file nor in the
command line), then comes one order per line. `drain`: nothing more will be received, store what is
there and end. `config JSON`: work by these settings from now on. The end of the pipe means that
the supervisor is gone. Invariant: a process that was told to stop ends, by force if it must. What
it does until then must not go here.
"""

import hashlib
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import IO

import msgspec
import structlog

from armorstack.config import Config
from armorstack.errors import ConfigError
from armorstack.signals import heed

DRAIN = b"drain\n"
CHANGE = b"config "
GRACE_S = 9.5
"""After this a process that was told to stop ends without its own consent (contract 6: 10 s)."""


class Orders:
    """What this process was told. `stop` and `drain` are only ever set, never cleared."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self.stop = threading.Event()
        self.drain = threading.Event()
        self.changes: SimpleQueue[Config] = SimpleQueue()
        """Settings to work by from now on, the newest last."""
        self._again = threading.Event()
        self._told_to_end = _never
        self._grace_s = grace_s

    def heed_signals(self) -> None:
        """SIGTERM and SIGINT mean stop; call it from the main thread."""
        self._told_to_end = heed((signal.SIGTERM, signal.SIGINT), self.end)
        # One that came while `run_again` had it held back is taken now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def end(self) -> None:
        """Stop, and be gone within the grace whatever hangs."""
        if not self.stop.is_set():
            self.stop.set()
            watchdog = threading.Timer(self._grace_s, _end_by_force)
            watchdog.daemon = True
            watchdog.start()

    def begin_again(self) -> None:
        """Stop in order to be run again; a signal that says stop goes before."""
        self._again.set()
        self.end()

    def run_again(self) -> None:
        """Where that was asked for, run this process's command line anew, under the same process
        id: it does not return then. For the main thread, after the work has ended."""
        # They are for whom we become; else one that comes before it listens would kill it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})
        if self._again.is_set() and not self._told_to_end():
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

    def follow(self, pipe: IO[bytes]) -> None:
        """Heed the supervisor's pipe, in a thread of its own."""
        threading.Thread(target=self._follow, args=(pipe,), name="control", daemon=True).start()

    def _follow(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            if line == DRAIN:
                self.drain.set()
            elif line.startswith(CHANGE) and line.endswith(b"\n"):
                self.changes.put(msgspec.json.decode(line.removeprefix(CHANGE), type=Config))
        if not self.stop.is_set():
            structlog.get_logger().warning("the supervisor is gone; stopping")
        self.end()


def _never() -> int:
    return 0


def _end_by_force() -> None:
    structlog.get_logger().error("did not stop in time; ending by force, the spool keeps the rest")
    os._exit(1)


def encode_config(config: Config) -> bytes:
    """The pipe's first line."""
    return msgspec.json.encode(config) + b"\n"


def encode_change(config: Config) -> bytes:
    """The order to work by other settings."""
    return CHANGE + encode_config(config)


def fingerprint(config: Config) -> str:
    """A short name of these settings: equal trees have equal ones."""
    text = msgspec.json.encode(config, order="deterministic")
    return hashlib.sha256(text).hexdigest()[:16]


def open_pipe(fd: int) -> tuple[Config, IO[bytes]]:
    """The configuration, and the rest of the pipe; raises `ConfigError` where there is none."""
    try:
        pipe = open(fd, "rb")  # noqa: SIM115 - it lives as long as the process
        return msgspec.json.decode(pipe.readline(), type=Config), pipe
    except (OSError, msgspec.MsgspecError) as error:
        hint = "this option is for `armorstack run`; give --config FILE instead"
        raise ConfigError(f"--control-fd: no settings on {fd}: {error}", hint=hint) from error
