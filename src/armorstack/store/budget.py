"""What one question may cost, and how it is ended from outside.

Invariant: a budget ends what runs under it at most once a moment after its time is up or `cancel`
was called, whichever thread that comes from; what begins afterwards is refused. One budget may be
shared by several questions of one request.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from armorstack.errors import QueryStopped

QUESTION_S = 10.0
TIME_IS_UP = "the answer took longer than {seconds:g} s"
CALLER_LEFT = "nobody waits for the answer any more"


class Budget:
    """Seconds, and a way to stop. Every method may be called from any thread."""

    def __init__(self, seconds: float = QUESTION_S) -> None:
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._stopped = ""
        self._running: list[Callable[[], None]] = []

    def left_s(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._deadline - time.monotonic())

    def cancel(self, reason: str = CALLER_LEFT) -> None:
        """End what runs; interrupting a query that has just ended is harmless."""
        with self._lock:
            self._stopped = self._stopped or reason
            running = tuple(self._running)
        for interrupt in running:
            interrupt()

    def check(self) -> None:
        """Raise `QueryStopped` where the budget is spent or was cancelled."""
        if not self._stopped and not self.left_s():
            self._stopped = TIME_IS_UP.format(seconds=self.seconds)
        if self._stopped:
            raise QueryStopped(self._stopped, hint="ask for a shorter time, or for less")

    @contextlib.contextmanager
    def running(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Within it `interrupt` is called when time is up or the budget is cancelled.

        Raises `QueryStopped` at the start if there is nothing left, and in place of whatever error
        the interruption made.
        """
        self.check()
        timer = threading.Timer(self.left_s(), self.cancel, (self._told(),))
        timer.daemon = True
        with self._lock:
            self._running.append(interrupt)
        timer.start()
        try:
            yield
        except Exception:
            self.check()
            raise
        finally:
            timer.cancel()
            with self._lock:
                self._running.remove(interrupt)

    def _told(self) -> str:
        return TIME_IS_UP.format(seconds=self.seconds)
