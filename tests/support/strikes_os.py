"""Calls of the operating system that fail, or that the process does not outlive.

Strikes are told by how many changing calls are still let through. From a kill on no call changes
anything any more, as if the process were gone.
"""

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

CHANGES = ("open", "write", "pwrite", "fsync", "ftruncate", "rename", "unlink", "mkdir", "fchmod")
NO_STRIKE = 1 << 30


class Killed(BaseException):
    """The process is gone."""


class Strike(Struct, frozen=True):
    """What happens after so many calls that change something."""

    calls: int = NO_STRIKE
    kills: bool = True
    """Else the call fails, with ENOSPC, and the next ones work."""
    share: float = 0.0
    """How much of the data a write still writes that is struck."""


class System:
    """The calls, while `struck` is entered."""

    def __init__(self, strike: Strike, synced: dict[int, int]) -> None:
        """`synced` is kept: inode → size at its last fsync."""
        self.strike = strike
        self.calls = 0
        self.is_dead = False
        self.synced = synced

    def call(self, name: str, real: Callable[..., Any], *args: Any, **named: Any) -> Any:
        if self.is_dead:
            raise Killed
        self.calls += 1
        if self.calls == self.strike.calls + 1:
            return self._struck(name, real, *args)
        if name in ("unlink", "rename"):
            with contextlib.suppress(OSError):
                # The inode's number may be given to another file.
                self.synced.pop(os.stat(args[-1]).st_ino, None)
        done = real(*args, **named)
        if name == "fsync":
            about = os.fstat(args[0])
            self.synced[about.st_ino] = about.st_size
        return done

    def _struck(self, name: str, real: Callable[..., Any], *args: Any) -> Any:
        written = 0
        if name == "write" and (part := args[1][: int(len(args[1]) * self.strike.share)]):
            written = real(args[0], part)
        if self.strike.kills:
            self.is_dead = True
            raise Killed
        if written:
            # The kernel says how far it came, and what is wrong at the next call.
            self.calls -= 1
            self.strike = Strike(self.calls, kills=False)
            return written
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def struck(strike: Strike, synced: dict[int, int]) -> Iterator[System]:
    """Let these calls fail or kill within."""
    system = System(strike, synced)
    real = {name: getattr(os, name) for name in CHANGES}
    for name, function in real.items():
        setattr(os, name, _bound(system, name, function))
    told = threading.excepthook
    threading.excepthook = lambda args: None if args.exc_type is Killed else told(args)
    try:
        yield system
    finally:
        threading.excepthook = told
        for name, function in real.items():
            setattr(os, name, function)


def _bound(system: System, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        return system.call(name, real, *args, **named)

    return call
