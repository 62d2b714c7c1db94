"""One stream's events on their way out: stamped with the time of sending, counted, limited.

Invariant: every event handed out has an UpdatedTime (and the Timestamp of the same second) that no
other event of this process has, close to now; nothing else of it is changed but, where the corpus
has room for one, its running number (from 0; a hole is what was dropped). Not here: sockets.
"""

import time
from collections.abc import Iterator

from armorstack.core.fields import Stream
from bench.corpus import HEAD_BYTES, NUMBER_DIGITS, PREFIX_BYTES, Block

CHUNK_EVENTS = 64
QUEUE_SLOTS: dict[Stream, int] = {"alert": 1_000, "log": 10_000, "message": 1_000}
"""What KubeArmor's relay keeps for one client before it drops."""


class Stamp:
    """Heads of messages: the present in microseconds, each given once."""

    def __init__(self) -> None:
        self._last_us = 0
        self._second = -1
        self._prefix = b""

    def heads(self, count: int) -> Iterator[bytes]:
        """`count` heads of `HEAD_BYTES` bytes each."""
        first = max(time.time_ns() // 1_000, self._last_us + 1)
        self._last_us = first + count - 1
        for moment in range(first, first + count):
            second, micros = divmod(moment, 1_000_000)
            if second != self._second:
                self._turn(second)
            yield self._prefix + b"%06d" % micros

    def _turn(self, second: int) -> None:
        self._second = second
        text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second)).encode()
        groups = [second >> shift & 0x7F for shift in range(0, 35, 7)]
        varint = bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])
        self._prefix = b"\x08" + varint + b"\x12\x1b" + text


class Feed:
    """The events of one stream, over and over, until `quota` were handed out."""

    def __init__(self, block: Block, stamp: Stamp, quota: int) -> None:
        self._data = bytearray(block.data)
        self._starts = block.offsets()
        self._numbers = block.number_offsets()
        self._stamp = stamp
        self._next = 0
        self.quota = quota
        self.sent = 0
        self.dropped = 0

    @property
    def left(self) -> int:
        """Events still to be sent or dropped."""
        return self.quota - self.sent - self.dropped

    def take(self, limit: int) -> bytes:
        """Up to `limit` (and `CHUNK_EVENTS`) stamped messages behind their gRPC prefixes."""
        first = self._next
        last = min(first + min(limit, CHUNK_EVENTS, self.left), len(self._starts) - 1)
        starts = self._starts[first : last + 1]
        data = self._data
        for start, head in zip(starts, self._stamp.heads(last - first), strict=False):
            at = start + PREFIX_BYTES
            data[at : at + HEAD_BYTES] = head
        if self._numbers:
            self._write_numbers(first, last)
        self.sent += last - first
        self._next = last % (len(self._starts) - 1)
        return bytes(memoryview(data)[starts[0] : starts[-1]])

    def _write_numbers(self, first: int, last: int) -> None:
        number = self.sent + self.dropped
        for at in self._numbers[first:last]:
            self._data[at : at + NUMBER_DIGITS] = b"%010d" % number
            number += 1


class Pace:
    """How many events one watcher of a feed should have got since it was first asked.

    `rate` 0: as many as fit.
    """

    def __init__(self, feed: Feed, rate: float, queue_slots: int | None) -> None:
        self._feed = feed
        self._rate = rate
        self._queue_slots = queue_slots
        self._began: float | None = None
        self._handled = 0

    def due(self) -> int:
        """Events that wait to be sent now; what exceeds the queue is dropped and counted."""
        if not self._rate:
            return self._feed.left
        now = time.monotonic()
        if self._began is None:
            self._began = now
        made = int((now - self._began) * self._rate)
        waiting = min(made - self._handled, self._feed.left)
        if self._queue_slots is not None and waiting > self._queue_slots:
            self._feed.dropped += waiting - self._queue_slots
            self._handled += waiting - self._queue_slots
            waiting = self._queue_slots
        return waiting

    def sent(self, count: int) -> None:
        """Tell that `count` of the due events went out."""
        self._handled += count
