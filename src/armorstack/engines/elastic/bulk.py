"""Bodies of bulk requests: two lines of JSON for each document, cut into pieces.

Invariant: a piece has its documents in the order they came, each whole; the op is `create`, so
that a document that is there already stays as it is. Must not go here: what a document holds, who
sends it, what the answer means.
"""

from collections.abc import Iterable, Iterator, Sequence

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


def pieces(
    portions: Iterable[Sequence[bytes]], max_bytes: int, max_entries: int
) -> Iterator[Piece]:  # fmt: skip
    """All entries, cut so that a piece has at most so many and so many bytes.

    An entry that is larger by itself has a piece of its own. A portion is asked for when what is
    left of those before does not fill a piece.
    """
    waiting: list[bytes] = []
    first = 0
    for portion in portions:
        waiting += portion
        while (cut := _full(waiting, max_bytes, max_entries)) < len(waiting):
            yield Piece(range(first, first + cut), waiting[:cut])
            first, waiting = first + cut, waiting[cut:]
    if waiting:
        yield Piece(range(first, first + len(waiting)), waiting)


def _full(entries: Sequence[bytes], max_bytes: int, max_entries: int) -> int:
    """How many of these fill a piece; all of them, where more would fit."""
    size = 0
    for count, each in enumerate(entries[:max_entries]):
        size += len(each)
        if size > max_bytes:
            return max(1, count)
    return min(len(entries), max_entries)
