"""Gaps that the spool owes to whoever reads it: frames it dropped or lost to damage.

Invariant: a loss and the note of it are one transaction, and so are the gap that tells it and the
end of the note; a crash in between loses neither. How a gap is written must not go here.
"""

import sqlite3
from collections.abc import Iterable

from msgspec import Struct

from armorstack.spool.schema import BYTES

OVERFLOW = "spool_overflow"
DAMAGED = "spool_damaged"


class Owed(Struct, frozen=True):
    """One gap that has to be told."""

    reason: str
    source: str
    stream: str
    start_us: int
    end_us: int
    lost: int | None
    """Frames; None where nobody knows."""


class Dropped(Struct, frozen=True):
    """What was deleted unread."""

    last: int = 0
    rows: int = 0
    frames: int = 0


def note(connection: sqlite3.Connection, losses: Iterable[Owed]) -> None:
    """Add the losses to what is owed."""
    connection.executemany(
        "INSERT INTO owed VALUES (?, ?, ?, ?, ?, ?) "
        " ON CONFLICT (reason, source, stream) DO UPDATE SET"
        " start_us = min(start_us, excluded.start_us),"
        " end_us = max(end_us, excluded.end_us),"
        " lost = lost + excluded.lost",
        [(o.reason, o.source, o.stream, o.start_us, o.end_us, o.lost) for o in losses],
    )


def owed(connection: sqlite3.Connection) -> list[Owed]:
    """All that is owed."""
    query = "SELECT reason, source, stream, start_us, end_us, lost FROM owed"
    return [Owed(*record) for record in connection.execute(query)]


def settle(connection: sqlite3.Connection, told: Iterable[Owed]) -> None:
    """Strike out what is told in this transaction."""
    connection.executemany(
        "DELETE FROM owed WHERE reason = ? AND source = ? AND stream = ?",
        [(o.reason, o.source, o.stream) for o in told],
    )


def drop_oldest(connection: sqlite3.Connection, at_least_bytes: int) -> Dropped:
    """Delete the oldest rows that hold so many bytes, and note the loss by source and stream."""
    losses: dict[tuple[str, str], Owed] = {}
    seqs = [0]
    size = 0
    query = f"SELECT seq, source, stream, received_us, count, {BYTES} FROM rows ORDER BY seq"
    for seq, source, stream, received_us, count, row_bytes in connection.execute(query):
        seqs.append(seq)
        start_us, lost = received_us, 0
        if known := losses.get((source, stream)):
            start_us, lost = known.start_us, known.lost or 0
        losses[source, stream] = Owed(OVERFLOW, source, stream, start_us, received_us, lost + count)
        size += row_bytes
        if size >= at_least_bytes:
            break
    connection.execute("DELETE FROM rows WHERE seq <= ?", (seqs[-1],))
    note(connection, losses.values())
    return Dropped(seqs[-1], len(seqs) - 1, sum(loss.lost or 0 for loss in losses.values()))
