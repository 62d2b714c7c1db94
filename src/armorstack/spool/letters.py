"""Dead letters: frames that a sink will never take as they are, kept for a person.

Functions on an open `work.db`; the transaction is the caller's. Invariant: the number and bytes
kept follow every insert and delete by trigger, so the limit holds whoever deletes. Why a sink
refused a frame must not be interpreted here.
"""

import sqlite3
from collections.abc import Iterable, Iterator

from msgspec import Struct

COLUMNS = (
    "id, sink, source, stream, encoding, cluster, error_type, reason, attempts, first_seen_us,"
    " seq, replay, frame"
)
DROP_STEP = 100


class DeadLetter(Struct, frozen=True, kw_only=True):
    """One frame with why and when it was refused."""

    frame: bytes
    """The bytes as they came."""
    error_type: str
    """A short class, such as `malformed_protobuf`."""
    reason: str
    """One sentence; may quote the frame, so it is as hostile as that."""
    encoding: str = ""
    source: str = ""
    stream: str = ""
    cluster: str = ""
    attempts: int = 1
    first_seen_us: int = 0
    """When it was first refused, microseconds since 1970."""
    seq: int = 0
    """The spool row it lay in."""
    sink: str = ""
    id: int = 0
    """Given when it is set aside. Set aside again under its id, it replaces what was there."""
    replay: bool = False
    """Whether a worker shall try it again."""


class Filter(Struct, frozen=True, kw_only=True):
    """Which letters are meant: those that match all that is given; nothing given: all letters."""

    stream: str = ""
    error_type: str = ""
    sink: str = ""
    """Only those that this sink refused."""
    ids: tuple[int, ...] = ()
    replay: bool = False
    """Only those marked to be tried again."""
    after_seq: int = 0
    """Only those of spool rows behind this position."""


ALL = Filter()


def keep(connection: sqlite3.Connection, letters: Iterable[DeadLetter]) -> None:
    """Insert the letters; one with the id of a letter that is kept replaces it and is no longer
    marked."""
    for letter in letters:
        values = (
            letter.sink, letter.source, letter.stream, letter.encoding, letter.cluster,
            letter.error_type, letter.reason, letter.attempts, letter.first_seen_us, letter.seq,
            letter.frame,
        )  # fmt: skip
        connection.execute("DELETE FROM letters WHERE id = ?", (letter.id,))
        connection.execute(
            f"INSERT INTO letters ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
            (letter.id or None, *values),
        )


def keep_within(connection: sqlite3.Connection, max_bytes: int) -> int:
    """Delete the oldest letters beyond the limit and count them; returns how many."""
    dropped = 0
    while fact(connection, "letter_bytes") > max_bytes:
        dropped += _drop_oldest(connection, fact(connection, "letter_bytes") - max_bytes)
    if dropped:
        connection.execute(
            "UPDATE facts SET value = value + ? WHERE name = 'letters_dropped'", (dropped,)
        )
    return dropped


def find(
    connection: sqlite3.Connection, which: Filter, *, limit: int, after: int
) -> list[DeadLetter]:
    """Letters with larger ids than `after`, oldest first."""
    condition, values = _condition(which)
    query = f"SELECT {COLUMNS} FROM letters WHERE {condition} AND id > ? ORDER BY id LIMIT ?"
    records = connection.execute(query, (*values, after, limit))
    return list(_letters(records))


def mark(connection: sqlite3.Connection, which: Filter) -> int:
    """Mark letters to be tried again; returns how many match."""
    condition, values = _condition(which)
    return connection.execute(f"UPDATE letters SET replay = 1 WHERE {condition}", values).rowcount


def delete(connection: sqlite3.Connection, which: Filter) -> int:
    """Delete letters; returns how many."""
    condition, values = _condition(which)
    return connection.execute(f"DELETE FROM letters WHERE {condition}", values).rowcount


def count(connection: sqlite3.Connection, which: Filter) -> int:
    """How many match."""
    condition, values = _condition(which)
    query = f"SELECT count(*) FROM letters WHERE {condition}"
    return int(connection.execute(query, values).fetchone()[0])


def fact(connection: sqlite3.Connection, name: str) -> int:
    """`letters`, `letter_bytes`, or `letters_dropped`."""
    query = "SELECT value FROM facts WHERE name = ?"
    return int(connection.execute(query, (name,)).fetchone()[0])


def _letters(records: Iterable[tuple[object, ...]]) -> Iterator[DeadLetter]:
    names = COLUMNS.split(", ")
    for record in records:
        fields = dict(zip(names, record, strict=True))
        yield DeadLetter(**{**fields, "replay": bool(fields["replay"])})  # type: ignore[arg-type]


def _condition(which: Filter) -> tuple[str, tuple[object, ...]]:
    parts, values = ["1"], list[object]()
    for name in ("stream", "error_type", "sink"):
        if value := getattr(which, name):
            parts.append(f"{name} = ?")
            values.append(value)
    if which.ids:
        parts.append(f"id IN ({', '.join('?' * len(which.ids))})")
        values.extend(which.ids)
    if which.replay:
        parts.append("replay = 1")
    if which.after_seq:
        parts.append("seq > ?")
        values.append(which.after_seq)
    return " AND ".join(parts), tuple(values)


def _drop_oldest(connection: sqlite3.Connection, excess: int) -> int:
    """Delete up to `DROP_STEP` letters, no more than the excess asks for; returns how many."""
    query = "SELECT id, length(frame) + 256 FROM letters ORDER BY id LIMIT ?"
    dropped = 0
    for letter_id, size in connection.execute(query, (DROP_STEP,)).fetchall():
        connection.execute("DELETE FROM letters WHERE id = ?", (letter_id,))
        dropped += 1
        excess -= size
        if excess <= 0:
            break
    return dropped
