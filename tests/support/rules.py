"""Batches made of a few members, and rules made of a few settings, for tests of the rules engine.

Must not go here: what any filter or select should do; the tests say that themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pyarrow as pa

from armorstack.config import Config, Filter, Match, StdoutSink
from armorstack.core.batch import SCHEMA
from armorstack.core.filters.contract import Scope
from armorstack.core.rules import Rules, compile_rules
from armorstack.core.select import Selector

START = datetime(2026, 11, 23, 14, 10)
EVERYTHING = Scope(None, Selector(()))
"""The scope of every event."""


def event_id(number: int) -> bytes:
    """The id of the event with this number."""
    return sha256(str(number).encode()).digest()


def at(seconds: float) -> datetime:
    """So many seconds after the first event."""
    return START + timedelta(seconds=seconds)


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def events(rows: Iterable[Mapping[str, Any]]) -> pa.RecordBatch:
    """A batch of events by column; what is not given is an alert's, with its place as its id."""
    made = [
        {
            "id": event_id(number), "time": START, "received": START, "stream": "alert",
            "from_source": "test", "spelling": "protobuf", **row,
        }
        for number, row in enumerate(rows)
    ]  # fmt: skip
    named = {name for row in made for name in row}
    arrays = [
        pa.array([row.get(field.name) for row in made], field.type)
        if field.name in named
        else pa.nulls(len(made), field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def serialized(rows: pa.RecordBatch) -> bytes:
    """All that the batch holds, as one IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return bytes(sink.getvalue())


def split(rows: pa.RecordBatch, cuts: Iterable[int]) -> list[pa.RecordBatch]:
    """The rows as several batches, cut at these places."""
    places = [0, *sorted({min(cut, len(rows)) for cut in cuts}), len(rows)]
    return [rows.slice(a, b - a) for a, b in pairwise(places) if b > a]


def settings(
    *filters: Filter, match: Sequence[Match] = (), sinks: Sequence[str] = ("one", "two")
) -> Config:
    """A tree with these filters and matches, and sinks of these names."""
    named = {name: StdoutSink() for name in sinks}
    return Config(filter=tuple(filters), match=tuple(match), sink=named)


def rules(*filters: Filter, match: Sequence[Match] = (), sink: str = "one") -> Rules:
    """The compiled rules of such a tree, for one of its sinks, `one` and `two`."""
    return compile_rules(settings(*filters, match=match), sink)
