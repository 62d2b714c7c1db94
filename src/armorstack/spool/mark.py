"""Where a spool begins and ends, how much waits in between, and the insertion that keeps count.

Invariant: what waits is read from two rows, whatever their number in between. Deleting and
transactions must not go here.
"""

import sqlite3
from collections.abc import Iterable

from msgspec import Struct

from armorstack.spool.rows import Row
from armorstack.spool.schema import MARK_COLUMNS

INSERT = f"INSERT INTO rows VALUES ({', '.join('?' * 13)})"


class Mark(Struct, frozen=True):
    """A row's place; totals include the row itself."""

    seq: int = 0
    ordinal: int = 0
    frames_total: int = 0
    bytes_total: int = 0
    received_us: int = 0
    count: int = 0
    bytes: int = 0


class Waiting(Struct, frozen=True):
    """What lies in a spool."""

    rows: int = 0
    frames: int = 0
    bytes: int = 0
    oldest_us: int = 0
    """When the oldest row was received; 0: nothing waits."""


def first_mark(connection: sqlite3.Connection) -> Mark | None:
    """The oldest row, None where there is none."""
    return _mark(connection, "ASC")


def last_mark(connection: sqlite3.Connection) -> Mark | None:
    """The newest row, None where there is none."""
    return _mark(connection, "DESC")


def waiting_between(first: Mark | None, last: Mark) -> Waiting:
    """What lies from the first row to the last."""
    if first is None:
        return Waiting()
    return Waiting(
        last.ordinal - first.ordinal + 1,
        last.frames_total - first.frames_total + first.count,
        last.bytes_total - first.bytes_total + first.bytes,
        first.received_us,
    )


def insert_rows(
    connection: sqlite3.Connection, numbered: Iterable[tuple[int, Row]], last: Mark
) -> Mark:
    """Insert rows at the positions given with them, behind `last`; returns the new last row."""
    for seq, row in numbered:
        size = len(row.lengths) + len(row.payload)
        last = Mark(
            seq, last.ordinal + 1, last.frames_total + row.count, last.bytes_total + size,
            row.received_us, row.count, size,
        )  # fmt: skip
        values = (
            seq, last.ordinal, last.frames_total, last.bytes_total, row.received_us, row.count,
            row.crc32, row.source, row.stream, row.encoding, row.cluster, row.lengths, row.payload,
        )  # fmt: skip
        connection.execute(INSERT, values)
    return last


def _mark(connection: sqlite3.Connection, order: str) -> Mark | None:
    query = f"SELECT {MARK_COLUMNS} FROM rows ORDER BY seq {order} LIMIT 1"
    record = connection.execute(query).fetchone()
    return Mark(*record) if record else None
