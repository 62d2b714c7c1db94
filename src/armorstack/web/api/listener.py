"""What waits for the client of one stream.

Invariants: it holds little, whatever the client does: what finds no room is let go, and told as a
gap at its place. What a stream that resumes was given already is not given again. Used in the
event loop only.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from armorstack.web.api.messages import Message, Piece, end, gap, pieces

MAX_BYTES = 2 * 1024 * 1024
"""What may wait for one client; streams that ask the same share it."""
TAKEN_BYTES = 256 * 1024
MAX_HELD = 5000


class Listener:
    """A bounded queue of pieces."""

    def __init__(self, is_allowed: Callable[[], bool] = lambda: True) -> None:
        """`is_allowed`: whether the token still may read what it could when the stream began."""
        self.is_allowed = is_allowed
        self.has_ended = False
        self._waiting: deque[Piece] = deque()
        self._bytes = self._dropped = 0
        self._held: list[Message] | None = None
        self._given: set[bytes] = set()
        self._wake = asyncio.Event()

    def hold(self) -> None:
        """Keep back what comes from now on, while older events are being sent."""
        self._held = []

    def release(self, given: set[bytes]) -> None:
        """Go on, without the events (ids) that were sent meanwhile."""
        held, self._held, self._given = self._held or [], None, given
        self.give(held, pieces(held))

    def settle(self) -> None:
        """What was sent before `release` cannot come again."""
        self._given = set()

    def give(self, messages: Sequence[Message], packed: Sequence[Piece]) -> None:
        """Events, and the same in pieces, which all streams share."""
        if self._held is not None:
            room = MAX_HELD - len(self._held)
            self._held += messages[:room]
            self._dropped += max(0, len(messages) - room)
            return
        if self._given:
            packed = pieces(each for each in messages if each.event not in self._given)
        # Whoever keeps up has taken all before the next poll, so gets the largest of them.
        is_quick = not self._waiting
        for piece in packed:
            self.push(piece, even_beyond=is_quick)

    def push(self, piece: Piece, *, even_beyond: bool = False) -> None:
        """Let this wait for the client, or drop it and count its events."""
        if self._bytes + len(piece.text) > MAX_BYTES and self._waiting and not even_beyond:
            self._dropped += piece.events
            return
        self._tell_dropped()
        self._append(piece)

    def keep_alive(self, piece: Piece) -> None:
        """Say where the stream is, unless it is at work, or was told more than the poller knows."""
        if self._held is None and not self._given and not self._waiting:
            self.push(piece)

    def finish(self, reason: str) -> None:
        """End the stream, and tell why; what waits is let go."""
        if not self.has_ended:
            self.leave()
            self._append(end(reason))

    def leave(self) -> None:
        """The client has gone."""
        self.has_ended = True
        self._waiting.clear()
        self._bytes = self._dropped = 0
        self._wake.set()

    async def take(self) -> bytes:
        """What waits, up to a moderate size; empty: the stream has ended."""
        while not self._waiting and not self.has_ended:
            self._tell_dropped()
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
        texts, size = [], 0
        while self._waiting and size < TAKEN_BYTES:
            texts.append(self._waiting.popleft().text)
            size += len(texts[-1])
        self._bytes -= size
        return b"".join(texts)

    def _tell_dropped(self) -> None:
        if self._dropped and self._held is None:
            dropped, self._dropped = self._dropped, 0
            self._append(gap(dropped, "slow"))

    def _append(self, piece: Piece) -> None:
        self._waiting.append(piece)
        self._bytes += len(piece.text)
        self._wake.set()
