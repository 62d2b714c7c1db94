"""How many answers without end one bearer may have at once.

Invariant: what was taken is given back, however the answer ends.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from armorstack.web.access.refusal import Refusal

LIMITS = {"/api/v1/stream": 100, "/api/v1/export": 4}
"""Streams cost a socket each and some memory; an export holds one of the threads that answer."""


class Streams:
    """Those that run. For one thread, that of the server."""

    def __init__(self) -> None:
        self._running: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def entered(self, bearer: str, path: str) -> Iterator[None]:
        """Within it one more runs. Raises Refusal where that is one too many."""
        limit = LIMITS.get(path)
        if limit is None:
            yield
            return
        key = (bearer, path)
        if self._running[key] >= limit:
            raise Refusal(
                f"{limit} of these run already with this token", status=429, reason="streams",
                hint="end one, or use a token of another name", headers={"retry-after": "10"},
            )  # fmt: skip
        self._running[key] += 1
        try:
            yield
        finally:
            self._running[key] -= 1
            self._running += Counter()
