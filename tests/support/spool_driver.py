"""A process that puts numbered frames into a spool and tells each number once it is durable.

Run as `python -m tests.support.spool_driver FOLDER ACKS FIRST [--count N] [--bytes N]`. Numbers
are written, a line each, to the file ACKS, after `Lane.flush` said that they are on disk. Ends on
its own after N, or by a signal. The environment variable SPOOL_DRIVER_SYNCHRONOUS is a value for
SQLite's `PRAGMA synchronous`; it exists to show that the tests notice when it is wrong.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from armorstack import config
from armorstack.spool.intake import Intake
from armorstack.spool.store import Spool
from tests.support.spool_rows import now_us, numbered, plain_gap

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30
STREAMS = ("alert", "log")


def main() -> None:
    arguments = _arguments()
    settings = config.Spool(reserve_bytes=64 * 1024, flush_interval_s=0.005)
    spool = Spool.open(arguments.folder, settings, now_us())
    if synchronous := os.environ.get("SPOOL_DRIVER_SYNCHRONOUS"):
        spool._file._connection.execute(f"PRAGMA synchronous={synchronous}")
    intake = Intake(spool, settings, gap_frame=plain_gap)
    intake.start()
    lanes = [intake.lane("driver", stream, "json") for stream in STREAMS]
    acks = os.open(arguments.acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in range(arguments.first, arguments.first + arguments.count):
        lane = lanes[number % len(lanes)]
        lane.put(numbered(number, arguments.bytes))
        if lane.flush(DEADLINE_S):
            os.write(acks, b"%d\n" % number)
    intake.close(DEADLINE_S)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("acks", type=Path)
    parser.add_argument("first", type=int)
    parser.add_argument("--count", type=int, default=1 << 60)
    parser.add_argument("--bytes", type=int, default=300)
    return parser.parse_args()


def command(folder: Path, acks: Path, first: int, **options: int) -> list[str]:
    """How the driver is started, in the folder `ROOT`."""
    words = [sys.executable, "-m", "tests.support.spool_driver", str(folder), str(acks), str(first)]
    return words + [f"--{name}={value}" for name, value in options.items()]


@contextmanager
def driver(
    folder: Path, acks: Path, first: int, **options: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A running driver; killed at the end if it still runs."""
    process = subprocess.Popen(command(folder, acks, first, **options), cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def acknowledged(acks: Path) -> list[int]:
    """The numbers told so far; a last line that is cut off was not told."""
    if not acks.exists():
        return []
    return [int(line) for line in acks.read_bytes().split(b"\n")[:-1]]


def wait_for_acks(acks: Path, count: int, process: subprocess.Popen[bytes]) -> list[int]:
    """The numbers told, once there are so many."""
    deadline = time.monotonic() + DEADLINE_S
    while len(found := acknowledged(acks)) < count:
        assert process.poll() is None, "the driver has ended"
        assert time.monotonic() < deadline, f"{len(found)} acknowledged"
        time.sleep(0.002)
    return found


if __name__ == "__main__":
    main()
