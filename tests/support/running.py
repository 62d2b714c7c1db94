"""`armorstack` as a user starts it: real processes, with what they say, ended when a test ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pyarrow as pa
import pyarrow.dataset as ds

from armorstack.state import ReceiverState, WorkerState, read_state, receiver_path, worker_path

DEADLINE_S = 40.0
Found = TypeVar("Found")


def until(look: Callable[[], Found], what: str, deadline_s: float = DEADLINE_S) -> Found:
    """Ask again and again until the answer is true; fails with `what` after the deadline."""
    deadline = time.monotonic() + deadline_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return found


class Running:
    """One `armorstack …` process and those it started."""

    def __init__(self, process: "subprocess.Popen[bytes]", data_dir: Path, output: Path) -> None:
        self.process, self.data_dir, self._output = process, data_dir, output

    def output(self) -> str:
        """What it has written so far, on both streams."""
        return self._output.read_text()

    def receiver(self) -> ReceiverState | None:
        """The receiver's report, if its process lives."""
        return self._alive(read_state(receiver_path(str(self.data_dir)), ReceiverState))

    def worker(self) -> WorkerState | None:
        """The worker's report, if its process lives."""
        return self._alive(read_state(worker_path(str(self.data_dir)), WorkerState))

    def stored(self) -> int:
        """Events that the present worker has stored, duplicates among them."""
        worker = self.worker()
        return sum(sink.stored + sink.duplicates for sink in worker.sinks) if worker else 0

    def url(self) -> str:
        """Where the worker answers."""
        worker = until(self.worker, "a worker")
        return f"http://{worker.http}"

    def family(self) -> list[psutil.Process]:
        """The process and all below it."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        """Its exit code."""
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end:\n{self.output()}") from None

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; its exit code, which must come within the 10 s that are promised."""
        self.process.send_signal(number)
        return self.wait(10.0)

    def _alive(self, state: Any) -> Any:
        return state if state and psutil.pid_exists(state.pid) else None


@contextmanager
def running(
    *words: str, data_dir: Path, stdin: int | None = subprocess.DEVNULL, name: str = "output",
    environ: dict[str, str] | None = None, own_group: bool = False,
) -> Iterator[Running]:  # fmt: skip
    """`armorstack WORDS --data-dir DATA_DIR`, on a free port; killed at the end if need be."""
    output = data_dir.parent / f"{data_dir.name}.{name}.txt"
    command = [sys.executable, "-m", "armorstack", *words, "--data-dir", str(data_dir)]
    if "--listen" not in words and words[0] != "receiver":
        command += ["--listen", "127.0.0.1:0"]
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=stdin, stdout=file, stderr=subprocess.STDOUT,
            env=os.environ | (environ or {}), start_new_session=own_group,
        )  # fmt: skip
    try:
        yield Running(process, data_dir, output)
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; a process that nobody has waited for is dead all the same."""
    return [process for process in processes if not _is_dead(process)]


def _is_dead(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill(pid: int) -> None:
    """End a process that a test started, by force, and wait until it is dead."""
    process = psutil.Process(pid)
    process.kill()
    until(lambda: _is_dead(process), "the killed process to end")


def stored_rows(data_dir: Path) -> pa.Table:
    """All events in the parts of the store that has been closed."""
    parts = sorted((data_dir / "store" / "parts").rglob("*.parquet"))
    return ds.dataset(parts, format="parquet").to_table() if parts else pa.table({"id": []})


def stored_ids(data_dir: Path) -> list[bytes]:
    """The ids of all stored events, as often as they are stored."""
    ids: list[bytes] = stored_rows(data_dir).column("id").to_pylist()
    return ids


def synthetic_lines(first: int, last: int) -> str:
    """Alerts as the relay prints them, numbered, one per line."""
    return "".join(json.dumps(alert(number)) + "\n" for number in range(first, last))


def alert(number: int) -> dict[str, Any]:
    """An alert with a number in what makes its identity."""
    return {
        "Timestamp": 1795443038, "UpdatedTime": f"2026-11-23T14:10:38.{number % 1_000_000:06}Z",
        "ClusterName": "default", "HostName": "node-1", "NamespaceName": f"ns-{number % 3}",
        "PodName": "pod", "HostPID": number, "PPID": 1, "UID": 0, "PolicyName": "ksp-test",
        "Severity": "5", "Type": "MatchedPolicy", "Operation": "File",
        "Resource": f"/etc/file-{number}", "Action": "Block", "Result": "Permission denied",
    }  # fmt: skip
