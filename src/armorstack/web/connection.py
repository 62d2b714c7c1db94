"""One connection of HTTP/1.1: uvicorn's, with a limit on how long a request may take to come.

Invariant: a connection whose next request has not come whole, to the end of its head, within
`HEAD_S` of its first byte (of the connection's beginning, for the first one) is closed. So nobody
holds places by sending a byte now and then. Must not go here: what is answered.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_S = 10.0
LOOP = "armorstack.web.connection:Loop"


class Connection(H11Protocol):
    """Closes itself when a head is slow."""

    head_s = HEAD_S
    _timer: asyncio.TimerHandle | None = None

    @property
    def _is_answering(self) -> bool:
        # `cycle` is None until the first request, whatever its type says.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self._is_answering:
            self._unwatch()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.head_s, self._close)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._timer = None
        # A request that came along with the one before is answered without `data_received`.
        if not self._is_answering:
            self.transport.abort()


class Loop(asyncio.SelectorEventLoop):
    """asyncio's, with the same limit for TLS: the handshake comes before `connection_made`."""

    async def create_server(self, *args: Any, **options: Any) -> Any:
        """As asyncio's."""
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", HEAD_S)
        return await super().create_server(*args, **options)
