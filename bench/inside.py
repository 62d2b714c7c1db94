"""The worker's stages one by one, in a process of their own: spool read, decode, ids, rules, store
write.

`python -m bench.inside CORPUS COUNT FOLDER` prints one JSON object: CPU microseconds per event.
The frames lie in a real spool in groups such as the receiver makes at 10,000 events/s, and are read
in the portions that the worker reads. Ids are part of decoding; they are measured once more alone.
Must not go here: other processes.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from armorstack.config import DuckdbSink
from armorstack.config import Spool as SpoolSettings
from armorstack.core.decode import decode
from armorstack.core.ids import ids, record_keys
from armorstack.core.proto import arrow_handler
from armorstack.core.rules import compile_rules
from armorstack.pipeline.loop import READ_BYTES
from armorstack.sinks.duckdb import StoreSink
from armorstack.spool.reader import Reader
from armorstack.spool.rows import Row, frames_of, row_of
from armorstack.spool.store import Spool
from bench import corpus, rules
from bench.corpus import PREFIX_BYTES
from bench.feed import Feed, Stamp

GROUP_FRAMES = 500
"""What 50 ms hold at 10,000 events/s."""

Result = TypeVar("Result")


class Clock:
    """CPU of this process, by stage."""

    def __init__(self) -> None:
        self.used_s: dict[str, float] = {}

    def time(self, stage: str, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do the work and add its CPU, of all threads, to the stage."""
        before_s = time.process_time()
        result = work(*arguments)
        spent_s = time.process_time() - before_s
        self.used_s[stage] = self.used_s.get(stage, 0.0) + spent_s
        return result


def messages(path: Path, count: int) -> Iterator[bytes]:
    """Alerts of the corpus, stamped as the load source stamps them."""
    feed = Feed(corpus.load(path)["alert"], Stamp(), count)
    while feed.left:
        chunk, at = feed.take(feed.left), 0
        while at < len(chunk):
            end = at + PREFIX_BYTES + int.from_bytes(chunk[at + 1 : at + PREFIX_BYTES], "big")
            yield chunk[at + PREFIX_BYTES : end]
            at = end


def fill(folder: Path, frames: list[bytes]) -> None:
    """Put the frames into a new spool."""
    now_us = time.time_ns() // 1000
    spool = Spool.open(folder, SpoolSettings(), now_us)
    for first in range(0, len(frames), GROUP_FRAMES):
        group = frames[first : first + GROUP_FRAMES]
        row = row_of(group, source="bench", stream="alert", encoding="protobuf", received_us=now_us)
        spool.append([row], {})
    spool.close()


def portions(folder: Path, clock: Clock) -> Iterator[list[Row]]:
    """The spool's rows as the worker reads them."""
    reader, position = Reader.open(folder), 0
    while rows := clock.time("spool_read", reader.read, position, READ_BYTES):
        position = rows[-1].seq
        yield rows
    reader.close()


def columns(rows: list[Row]) -> dict[str, pa.Array]:
    """The columns that ids are made of."""
    frames = pa.array([frame for row in rows for frame in frames_of(row)], pa.binary())
    batch = arrow_handler("alert").array_to_record_batch(frames)
    return {key: batch.column(key) for key in record_keys("alert") if key in batch.schema.names}


def measure(path: Path, count: int, folder: Path) -> dict[str, float]:
    """CPU microseconds per event of each stage; and of `load_500_filters_s` its seconds."""
    fill(folder / "spool", list(messages(path, count)))
    clock = Clock()
    compiled, before = compile_rules(rules.settings(rules.SETTINGS), "duckdb"), 0
    sink: Any = StoreSink("bench", DuckdbSink(), folder)
    sink.open()
    for rows in portions(folder / "spool", clock):
        decoded = clock.time("decode", decode, rows)
        seeds = columns(rows)
        clock.time("ids", ids, seeds, "alert")
        clock.time("rules", compiled.apply, decoded.batch.rows, before)
        before = rows[-1].seq
        clock.time("store_write", sink.write, decoded.batch)
        clock.time("store_write", sink.tick)
    clock.time("store_write", sink.close)
    stages = {stage: used_s / count * 1e6 for stage, used_s in clock.used_s.items()}
    return stages | {"load_500_filters_s": rules.seconds_to_load(500)}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))
