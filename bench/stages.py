"""What is measured, one function per stage; each starts its own processes and ends them.

Invariant: a stage begins to count when every stream is attached and ends when the last event is
where the stage wants it, so that starting up costs nothing. CPU is user plus system time of the
processes under test. How often stages run, and what is made of the figures, must not go here.
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from msgspec import Struct

from armorstack.spool.reader import Reader
from armorstack.spool.work import Work
from armorstack.state import ReceiverState, WorkerState, read_state, receiver_path, worker_path
from bench.children import BenchError, Child, LoadSource, Meter, peak_rss_mb, wait_for

STREAMS = ("alert", "log", "message")
DRAIN_BYTES = 4 * 1024 * 1024
DRAIN_EVERY_S = 0.05
SAMPLE_EVERY_S = 0.25
STOP_S = 10.0
FLUSH_S = 1.5
"""A full tail is flushed by the worker's next tick, which this waits for."""
STORED = 'armorstack_sink_stored_events_total{sink="duckdb"} '


class Run(Struct, frozen=True, kw_only=True):
    """One run of a stage."""

    events: int
    cpu_s: float
    wall_s: float
    lost: int = 0
    dropped: int = 0
    """Of the lost, those that the source had to drop."""
    rss_mb: dict[str, float] = {}
    """Peak memory by process."""
    latencies_s: list[float] = []
    stored_bytes: int = 0

    @property
    def cpu_us(self) -> float:
        """CPU microseconds per event."""
        return self.cpu_s / self.events * 1e6

    @property
    def per_s(self) -> float:
        """Events per second."""
        return self.events / self.wall_s


def bare_receive(corpus: Path, count: int, rate: float = 0) -> Run:
    """Receive and count, nothing else."""
    with LoadSource(corpus, count, rate) as source, Child("bench.bare", source.address) as client:
        if client.line() != "ready":
            raise BenchError("the bare receiver did not get ready")
        source.wait_attached("alert")
        meter, began = Meter([client.pid]), source.go()
        got = json.loads(client.line())["events"]
        used, wall_s = meter.used_s(), time.time() - began
    return Run(events=count, cpu_s=used, wall_s=wall_s, lost=count - got)


class Drain:
    """A consumer that does nothing: reads the spool, counts, and moves its cursor."""

    def __init__(self, data_dir: Path) -> None:
        self.frames = 0
        self._folder = data_dir / "spool"
        self._stop = threading.Event()
        self._work = Work.open(self._folder)
        self._work.enroll({"bench": True})
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Drain":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        reader, position = Reader.open(self._folder), 0
        while not self._stop.wait(DRAIN_EVERY_S):
            while rows := reader.read(position, DRAIN_BYTES):
                position = rows[-1].seq
                self.frames += sum(row.count for row in rows if row.stream != "gap")
                self._work.commit("bench", position, True)
        reader.close()
        self._work.close()


def receive_spool(corpus: Path, count: int, rate: float = 0) -> Run:
    """The real receiver process into a spool on disk, which is trimmed as it would be."""
    with (
        _folder() as data_dir,
        LoadSource(corpus, count, rate, "--hold") as source,
        _armorstack(data_dir, "receiver", "--relay", source.address) as receiver,
    ):
        wait_for(lambda: (data_dir / "spool" / "spool.db").exists(), "the receiver's spool")
        with Drain(data_dir) as drain:
            source.wait_attached(*STREAMS)
            meter, began = Meter([receiver.pid]), source.go()
            wait_for(lambda: drain.frames >= count, "the last event in the spool", 0.02)
            used, wall_s = meter.used_s(), time.time() - began
            rss = {"receiver": peak_rss_mb(receiver.pid)}
        return Run(events=count, cpu_s=used, wall_s=wall_s, rss_mb=rss)


class Whole:
    """`armorstack run` against a load source."""

    def __init__(self, data_dir: Path, source: LoadSource, *options: str) -> None:
        """`options` are further ones of the command."""
        data_dir.mkdir(exist_ok=True)
        self.data_dir = data_dir
        self.source = source
        self.process = Child(
            "armorstack", "run", "--quiet", "--relay", source.address, "--data-dir",
            str(data_dir), "--listen", "127.0.0.1:0", *options, log=data_dir / "run.log",
        )  # fmt: skip

    def wait_ready(self) -> None:
        """Wait until all streams are attached and the store is open."""
        self.source.wait_attached(*STREAMS)
        wait_for(lambda: any(sink.is_open for sink in self.worker().sinks), "the open store")
        wait_for(lambda: self.receiver().phase == "running", "the receiver's report")
        self.pids = {
            "receiver": self.receiver().pid,
            "worker": self.worker().pid,
            "supervisor": self.process.pid,
        }

    def worker(self) -> WorkerState:
        """The worker's last report."""
        nothing = WorkerState(pid=0, started_us=0, updated_us=0)
        return read_state(worker_path(str(self.data_dir)), WorkerState) or nothing

    def receiver(self) -> ReceiverState:
        """The receiver's last report."""
        nothing = ReceiverState(pid=0, started_us=0, updated_us=0)
        return read_state(receiver_path(str(self.data_dir)), ReceiverState) or nothing

    def meter(self) -> Meter:
        """Of receiver and worker."""
        return Meter([self.pids["receiver"], self.pids["worker"]])

    @property
    def taken(self) -> int:
        """Events that the store has, by the worker's report."""
        return sum(sink.stored + sink.duplicates for sink in self.worker().sinks)

    def stored_now(self) -> int:
        """The same, asked over HTTP, so that it is of this moment."""
        with urllib.request.urlopen(f"http://{self.worker().http}/metrics", timeout=5) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(STORED):
                    return int(float(line.removeprefix(STORED)))
        raise BenchError("the worker's metrics do not tell how many events are stored")

    def stop(self) -> int:
        """SIGTERM, as an operator would; returns the events in the store."""
        self.process.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            # A second SIGTERM would meet the interpreter when it has let go of its handlers.
            self.process.process.wait(STOP_S)
        code = self.process.end()
        if code != 0:
            log = (self.data_dir / "run.log").read_text()[-2000:]
            raise BenchError(f"armorstack run ended with code {code}:\n{log}")
        return count_stored(self.data_dir)


def count_stored(data_dir: Path) -> int:
    """Distinct events in the store's files, read by DuckDB itself."""
    parts = data_dir / "store" / "parts"
    if not any(parts.rglob("*.parquet")):
        return 0
    query = "SELECT count(DISTINCT id) FROM read_parquet(?, hive_partitioning=false)"
    row = duckdb.execute(query, [f"{parts}/**/*.parquet"]).fetchone()
    assert row is not None
    return int(row[0])


def stored_bytes(data_dir: Path) -> int:
    """Size of all files of the store."""
    files = (path for path in (data_dir / "store").rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)


def relay_duckdb(
    corpus: Path, count: int, rate: float = 0, *, stall_s: float = 0, sample: bool = False
) -> Run:
    """Everything, as `armorstack run` starts it, until the last event is in the store.

    With a `rate` the source drops as a relay does. `stall_s` stops the worker for so long in the
    middle. `sample` asks four times a second how far the store is behind.
    """
    options = ("--hold", "--drop") if rate else ("--hold",)
    with _folder() as data_dir, LoadSource(corpus, count, rate, *options) as source:
        whole = Whole(data_dir, source)
        try:
            whole.wait_ready()
            return _measure(whole, count, rate, stall_s, sample)
        finally:
            whole.process.end()


def _measure(whole: Whole, count: int, rate: float, stall_s: float, sample: bool) -> Run:
    meter, began = whole.meter(), whole.source.go()
    if stall_s:
        _stall(whole.pids["worker"], count / rate / 3, stall_s)
    latencies = list(_latencies(whole, count, rate, began)) if sample else []
    told = whole.source.done()
    sent, dropped = sum(told["sent"].values()), sum(told["dropped"].values())
    wait_for(lambda: whole.taken >= sent, "the last event in the store")
    wall_s = time.time() - began
    time.sleep(FLUSH_S)
    used = meter.used_s()
    rss = {name: peak_rss_mb(pid) for name, pid in whole.pids.items()}
    stored = whole.stop()
    return Run(
        events=count, cpu_s=used, wall_s=wall_s, lost=count - stored, dropped=dropped, rss_mb=rss,
        latencies_s=latencies, stored_bytes=stored_bytes(whole.data_dir),
    )  # fmt: skip


def _stall(pid: int, after_s: float, for_s: float) -> None:
    time.sleep(after_s)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(for_s)
    os.kill(pid, signal.SIGCONT)


def _latencies(whole: Whole, count: int, rate: float, began: float) -> Iterator[float]:
    """Age of the newest event in the store, while events come at a steady rate."""
    while (stored := whole.stored_now()) < count:
        if stored:
            yield time.time() - (began + stored / rate)
        time.sleep(SAMPLE_EVERY_S)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="armorstack-bench-") as folder:
        yield Path(folder)


@contextmanager
def _armorstack(data_dir: Path, *words: str) -> Iterator[Child]:
    options = ("--data-dir", str(data_dir))
    child = Child("armorstack", *words, *options, log=data_dir / "log")
    try:
        yield child
    finally:
        child.process.terminate()
        child.end()
