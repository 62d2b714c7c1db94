"""Bodies of bulk requests: two lines of JSON for each document, cut into pieces.

Invariant: a piece has its documents in the order they came, each whole; the op is `create`, so
that a document that is there already stays as it is. Must not go here: what a document holds, who
sends it, what the answer means.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from isal import igzip
from msgspec import Struct

ANSWERED = "items.create.status,items.create.error.type,items.create.error.reason"
"""`filter_path` of a bulk request: about 26 bytes for each document that was taken, so that they
can be counted, and all that is told of one that was not."""
GZIP_LEVEL = 0
"""Of ISA-L, where 0 is the fastest; a bulk body still shrinks to a tenth."""


def head(index: str, id_: str) -> bytes:
    """The line that creates the document of the next one. Both are plain ASCII without quotes."""
    return f'{{"create":{{"_index":"{index}","_id":"{id_}"}}}}\n'.encode()


class Piece(Struct, frozen=True):
    """What goes into one request."""

    places: Sequence[int]
    """Which of the entries these are."""
    entries: Sequence[bytes]

    @property
    def size(self) -> int:
        """Bytes before they are packed."""
        return sum(map(len, self.entries))

    def body(self, compress: bool) -> bytes:
        """The bytes to send, packed with gzip or not."""
        lines = b"".join(self.entries)
        return igzip.compress(lines, GZIP_LEVEL, mtime=0) if compress else lines

    def halves(self) -> "tuple[Piece, Piece]":
        """The same in two pieces; only for one of more than one entry."""
        half = len(self.places) // 2
        return (
            Piece(self.places[:half], self.entries[:half]),
            Piece(self.places[half:], self.entries[half:]),
        )


def pieces(entries: Sequence[bytes], max_bytes: int, max_entries: int) -> Iterator[Piece]:
    """All entries, cut so that a piece has at most so many and so many bytes.

    An entry that is larger by itself has a piece of its own.
    """
    ends = list(accumulate(map(len, entries), initial=0))
    first = 0
    while first < len(entries):
        fitting = bisect_right(ends, ends[first] + max_bytes) - 1
        last = max(first + 1, min(fitting, first + max_entries))
        yield Piece(range(first, last), entries[first:last])
        first = last
