"""SQL that a person typed, over everything that is stored, in the process of who typed it.

Invariants: one statement that only reads, which DuckDB's own parser decides; no file outside the
store's parts, no network, no setting that could be changed; memory, disk and time are bounded, and
where the machine runs out of memory all the same, this process goes first. Parts and tail are those
of one moment.
Must not go here: questions of ours; what is printed.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
from msgspec import Struct

from armorstack.core.batch import SCHEMA
from armorstack.engines.duckdb.connection import first_line, fit_path
from armorstack.engines.duckdb.part import Part
from armorstack.engines.duckdb.snapshot import events_sql
from armorstack.errors import ArmorstackError, StoreError
from armorstack.store.budget import Budget
from armorstack.store.events import Session
from armorstack.store.parts import list_parts

BATCH_ROWS = 2048
_TRIES = 5
_GONE_FIRST = "1000"
_READING = ("SELECT", "EXPLAIN")


class SqlError(ArmorstackError):
    """A statement that cannot be run."""

    exit_code = 2


class Tail(Struct, frozen=True):
    """What a worker has in no part yet."""

    rows: pa.Table
    parts: frozenset[str] | None = None
    """The parts of the same moment, by name; None: those that lie there."""


NO_TAIL = Tail(SCHEMA.empty_table())


@contextlib.contextmanager
def answered(
    root: Path, sql: str, budget: Budget, memory_bytes: int, tail: Callable[[], Tail],
) -> Iterator[pa.RecordBatchReader]:  # fmt: skip
    """The rows of the answer. `events` is a view with the columns of `SCHEMA`.

    `tail` is called again where parts were merged away meanwhile. Raises SqlError where the
    statement is wrong or does more than read, StoreError where it cannot be answered.
    """
    vet(sql)
    root = fit_path(root)
    with (
        _goes_first(),
        Session(memory_bytes, root) as session,
        budget.running(session.connection.interrupt),
        _told(),
    ):
        _show_events(session.connection, root, tail)
        yield session.connection.sql(sql).to_arrow_reader(BATCH_ROWS)


def vet(sql: str) -> None:
    """Raise SqlError unless this is one statement that only reads."""
    try:
        with duckdb.connect(":memory:") as parser:
            statements = parser.extract_statements(sql)
    except duckdb.Error as error:
        raise SqlError(f"this is no SQL: {_sentence(error)}") from error
    if len(statements) != 1:
        told = f"one statement at a time, not {len(statements)}" if statements else "no statement"
        raise SqlError(told, hint="say SELECT … FROM events")
    kind = statements[0].type.name
    if kind not in _READING:
        hint = "say SELECT, WITH, FROM, DESCRIBE, SUMMARIZE or EXPLAIN"
        raise SqlError(f"{kind} is not run here: events are only read", hint=hint)


def _show_events(
    connection: duckdb.DuckDBPyConnection, root: Path, tail: Callable[[], Tail]
) -> None:
    for attempt in range(_TRIES):
        seen = tail()
        parts = _parts(root, seen)
        if parts is None:
            continue
        connection.register("tail", seen.rows)
        source = events_sql(root / "parts", parts, None, None)
        try:
            connection.execute(f"CREATE OR REPLACE TEMP VIEW events AS {source}")
        except duckdb.IOException:
            if attempt == _TRIES - 1:
                raise
            continue
        return
    raise StoreError(f"parts of {root} went away while they were listed", hint="try again")


def _parts(root: Path, seen: Tail) -> Sequence[Part] | None:
    """The parts of the tail's moment; None: one of them has gone."""
    listed = list_parts(root / "parts").parts
    if seen.parts is None:
        return listed
    found = [part for part in listed if part.name in seen.parts]
    return found if len(found) == len(seen.parts) else None


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        hint = "give it more with --memory, or group and select less"
        raise StoreError("the statement needs more memory than it may take", hint=hint) from error
    except (duckdb.IOException, pa.ArrowException) as error:
        raise StoreError(f"the store's parts cannot be read: {first_line(error)}") from error
    except duckdb.Error as error:
        raise SqlError(_sentence(error)) from error


def _sentence(error: duckdb.Error) -> str:
    """DuckDB's own words, with the place where it points to one."""
    return " ".join(line.strip() for line in str(error).splitlines() if line.strip(" ^"))


@contextlib.contextmanager
def _goes_first() -> Iterator[None]:
    """Within it the kernel ends this process before any other where memory runs out (proc(5))."""
    score = Path("/proc/self/oom_score_adj")
    before = _GONE_FIRST
    with contextlib.suppress(OSError):
        before = score.read_text()
        score.write_text(_GONE_FIRST)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            score.write_text(before)
