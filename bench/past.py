"""A store with a past: millions of events over some weeks, as a cluster would have filled it.

`python -m bench.past FOLDER [EVENTS] [DAYS]` makes it. Some 150,000 varied events are decoded
once; each part holds a run of them with other ids and times, spread evenly over its share of the
days. Invariant: parts and catalogue are written by the store itself, event by event new to it.
"""

import os
import random
import sys
import time
from pathlib import Path

import pyarrow as pa

from armorstack.config import DuckdbSink
from armorstack.core.batch import SCHEMA, Batch
from armorstack.core.decode import decode
from armorstack.core.fields import Stream
from armorstack.engines.duckdb.store import Store
from armorstack.spool.rows import row_of
from bench import corpus

EVENTS = 10_000_000
DAYS = 30
PART_ROWS = 100_000
STREAMS: dict[Stream, int] = {"alert": 60_000, "log": 85_000, "message": 5_000}
BATCH = 10_000
DAY_US = 86_400_000_000


def build(folder: Path, events: int = EVENTS, days: float = DAYS) -> int:
    """Fill a store in this folder; the newest event is of now. Returns how many it holds."""
    varied = _varied()
    now_us = time.time_ns() // 1000
    step_us = int(days * DAY_US / events)
    settings = DuckdbSink(part_rows=PART_ROWS, part_interval_s=1e9, max_age_days=0)
    store = Store.open(folder, settings, lambda: now_us)
    chance = random.Random(7)
    for first in range(0, events, BATCH):
        count = min(BATCH, events - first)
        start_us = now_us - (events - first) * step_us
        rows = _moved(varied, chance.randrange(len(varied) - count), count, start_us, step_us)
        store.write(Batch(rows, (), 1 + first))
    store.close()
    return events


def _varied() -> pa.RecordBatch:
    """Events of all streams, mixed as they would come."""
    tables = []
    for stream, count in STREAMS.items():
        frames = corpus.frames(stream, count)
        for at in range(0, count, BATCH):
            row = row_of(
                frames[at : at + BATCH], source="relay", stream=stream, encoding="protobuf",
                received_us=1,
            )  # fmt: skip
            tables.append(decode([row]).batch.rows)
    table = pa.Table.from_batches(tables, SCHEMA).combine_chunks()
    order = list(range(len(table)))
    random.Random(7).shuffle(order)
    mixed = table.take(pa.array(order))
    return mixed.combine_chunks().to_batches()[0]


def _moved(
    varied: pa.RecordBatch, at: int, count: int, start_us: int, step_us: int
) -> pa.RecordBatch:
    # Copied, since a slice counts as large as all that it was cut from, and would fill the tail.
    rows = varied.take(pa.array(range(at, at + count)))
    stamps = range(start_us, start_us + step_us * count, step_us)
    times = pa.array(stamps, pa.int64()).cast(pa.timestamp("us"))
    places = pa.array(range(0, 32 * (count + 1), 32), pa.int32()).buffers()[1]
    random_ids = [None, places, pa.py_buffer(os.urandom(32 * count))]
    ids = pa.Array.from_buffers(pa.binary(), count, random_ids)
    for name, values in (("id", ids), ("time", times), ("received", times)):
        rows = rows.set_column(SCHEMA.get_field_index(name), name, values)
    return pa.RecordBatch.from_arrays(rows.columns, schema=SCHEMA)


if __name__ == "__main__":
    target, *numbers = sys.argv[1:]
    print(build(Path(target), *(int(number) for number in numbers)))
