"""One supervisor, one receiver and one worker per data folder: locks that die with their holder.

Invariant: a lock is held by an open file of this process alone (not inherited), so that a killed
process leaves none behind. What the spool and the store lock by themselves must not go here.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import IO, Literal

from armorstack.errors import ArmorstackError, ConfigError, SpoolLocked, StoreLocked

Role = Literal["run", "receiver", "worker"]
POLL_S = 0.05


def hold(data_dir: str, role: Role, wait_s: float = 0.0) -> IO[str]:
    """Take the role's lock, or raise `SpoolLocked` or `StoreLocked`; closing it gives it back."""
    path = _folder(data_dir) / f"{role}.lock"
    file = open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")  # noqa: SIM115 - returned
    deadline = time.monotonic() + wait_s
    while not _locked(file):
        if time.monotonic() >= deadline:
            holder = file.read(20).strip()
            file.close()
            raise _refusal(data_dir, role, holder)
        time.sleep(POLL_S)
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def is_held(data_dir: str, role: Role) -> bool:
    """Whether another process has the role's lock."""
    with open(os.open(_folder(data_dir) / f"{role}.lock", os.O_RDWR | os.O_CREAT, 0o600)) as file:
        return not _locked(file)


def _folder(data_dir: str) -> Path:
    """`DATA/run`; a data folder that is made here is for its owner alone."""
    folder = Path(data_dir) / "run"
    try:
        Path(data_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        hint = "give a folder that you may write to with --data-dir"
        raise ConfigError(f"$.data_dir: {data_dir}: {error.strerror}", hint=hint) from error
    return folder


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refusal(data_dir: str, role: Role, holder: str) -> ArmorstackError:
    who = {"run": "`armorstack run`", "receiver": "receiver", "worker": "worker"}[role]
    process = f" (process {holder})" if holder else ""
    hint = "stop it, or give this one a folder of its own with --data-dir"
    kind = StoreLocked if role == "worker" else SpoolLocked
    return kind(f"{data_dir}: another {who}{process} works in this folder", hint=hint)
