"""`EventStore`s for the contract suite, each filled with the same events.

A new implementation is one entry in `RIGS`. Must not go here: what a store must answer.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from msgspec import Struct

from armorstack.core.batch import SCHEMA, Batch
from armorstack.core.gap import Gap
from armorstack.engines.duckdb.store import Store
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, Row
from armorstack.store.cursor import Cursor
from armorstack.store.duckdb import LinesStore, LiveStore, PartsStore
from tests.support.stores import NOW_US, SECOND_US, Clock, id_of, open_store

Event = dict[str, Any]


def event(key: object, at_us: int = NOW_US, **values: Any) -> Event:
    """An event that tests call by this key; it lies in `resource`."""
    known = {"id": id_of(key), "time": at_us, "received": at_us, "stream": "alert"}
    return known | {"resource": str(key)} | values


def batch_of(events: Sequence[Event]) -> pa.RecordBatch:
    """The events as they are stored."""
    columns = []
    for field in SCHEMA:
        values = [each.get(field.name) for each in events]
        if pa.types.is_map(field.type):
            values = [None if value is None else list(value.items()) for value in values]
        columns.append(pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def keys(rows: Sequence[Row]) -> list[str]:
    """What the tests call these events."""
    return [row["resource"] for row in rows]


def patience() -> Budget:
    """A budget that no test spends."""
    return Budget(50.0)


class Rig(Struct, frozen=True):
    """One implementation: how to get it filled."""

    name: str
    filled: Callable[
        [Path, Sequence[Sequence[Event]], Sequence[Gap]],
        contextlib.AbstractContextManager[EventStore],
    ]
    """Takes a folder, events in the groups in which they come, and gaps."""
    has_gaps: bool = True


@contextlib.contextmanager
def embedded(folder: Path, **settings: Any) -> Iterator[Store]:
    """An open embedded store."""
    store = open_store(folder, keep_original=True, **settings)
    try:
        yield store
    finally:
        store.close()


def put(store: Store, events: Sequence[Event], last: int, gaps: Sequence[Gap] = ()) -> None:
    """Write one group of events."""
    store.write(Batch(batch_of(events), tuple(gaps), last))


def _fill(
    store: Store, groups: Sequence[Sequence[Event]], gaps: Sequence[Gap], *, in_parts: int
) -> None:
    """The first `in_parts` groups become parts, the others stay in the tail."""
    for number, events in enumerate(groups):
        put(store, events, number + 1, gaps if number == 0 else ())
        if number < in_parts:
            store.flush()


@contextlib.contextmanager
def _live(
    folder: Path, groups: Sequence[Sequence[Event]], gaps: Sequence[Gap]
) -> Iterator[EventStore]:
    with embedded(folder) as store:
        _fill(store, groups, gaps, in_parts=len(groups) // 2)
        yield LiveStore(store, Clock())


@contextlib.contextmanager
def _parts(
    folder: Path, groups: Sequence[Sequence[Event]], gaps: Sequence[Gap]
) -> Iterator[EventStore]:
    def found(start_us: int | None, end_us: int | None) -> list[Gap]:
        return [
            gap
            for gap in gaps
            if (start_us is None or gap.end_us >= start_us)
            and (end_us is None or gap.start_us < end_us)
        ]

    # The other process, which has the store open all the while.
    with embedded(folder) as store:
        _fill(store, groups, gaps, in_parts=len(groups))
        with PartsStore(folder, now_us=Clock(), gaps=found) as asked:
            yield asked


@contextlib.contextmanager
def _lines(
    folder: Path, groups: Sequence[Sequence[Event]], gaps: Sequence[Gap]
) -> Iterator[EventStore]:
    del folder, gaps
    with LinesStore(map(batch_of, groups), now_us=Clock()) as asked:
        yield asked


RIGS = (Rig("live", _live), Rig("parts", _parts), Rig("lines", _lines, has_gaps=False))


def varied(count: int = 60) -> list[list[Event]]:
    """Events of two namespaces and of none, in four groups that overlap in time."""
    made: list[Event] = []
    for number in range(count):
        values: Event = {
            "namespace_name": ("shop", "billing", None)[number % 3],
            "pod_name": f"pod-{number % 7}" if number % 3 < 2 else None,
            "severity": (None, "10", "7", "1")[number % 4],
            "action": ("Block", "Audit", "Audit (Block)", None)[number % 4],
            "policy_name": f"policy-{number % 5}" if number % 2 else None,
            "atags": (["NIST", "CIS"], ["CIS"], None)[number % 3],
            "labels": (None, "app=web,tier=front", "app=db")[number % 3],
            "event_data": {"Syscall": f"SYS_{number % 3}"} if number % 4 else None,
            "fold_count": 4 if number % 10 == 0 else None,
            "host_name": f"node-{number % 2}",
            "host_pid": number,
            "process_name": f"/bin/{number % 11}",
            "stream": ("alert", "log")[number % 2],
        }
        # Three share each moment.
        made.append(event(number, NOW_US - (count - number) // 3 * SECOND_US, **values))
    return [made[start::4] for start in range(4)]


def newest_first(events: Sequence[Event]) -> list[Event]:
    """The order in which pages give them."""
    return sorted(events, key=lambda each: Cursor(each["time"], each["id"]), reverse=True)
