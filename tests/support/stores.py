"""Stores, batches and events for tests of the embedded store."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from armorstack.config import DuckdbSink
from armorstack.core.batch import SCHEMA, Batch
from armorstack.core.gap import Gap
from armorstack.engines.duckdb.store import Store

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
NOW_US = 1_795_446_000_000_000
"""2026-11-23T15:00:00Z"""


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now_us: int = NOW_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


def id_of(key: object) -> bytes:
    """The id of the event that tests call by this key."""
    return hashlib.sha256(repr(key).encode()).digest()


def rows(events: Iterable[tuple[object, int]], **columns: Any) -> pa.RecordBatch:
    """One row per (key, time in microseconds), with these values in every row."""
    listed = list(events)
    known: dict[str, list[Any]] = {
        "id": [id_of(key) for key, _ in listed],
        "time": [time_us for _, time_us in listed],
        "received": [max(time_us, NOW_US) for _, time_us in listed],
        "stream": ["alert"] * len(listed),
        "resource": [str(key) for key, _ in listed],
    }
    known |= {name: [value] * len(listed) for name, value in columns.items()}
    arrays = [
        pa.array(known[field.name], field.type)
        if field.name in known
        else pa.nulls(len(listed), field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def batch(
    last: int,
    keys: Iterable[object] = (),
    *,
    at_us: int = NOW_US,
    gaps: Sequence[Gap] = (),
    **columns: Any,
) -> Batch:
    """A batch of events of one time, called by these keys."""
    return Batch(rows(((key, at_us) for key in keys), **columns), tuple(gaps), last)


def open_store(folder: Path, clock: Clock | None = None, **settings: Any) -> Store:
    """A store in this folder; flushes only when told to, unless the settings say otherwise."""
    settings = {"part_interval_s": 1e9, "max_age_days": 0.0} | settings
    return Store.open(folder, DuckdbSink(**settings), clock or Clock())


def stored(store: Store) -> list[str]:
    """The keys of all events in the store, sorted; one that is there twice is listed twice."""
    found = store.query("SELECT resource FROM events ORDER BY resource")
    return [str(key) for key in found["resource"].to_pylist()]


def part_files(folder: Path) -> list[str]:
    """The part files on disk."""
    return sorted(str(file.relative_to(folder)) for file in folder.glob("parts/*/*.parquet"))


def make_fixture(folder: Path) -> None:
    """How `tests/fixtures/store-v1` was made. A fixture of a released version is never remade."""
    store = open_store(folder, max_age_days=30.0, part_rows=100)
    gap = Gap(reason="disconnect", source="relay/a", start_us=NOW_US - 5, end_us=NOW_US, lost=2)
    for number in range(16):
        store.write(batch(number + 1, [f"merged-{number}"], severity="5", atags=["NIST", "CIS"]))
        store.flush()
    for _ in range(20):
        store.tick()
    store.write(batch(17, ["yesterday"], at_us=NOW_US - DAY_US, event_data=[("Fd", "3")]))
    store.write(batch(18, ["late"], at_us=NOW_US - 90 * DAY_US, gaps=[gap], host_pid=7))
    store.close()
