"""Programs that tests need, and processes that they must not leave behind."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psutil
import pytest

SESSION_MARK = "PYTEST_SESSION_OF"
"""Environment variable that marks every process started below this session, orphans too."""


def under_ci() -> bool:
    """Whether a missing tool is a fault (CI) or a reason to skip (at home)."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def missing(reason: str, hint: str) -> NoReturn:
    """Fail under CI, skip at home; both say the reason and the command that mends it."""
    text = f"{reason}; to mend: {hint}"
    if under_ci():
        pytest.fail(text)
    pytest.skip(text)


def require_tool(name: str, hint: str) -> Path:
    """The program's path. `hint` is the command that installs it."""
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is not installed", hint)
    return Path(found)


def surviving_processes(grace_s: float) -> dict[psutil.Process, str]:
    """Processes of this session that do not end by themselves within `grace_s`, described."""
    deadline = time.monotonic() + grace_s
    while (found := dict(_describe(_started_here()))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def surviving_threads(grace_s: float) -> list[str]:
    """Threads that Python would wait for at its end and that do not end within `grace_s`."""
    deadline = time.monotonic() + grace_s
    waited_for = [t for t in threading.enumerate() if t is not threading.main_thread()]
    for thread in waited_for:
        if not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
    return [f"thread {t.name}" for t in waited_for if t.is_alive() and not t.daemon]


def end(processes: dict[psutil.Process, str]) -> None:
    """Kill what is left, so that a failed session does not disturb the next one."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(list(processes), timeout=5)


def _started_here() -> Iterator[psutil.Process]:
    """Our descendants, and orphans that carry our mark in their environment."""
    ours = psutil.Process()
    children = set(ours.children(recursive=True))
    yield from children
    for process in psutil.process_iter():
        if process != ours and process not in children and _is_marked(process):
            yield process


def _is_marked(process: psutil.Process) -> bool:
    try:
        return process.environ().get(SESSION_MARK) == str(os.getpid())
    except psutil.Error:
        return False


def _describe(processes: Iterator[psutil.Process]) -> Iterator[tuple[psutil.Process, str]]:
    for process in processes:
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process, f"{process.pid}: {' '.join(process.cmdline())}"
        except psutil.NoSuchProcess:
            continue
