"""A blocking call that is left when its budget ends.

The engine is told how long it may work, so what was left ends there by itself. Invariant: the
caller goes on at most a moment after its budget ended. Must not go here: what is asked.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from armorstack.store.budget import Budget

Answer = TypeVar("Answer")


class _Call(Generic[Answer]):
    """One call in a thread of its own."""

    def __init__(self, work: Callable[[], Answer]) -> None:
        self._work = work
        self.ended = threading.Event()
        self.answers: list[Answer] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.answers.append(self._work())
        except Exception as error:  # the top of a thread: whoever waits raises it
            self.error = error
        finally:
            self.ended.set()


def patiently(work: Callable[[], Answer], budget: Budget) -> Answer:
    """What `work` answers, or raises. Raises QueryStopped when the budget ends before."""
    call = _Call(work)
    with budget.running(call.ended.set):
        threading.Thread(target=call.run, name="engine-question", daemon=True).start()
        call.ended.wait()
        if call.error is not None:
            raise call.error
        if not call.answers:
            budget.check()
        return call.answers[0]
