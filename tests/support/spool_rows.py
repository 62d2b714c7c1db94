"""Rows, settings and copies of spools for tests of the spool."""

import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from armorstack import config
from armorstack.spool.reader import Reader
from armorstack.spool.rows import Row, frames_of, row_of
from armorstack.spool.store import Spool

MIB = 1024 * 1024
SMALL = config.Spool(reserve_bytes=64 * 1024)
"""Settings that leave the disk alone."""
START_US = 1_700_000_000_000_000


def now_us() -> int:
    return time.time_ns() // 1000


def open_spool(folder: Path, settings: config.Spool = SMALL, at_us: int = START_US) -> Spool:
    return Spool.open(folder, settings, at_us)


def memory_folder() -> str | None:
    """Where files cost no fsync, for tests that make hundreds of spools; None: the usual place."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def row(*frames: bytes, source: str = "relay/a", stream: str = "alert", at_us: int = 1) -> Row:
    return row_of(frames, source=source, stream=stream, encoding="protobuf", received_us=at_us)


def numbered(number: int, size: int = 100) -> bytes:
    """A frame that says its number, again and again."""
    word = b"%d:" % number
    return (word * (size // len(word) + 1))[: max(size, len(word))]


def number_of(frame: bytes) -> int:
    return int(frame.partition(b":")[0])


def read_all(folder: Path, after: int = 0) -> list[Row]:
    """All rows behind a position, through a reader as the worker has it."""
    reader = Reader.open(folder)
    try:
        rows: list[Row] = []
        while found := reader.read(rows[-1].seq if rows else after, MIB):
            rows += found
        return rows
    finally:
        reader.close()


def frames_in(rows: Iterable[Row]) -> list[bytes]:
    return [frame for row in rows for frame in frames_of(row)]


def numbers_in(folder: Path) -> list[int]:
    """The numbers of all frames in the spool, in order."""
    return [number_of(frame) for frame in frames_in(read_all(folder))]


def copy_as_killed(folder: Path, target: Path) -> Path:
    """What a process that is killed now would leave: the files, not the memory they share."""
    target.mkdir(mode=0o700)
    for path in folder.iterdir():
        if path.is_file() and not path.name.endswith("-shm"):
            shutil.copy(path, target / path.name)
    return target


def plain_gap(
    reason: str, source: str, stream: str, start_us: int, end_us: int, lost: int | None
) -> bytes:
    """A gap frame, written as the application would."""
    told = {"reason": reason, "source": source, "stream": stream, "lost": lost}
    return json.dumps({**told, "start_us": start_us, "end_us": end_us}).encode()


def gaps_in(folder: Path) -> list[dict[str, object]]:
    """The gaps told in the spool, in order."""
    return [
        json.loads(frame)
        for row in read_all(folder)
        if row.stream == "gap"
        for frame in frames_of(row)
    ]
