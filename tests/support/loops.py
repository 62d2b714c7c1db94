"""A sink's loop over a real spool, into a sink that does what a test scripts."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from armorstack import config
from armorstack.control import Orders
from armorstack.core.batch import Batch
from armorstack.core.decode import decode
from armorstack.core.gap import Gap
from armorstack.core.rules import compile_rules
from armorstack.counting import EventCounts
from armorstack.pipeline.decoding import Decode
from armorstack.pipeline.job import Job
from armorstack.pipeline.loop import SinkLoop
from armorstack.pipeline.tally import Tally
from armorstack.sinks.contract import Outcome
from armorstack.spool.reader import Reader
from armorstack.spool.rows import row_of
from armorstack.spool.store import Spool
from armorstack.spool.work import Work


class ScriptedSink:
    """Keeps rows in a list; each write first does what the script says, once."""

    def __init__(
        self,
        *script: Callable[[Batch], Outcome],
        keeps_cursor: bool = False,
        required: bool = True,
        name: str = "scripted",
    ) -> None:
        self.name, self.required = name, required
        self.resources: list[str] = []
        self.gaps: list[Gap] = []
        self.closed = False
        self.opened_at: int | None = None
        self.refuse_opening: list[Exception] = []
        self.durable = 0
        self.asked = 0
        """How often somebody wanted to know the cursor."""
        self._script = list(script)
        self._keeps_cursor = keeps_cursor
        self.taken = 0

    def open(self) -> int | None:
        if self.refuse_opening:
            raise self.refuse_opening.pop(0)
        return self.opened_at

    def write(self, batch: Batch) -> Outcome:
        if self._script:
            return self._script.pop(0)(batch)
        return self.take(batch)

    def take(self, batch: Batch, keep: Sequence[int] | None = None) -> Outcome:
        rows = batch.rows if keep is None else batch.rows.take(pa.array(keep))
        self.resources += rows.column("resource").to_pylist()
        self.gaps += batch.gaps
        self.taken = batch.last
        return Outcome(accepted=len(rows))

    def cursor(self) -> int | None:
        self.asked += 1
        return self.durable if self._keeps_cursor else None

    def tick(self) -> None:
        """Nothing to do."""

    def flush(self) -> None:
        self.durable = self.taken

    def removed(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.flush()
        self.closed = True


class Bench(SimpleNamespace):
    """A spool, its reader and its work file."""

    spool: Spool
    work: Work
    folder: Path

    def append(self, *lines: str, stream: str = "auto", received_us: int = 1) -> int:
        frames = [line.encode() for text in lines for line in text.splitlines()]
        row = row_of(frames, source="s", stream=stream, encoding="json", received_us=received_us)
        return self.spool.append([row], {})

    def job(self, sink: Any, decoder: Decode = decode, max_lag_s: float = 0.0, **rules: Any) -> Job:
        """`rules`: members of the settings, such as `filter`."""
        tree = config.Config(sink={sink.name: config.DuckdbSink()}, **rules)
        compiled = compile_rules(tree, sink.name)
        return Job(sink=sink, decode=decoder, rules=compiled, max_lag_s=max_lag_s)

    def loop(
        self, sink: Any, decoder: Decode = decode, max_lag_s: float = 0.0, **rules: Any
    ) -> tuple[SinkLoop, Orders]:
        orders = Orders()
        self.work.enroll({sink.name: sink.required})
        job = self.job(sink, decoder, max_lag_s, **rules)
        reader = Reader.open(self.folder)
        loop = SinkLoop(job, reader, self.work, Tally(EventCounts(100)), orders)
        loop.start()
        return loop, orders

    def drained(self, sink: Any, decoder: Decode = decode, **rules: Any) -> SinkLoop:
        loop, orders = self.loop(sink, decoder, **rules)
        orders.drain.set()
        loop.join(30)
        assert not loop.is_alive()
        assert loop.error is None, loop.error
        return loop


@contextmanager
def loop_bench(tmp_path: Path) -> Iterator[Bench]:
    """A new spool with its reader and its work file."""
    folder = tmp_path / "spool"
    spool = Spool.open(folder, config.Spool(reserve_bytes=0), 1000)
    work = Work.open(folder)
    bench = Bench(spool=spool, work=work, folder=folder)
    yield bench
    work.close()
    bench.spool.close()


def now_us() -> int:
    return time.time_ns() // 1000


def resources(first: int, last: int) -> list[str]:
    return [f"/etc/file-{number}" for number in range(first, last)]
