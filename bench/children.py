"""The processes of a run: the load source and what is measured against it.

Invariant: every process started here is ended here, by its id. CPU and memory are those of the
given process ids, read from the system, never of the source. Must not go here: what is measured.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
DEADLINE_S = 60.0
END_S = 15.0


class BenchError(Exception):
    """The bench cannot go on; one sentence."""


class Child:
    """A Python process that prints JSON lines, or `ready`, on standard output."""

    def __init__(self, module: str, *options: str, log: Path | None = None) -> None:
        self._log = open(log, "wb") if log else None  # noqa: SIM115 - closed in `end`
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *options],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
            stdin=subprocess.PIPE,
            stdout=self._log or subprocess.PIPE,
            stderr=self._log,
            bufsize=0,
        )
        self.pid = self.process.pid
        self._unread = b""

    def line(self) -> str:
        """The next line of output; raises `BenchError` when none comes in time."""
        pipe = self.process.stdout
        assert pipe is not None
        deadline = time.monotonic() + DEADLINE_S
        while b"\n" not in self._unread:
            left_s = max(0.0, deadline - time.monotonic())
            if not select.select([pipe], [], [], left_s)[0]:
                raise BenchError(f"{self.process.args!r} said nothing for {DEADLINE_S:.0f} s")
            got = pipe.read(65536)
            if not got:
                raise BenchError(f"{self.process.args!r} ended with code {self.process.wait()}")
            self._unread += got
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def end(self) -> int:
        """End it: by closing its standard input, then SIGTERM, then by force."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        for order in (lambda: None, self.process.terminate, self.process.kill):
            order()
            try:
                self.process.wait(END_S if order == self.process.terminate else 1.0)
                break
            except subprocess.TimeoutExpired:
                continue
        for pipe in (self.process.stdout, self._log):
            if pipe is not None:
                pipe.close()
        return self.process.wait()

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.end()


class LoadSource(Child):
    """`bench.load_source`, controlled."""

    def __init__(self, corpus: Path, count: int, rate: float = 0, *options: str) -> None:
        super().__init__(
            "bench.load_source", "--controlled", "--corpus", str(corpus),
            "--count", str(count), "--rate", str(rate), *options,
        )  # fmt: skip
        self.address: str = json.loads(self.line())["address"]

    def wait_attached(self, *streams: str) -> None:
        """Wait until each of these streams has a client."""
        missing = set(streams)
        while missing:
            told = json.loads(self.line())
            missing.discard(told.get("stream", ""))

    def go(self) -> float:
        """Let it send; returns the time (`time.time`)."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()
        return time.time()

    def done(self) -> dict[str, Any]:
        """Wait until all was sent; what was sent and dropped."""
        while (told := json.loads(self.line()))["event"] != "done":
            pass
        return dict(told)


def cpu_s(pid: int) -> float:
    """User and system seconds of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def peak_rss_mb(pid: int) -> float:
    """The most memory that a process ever had, in 10^6 bytes (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise BenchError(f"/proc/{pid}/status has no VmHWM; this bench needs Linux")


class Meter:
    """CPU of some processes from its making on."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._before = {pid: cpu_s(pid) for pid in pids}

    def used_s(self) -> float:
        """Seconds used since, all together."""
        return sum(cpu_s(pid) - before for pid, before in self._before.items())


def wait_for(
    true: Callable[[], bool], what: str, every_s: float = 0.05, for_s: float = DEADLINE_S
) -> None:
    """Wait until it holds; raises `BenchError` past the deadline."""
    deadline = time.monotonic() + for_s
    while not true():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {for_s:.0f} s for {what}")
        time.sleep(every_s)
