"""A file that is made while it is sent: pieces pulled in a thread, one at a time.

Invariant: what goes wrong before the first piece is an answer like any other; what goes wrong later
ends the connection without its proper end, so that no reader takes a part for the whole. What the
pieces hold is let go when the file ends, the client leaves, or takes nothing for a minute.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from armorstack.errors import ArmorstackError
from armorstack.store.budget import Budget

STALLED_S = 60.0

log = structlog.get_logger()


class Pieces:
    """An iterator that one thread at a time may pull, and that may be closed at any moment."""

    def __init__(self, pieces: Iterator[bytes], budget: Budget) -> None:
        self._pieces, self._budget = pieces, budget
        self._lock = threading.Lock()
        self._closed = False

    def pull(self) -> bytes | None:
        """The next piece that is not empty; None: that was all. Raises what making one raises."""
        with self._lock:
            if self._closed:
                return None
            return next((piece for piece in self._pieces if piece), None)

    def close(self) -> None:
        """End the question, wait for a piece that is being made, and let go."""
        self._budget.cancel()
        with self._lock:
            self._closed = True
            if close := getattr(self._pieces, "close", None):
                close()


class Download(Response):
    """The response. Make it with `begun`."""

    def __init__(self, first: bytes, pieces: Pieces, headers: dict[str, str]) -> None:
        super().__init__(headers=headers)
        # How long it will be is not known.
        del self.headers["content-length"]
        self._first, self._pieces = first, pieces
        self._client_left = False

    @classmethod
    async def begun(
        cls, pieces: Iterator[bytes], budget: Budget, headers: dict[str, str]
    ) -> "Download":
        """The response, with its first piece at hand. Raises what making that piece raises."""
        held = Pieces(pieces, budget)
        try:
            first = await run_in_threadpool(held.pull)
        except BaseException:
            await run_in_threadpool(held.close)
            raise
        return cls(first or b"", held, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all; without the closing message where not all could be had."""
        watch = asyncio.create_task(self._watch(receive))
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            await self._send(send)
        except (ArmorstackError, TimeoutError) as error:
            if not self._client_left:
                log.warning("an export was broken off", reason=str(error) or "the client stalled")
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
            await run_in_threadpool(self._pieces.close)

    async def _send(self, send: Send) -> None:
        piece: bytes | None = self._first
        while piece is not None and not self._client_left:
            async with asyncio.timeout(STALLED_S):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await run_in_threadpool(self._pieces.pull)
        if not self._client_left:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._client_left = True
        await run_in_threadpool(self._pieces.close)
