"""Names to addresses under a deadline.

The system's resolver cannot be interrupted. It runs in a thread of its own, and who waits for it
goes away in time; at most one such thread is left behind, because the next call for the same name
waits for it too. Judging addresses must not go here.
"""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from msgspec import Struct

Found = list[tuple[Any, ...]]
Lookup = Callable[..., Found]
"""As `socket.getaddrinfo`."""


class Endpoint(Struct, frozen=True):
    """One address that a name has, ready to be connected to."""

    family: int
    sockaddr: tuple[Any, ...]

    @property
    def ip(self) -> str:
        """The address as text."""
        return str(self.sockaddr[0])


class Resolver:
    """Looks names up; used by one thread."""

    def __init__(self, lookup: Lookup = socket.getaddrinfo) -> None:
        self._lookup = lookup
        self._asked: tuple[str, int] = ("", 0)
        self._answer: Future[Found] = Future()

    def resolve(self, host: str, port: int, timeout_s: float) -> list[Endpoint]:
        """All addresses; raises TimeoutError, and OSError when there are none."""
        if self._asked != (host, port) or self._answer.done():
            self._ask(host, port)
        return [Endpoint(each[0], each[4]) for each in self._answer.result(timeout_s)]

    def _ask(self, host: str, port: int) -> None:
        self._asked, self._answer = (host, port), Future()
        order = (self._answer, self._lookup, host, port)
        threading.Thread(target=_run, args=order, name="resolver", daemon=True).start()


def _run(answer: "Future[Found]", lookup: Lookup, host: str, port: int) -> None:
    try:
        answer.set_result(lookup(host, port, type=socket.SOCK_STREAM))
    except BaseException as error:
        answer.set_exception(error)
