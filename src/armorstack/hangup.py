"""What SIGHUP means: the terminal was closed, or the settings shall be read anew.

Nothing in the signal tells the two apart. A process whose controlling terminal goes away at that
moment is meant to end; any other hang-up was sent by somebody who has changed a file. Under nohup
the signal is ignored, and stays so. What a reload does must not go here.
"""

import os
import signal
import time
from collections.abc import Callable

import structlog

from armorstack.config import Config
from armorstack.config.change import Change, compare
from armorstack.errors import ArmorstackError
from armorstack.signals import heed
from armorstack.vetting import vet

TERMINAL = "/dev/tty"
TOGETHER_S = 3.0
"""A shell that ends tells its jobs first; only then does the terminal go."""


class Terminal:
    """The controlling terminal that this process was started with, if any."""

    def __init__(self) -> None:
        self._is_there = _has_terminal()
        self._lost_at = self._heard_at = float("-inf")

    def is_closed(self, *, heard: bool = False) -> bool:
        """Whether it went away about when a SIGHUP came; `heard`: one comes just now.

        One that went long before (the process was disowned) means nothing.
        """
        now = time.monotonic()
        if self._is_there and not _has_terminal():
            self._is_there, self._lost_at = False, now
        if heard:
            self._heard_at = now
        # Where one of them never was, this is infinite or no number.
        return abs(self._heard_at - self._lost_at) < TOGETHER_S


def is_heeded() -> bool:
    """Whether SIGHUP is for us."""
    return signal.getsignal(signal.SIGHUP) != signal.SIG_IGN


class Reloads:
    """The reloads of a process that runs by itself: a receiver or a worker in its container."""

    def __init__(
        self, config: Config, read: Callable[[], Config],
        apply: Callable[[Config, Change], None], end: Callable[[], None],
    ) -> None:  # fmt: skip
        """`read` gives the settings anew, `apply` puts right ones into force."""
        self._config, self._read, self._apply, self._end = config, read, apply, end
        self._terminal = Terminal()

    def heed_signal(self) -> None:
        """SIGHUP means reload; call it from the main thread."""
        if is_heeded():
            heed((signal.SIGHUP,), self._act)
            # One that came while this process became what it is now (`Orders.run_again`).
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    def _act(self) -> None:
        if self._terminal.is_closed(heard=True):
            self._end()
            return
        log = structlog.get_logger()
        try:
            change = self._reload()
        except (ArmorstackError, OSError, RecursionError) as error:
            log.error("settings not reloaded; the old ones go on", reason=str(error),
                      hint=getattr(error, "hint", ""))  # fmt: skip
        else:
            log.info("settings reloaded", changed=str(change))
        if self._terminal.is_closed():
            self._end()

    def _reload(self) -> Change:
        new = self._read()
        change = compare(self._config, new)
        change.check()
        if change:
            vet(new)
            self._config = new
            self._apply(new, change)
        return change


def _has_terminal() -> bool:
    """Whether there is a controlling terminal (tty(4): opening fails with ENXIO without one)."""
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
