"""Children of a supervisor that was killed: they end by themselves, and the next run waits for it.

Invariant: nothing is ended by force here; a process that does not end keeps its folder.
"""

import time

from armorstack import runlock
from armorstack.state import (
    ReceiverState,
    WorkerState,
    read_state,
    receiver_path,
    worker_path,
)

TAKE_OVER_S = 12.0
"""Children of a killed supervisor are gone by then."""
LEFTOVER_S = 2.0
POLL_S = 0.05


def wait_for_leftovers(data_dir: str) -> None:
    """Wait for children of a supervisor that was killed; they end by themselves.

    Raises `SpoolLocked` or `StoreLocked` when a process works there that does not.
    """
    begin = time.monotonic()
    while (role := _held(data_dir)) is not None:
        waited_s = time.monotonic() - begin
        if waited_s > (TAKE_OVER_S if _is_stopping(data_dir, role) else LEFTOVER_S):
            runlock.hold(data_dir, role).close()  # raises, unless it ended just now
        time.sleep(POLL_S)


def _held(data_dir: str) -> runlock.Role | None:
    roles: tuple[runlock.Role, ...] = ("receiver", "worker")
    return next((role for role in roles if runlock.is_held(data_dir, role)), None)


def _is_stopping(data_dir: str, role: runlock.Role) -> bool:
    state: ReceiverState | WorkerState | None
    if role == "receiver":
        state = read_state(receiver_path(data_dir), ReceiverState)
    else:
        state = read_state(worker_path(data_dir), WorkerState)
    return state is not None and state.phase in ("stopping", "stopped")
