"""Ctrl-C ends what runs, also where the KeyboardInterrupt itself gets lost."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable

from armorstack.cli.interrupts import Interrupts
from armorstack.errors import QueryStopped


def press() -> None:
    """Press Ctrl-C, and lose the exception as native code may."""
    with contextlib.suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def ended_by(work: Callable[[Interrupts], object]) -> BaseException | None:
    """What the command ends with that does this work."""
    try:
        with Interrupts() as interrupts:
            work(interrupts)
    except BaseException as error:
        return error
    return None


def pressed(interrupts: Interrupts) -> None:
    """Ctrl-C while something runs, which must be ended."""
    stopped = threading.Event()
    with interrupts.budget(60).running(stopped.set):
        press()
        assert stopped.wait(20), "nobody ended what ran"


def test_ctrl_c_interrupts_what_runs_and_the_command_ends_quietly() -> None:
    seen: list[str] = []

    def work(interrupts: Interrupts) -> None:
        pressed(interrupts)
        seen.append("interrupted")
        raise ValueError("what native code made of it")

    error = ended_by(work)
    assert isinstance(error, SystemExit)
    assert error.code == 130
    assert seen == ["interrupted"]


def test_what_begins_after_ctrl_c_is_refused() -> None:
    refused: list[Exception] = []

    def work(interrupts: Interrupts) -> None:
        pressed(interrupts)
        try:
            interrupts.budget(60).check()
        except QueryStopped as error:
            refused.append(error)

    ended_by(work)
    assert len(refused) == 1


def test_without_ctrl_c_nothing_changes() -> None:
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)

    def work(interrupts: Interrupts) -> None:
        interrupts.budget(60).check()
        os.kill(os.getpid(), signal.SIGCHLD)
        raise ValueError("mine")

    assert isinstance(ended_by(work), ValueError)
    assert "interrupts" not in [thread.name for thread in threading.enumerate()]
    assert signal.set_wakeup_fd(before) == before
