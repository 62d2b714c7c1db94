"""Ctrl-C while DuckDB works in this process: it ends that work, and the command quietly.

Python runs no handler of a signal while native code runs in its main thread, and an error of native
code may swallow the KeyboardInterrupt; so a thread listens, and budgets are cancelled from there.
Invariant: once Ctrl-C was pressed the command ends with 130 and without a word, after what it had
open was closed. Must not go here: what is asked.
"""

import os
import signal
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from armorstack.store.budget import Budget

CODE = 128 + signal.SIGINT


class Interrupts:
    """Within it Ctrl-C cancels every budget that was made here. For the main thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._budgets: list[Budget] = []
        self._pressed = False

    def budget(self, seconds: float) -> "Budget":
        """A budget that Ctrl-C ends."""
        from armorstack.store.budget import Budget

        made = Budget(seconds)
        with self._lock:
            self._budgets = [each for each in self._budgets if each.left_s()] + [made]
            if self._pressed:
                made.cancel()
        return made

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._listen, name="interrupts", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        signal.set_wakeup_fd(self._before)
        os.close(self._write)
        self._thread.join()
        os.close(self._read)
        if self._pressed or isinstance(error, KeyboardInterrupt):
            sys.exit(CODE)

    def _listen(self) -> None:
        """A byte per signal, its number; the end when the command ends."""
        while numbers := os.read(self._read, 64):
            if signal.SIGINT in numbers:
                self._cancel()

    def _cancel(self) -> None:
        with self._lock:
            self._pressed = True
            budgets = tuple(self._budgets)
        for each in budgets:
            each.cancel()
