"""Server-sent events as bytes, and the places in `id:`.

    id: PLACE               the place behind the last row of a poll, or
    id: PLACE COUNT.CHECK   behind so many rows after that place (a place has no spaces)

Invariants: an event is one message whose `data:` is one line. A message without `event:` is an
event; `alive`, `gap` and `end` tell what its name says. What resumes at an id misses nothing: rows
are passed over only where CHECK, made of the ids of all of them, says that they are the same ones;
a store that was opened anew may have them in another order, and then they come again.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import xor
from typing import Literal

from msgspec import Struct

from armorstack.core.query.tree import Node
from armorstack.store.contract import Row
from armorstack.store.event_json import encode, plain

PIECE_BYTES = 64 * 1024
CHECK_BYTES = 12
RETRY = b"retry: 1000\n\n"
GapReason = Literal["slow", "missed"]


class Message(Struct, frozen=True):
    """One event, ready to be sent."""

    event: bytes
    """Its id."""
    text: bytes


class Piece(Struct, frozen=True):
    """Some messages, sent at once."""

    text: bytes
    events: int


class Audience(Struct, frozen=True):
    """Streams that ask the same; what is made for one of them is made for all."""

    tree: Node
    namespaces: frozenset[str] | None
    columns: tuple[str, ...]
    start_us: int | None
    end_us: int | None

    def may_see(self, row: Row) -> bool:
        """Whether the row is one of their namespaces."""
        return self.namespaces is None or row.get("namespace_name") in self.namespaces

    def spans(self, row: Row) -> bool:
        """Whether the row lies in the span that was asked for."""
        time_us: int = row["time"]
        after = self.start_us is None or time_us >= self.start_us
        return after and (self.end_us is None or time_us < self.end_us)


def message(row: Row, columns: Sequence[str], place: str) -> Message:
    """The event, and `place` as its id."""
    kept = {name: row[name] for name in columns if name in row}
    text = b"id: %b\ndata: %b\n\n" % (place.encode(), encode(plain(kept)))
    return Message(row["id"], text)


def places(before: str, rows: Sequence[Row], after: str) -> Iterator[tuple[Row, str]]:
    """Each row that came between these two places, with the place behind it."""
    last, check = len(rows) - 1, 0
    for index, row in enumerate(rows):
        check ^= _check(row)
        yield row, after if index == last else f"{before} {index + 1}.{check:x}"


def parted(place: str) -> tuple[str, str]:
    """The store's place, and what says which rows after it were given (empty: none)."""
    before, _, given = place.partition(" ")
    return before, given


def given_of(rows: Sequence[Row], given: str) -> int:
    """How many of the first of these rows were given; 0 where they are not the same ones."""
    count, _, check = given.partition(".")
    if not (count.isascii() and count.isdigit() and len(count) < 10):
        return 0
    first = rows[: int(count)]
    whole = reduce(xor, map(_check, first), 0)
    return len(first) if len(first) == int(count) and f"{whole:x}" == check else 0


def _check(row: Row) -> int:
    return int.from_bytes(row["id"][:CHECK_BYTES], "big")


def pieces(messages: Iterable[Message]) -> list[Piece]:
    """The messages in pieces of a moderate size."""
    made: list[Piece] = []
    texts: list[bytes] = []
    size = 0
    for each in messages:
        texts.append(each.text)
        size += len(each.text)
        if size >= PIECE_BYTES:
            made.append(Piece(b"".join(texts), len(texts)))
            texts, size = [], 0
    return [*made, Piece(b"".join(texts), len(texts))] if texts else made


def alive(place: str) -> Piece:
    """Nothing happened, and this is where a stream would go on."""
    data = encode({"place": place})
    return Piece(b": alive\nid: %b\nevent: alive\ndata: %b\n\n" % (place.encode(), data), 0)


def gap(lost: int | None, reason: GapReason) -> Piece:
    """So many events are not in the stream; None: nobody may know. They can be searched."""
    return Piece(b"event: gap\ndata: %b\n\n" % encode({"lost": lost, "reason": reason}), 0)


def end(reason: str) -> Piece:
    """The stream ends, and why."""
    return Piece(b"event: end\ndata: %b\n\n" % encode({"reason": reason}), 0)
