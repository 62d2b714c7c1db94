"""What is remembered beside the spool: gaps that have ended, and when each node was heard last.

Functions on an open `work.db`; the transaction is the caller's. Invariant: both tables are bounded
whatever the events say: the newest gaps and the nodes heard last are kept, and a gap that comes
twice is kept once. What a gap means must not go here: it is bytes with two times.
"""

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from armorstack.spool.cursors import HISTORY_SINCE, SINCE_1, WORK
from armorstack.spool.database import guarded
from armorstack.spool.follow import Follower
from armorstack.spool.place import WORK_FILE

MAX_GAPS = 100_000
MAX_GAP_AGE_US = 400 * 86_400 * 1_000_000
"""A year can be compared with the one before."""
MAX_NODES = 10_000
STEP = 1000
"""Rows deleted in one transaction, beyond those it brings."""


class GapNote(Struct, frozen=True):
    """One gap that has ended; times are microseconds since 1970."""

    frame: bytes
    """As it is written in the spool."""
    start_us: int
    end_us: int


class Seen(Struct, frozen=True):
    """One node, and when it was heard last; times are microseconds since 1970."""

    cluster: str
    node: str
    last_event_us: int
    """By the node's clock."""
    last_received_us: int
    """By ours."""
    events: int
    """How many; those that came twice count twice."""


class History(Struct, frozen=True):
    """All of it, as a person asks for it."""

    gaps: tuple[bytes, ...] = ()
    nodes: tuple[Seen, ...] = ()
    known: bool = False
    """Whether there is a file with these tables."""


def keep_gaps(connection: sqlite3.Connection, gaps: Sequence[GapNote], now_us: int) -> None:
    """Remember the gaps; forget a bounded number of those that are too many or too old."""
    connection.executemany(
        "INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?)",
        [
            (hashlib.sha256(gap.frame).digest(), gap.start_us, gap.end_us, gap.frame.decode())
            for gap in gaps
        ],
    )
    excess = _count(connection, "gaps") - MAX_GAPS if gaps else 0
    oldest = "SELECT key FROM gaps {} ORDER BY end_us LIMIT ?"
    for which, values in (
        ("WHERE end_us < ?", (now_us - MAX_GAP_AGE_US, STEP)),
        ("", (min(max(0, excess), STEP + len(gaps)),)),
    ):
        query = f"DELETE FROM gaps WHERE key IN ({oldest.format(which)})"
        connection.execute(query, values)


def keep_nodes(connection: sqlite3.Connection, nodes: Iterable[Seen]) -> None:
    """Remember when these nodes were heard; forget the longest silent beyond the limit."""
    connection.executemany(
        "INSERT INTO nodes VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (cluster, node) DO UPDATE SET"
        " last_event_us = max(last_event_us, excluded.last_event_us),"
        " last_received_us = max(last_received_us, excluded.last_received_us),"
        " events = events + excluded.events",
        [(n.cluster, n.node, n.last_event_us, n.last_received_us, n.events) for n in nodes],
    )
    if (excess := _count(connection, "nodes") - MAX_NODES) > 0:
        connection.execute(
            "DELETE FROM nodes WHERE (cluster, node) IN"
            " (SELECT cluster, node FROM nodes ORDER BY last_received_us LIMIT ?)",
            (excess,),
        )


def find_gaps(
    connection: sqlite3.Connection, start_us: int, end_us: int, limit: int = MAX_GAPS
) -> list[bytes]:
    """The newest gaps that reach into this time, as they are written, oldest first."""
    query = (
        "SELECT gap FROM gaps WHERE end_us >= ? AND start_us <= ? ORDER BY end_us DESC, key LIMIT ?"
    )
    found = connection.execute(query, (start_us, end_us, limit)).fetchall()
    return [gap.encode() for (gap,) in reversed(found)]


def find_nodes(connection: sqlite3.Connection, limit: int = MAX_NODES) -> list[Seen]:
    """The nodes, the one heard last first."""
    query = (
        "SELECT cluster, node, last_event_us, last_received_us, events FROM nodes"
        " ORDER BY last_received_us DESC, cluster, node LIMIT ?"
    )
    return [Seen(*record) for record in connection.execute(query, (limit,))]


def look(folder: Path, start_us: int = 0, end_us: int = (1 << 63) - 1) -> History:
    """All nodes, and the gaps that reach into this time; nothing is made or changed.

    Raises SpoolTooNew, SpoolDamaged. A file that its worker has not upgraded yet knows neither.
    """
    with contextlib.closing(Follower(folder / WORK_FILE, WORK, SINCE_1)) as follower:
        connection = follower.connection()
        if connection is None:
            return History()
        with guarded(follower.path):
            if connection.execute("PRAGMA user_version").fetchone()[0] < HISTORY_SINCE:
                return History()
            gaps = find_gaps(connection, start_us, end_us)
            return History(tuple(gaps), tuple(find_nodes(connection)), known=True)


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
