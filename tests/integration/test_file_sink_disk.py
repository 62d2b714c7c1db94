"""The sink into a file on a disk that is full, and in processes that are killed."""

import contextlib
import itertools
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from armorstack.errors import EngineError, StoreLocked
from armorstack.sinks.contract import Outcome
from armorstack.sinks.file import LineFileSink
from tests.support.disks import fill, small_disk
from tests.support.line_files import FILE, all_keys, keys, make_sink, open_sink, read_lines, rotated
from tests.support.line_writer import SETTINGS, keys_of
from tests.support.stores import batch

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 2 * MIB) as folder:
        yield folder


@pytest.fixture
def sink(disk: Path) -> Iterator[LineFileSink]:
    sink = open_sink(disk / "logs")
    yield sink
    sink.close()


def many(last: int) -> list[str]:
    return [f"{last}-{number}" for number in range(200)]


def test_a_full_disk_takes_nothing_and_shows_no_half_line(sink: LineFileSink, disk: Path) -> None:
    sink.write(batch(1, many(1)))
    filler = fill(disk)
    for _ in range(3):
        with pytest.raises(EngineError, match="No space left") as caught:
            sink.write(batch(2, many(2)))
        assert len(read_lines(disk / "logs" / FILE)) == 200
    assert "free space" in caught.value.hint
    filler.unlink()
    assert sink.write(batch(2, many(2))) == Outcome(accepted=200)
    sink.flush()
    assert sink.cursor() == 2
    assert all_keys(disk / "logs") == sorted(many(1) + many(2))


@pytest.mark.parametrize("left_kib", range(0, 40, 4))
def test_wherever_the_space_runs_out_nothing_is_lost_or_doubled(disk: Path, left_kib: int) -> None:
    folder = disk / "logs"
    sink = open_sink(folder, rotate_bytes=12_000, sync_interval_s=0.0)
    sink.write(batch(1, many(1)[:20]))
    filler = fill(disk, left_kib * 1024)
    number = 1
    with contextlib.suppress(EngineError):
        for number in range(2, 10):
            sink.write(batch(number, many(number)[:20]))
    for file in [*rotated(folder), folder / FILE]:
        read_lines(file)
    filler.unlink()
    for rest in range(number, 10):
        sink.write(batch(rest, many(rest)[:20]))
    sink.close()
    again = open_sink(folder)
    cursor = again.cursor()
    again.close()
    assert cursor == 9
    assert all_keys(folder) == sorted(itertools.chain(*(many(n)[:20] for n in range(1, 10))))


def test_a_sink_is_opened_when_a_full_disk_has_room_again(disk: Path) -> None:
    sink = make_sink(disk / "logs")
    (disk / "logs").mkdir(mode=0o700)
    filler = fill(disk)
    with pytest.raises(EngineError, match="No space left"):
        sink.open()
    filler.unlink()
    assert sink.open() == 0
    sink.write(batch(1, "a"))
    sink.close()
    assert keys([disk / "logs" / FILE]) == ["a"]


def test_a_file_that_cannot_be_compressed_stays_and_is_compressed_later(disk: Path) -> None:
    folder = disk / "logs"
    sink = open_sink(folder, rotate_bytes=1)
    sink.write(batch(1, many(1)))
    sink.write(batch(2, "z"))
    sink.close()
    filler = fill(disk, 8192)
    large = rotated(folder)[0]
    with large.open("ab") as file:
        file.truncate(1 << 26)
    sink = open_sink(folder, rotate_bytes=1, compress=True)
    sink._compressor.look(soon=True)
    sink._compressor.wait()
    assert [file.name for file in rotated(folder)] == [large.name]
    filler.unlink()
    with large.open("ab") as file:
        file.truncate(len(b"".join(line + b"\n" for line in large.read_bytes().split(b"\n")[:200])))
    sink._compressor.look(soon=True)
    sink._compressor.wait()
    sink.close()
    assert [file.name for file in rotated(folder)] == [f"{large.name}.gz"]
    assert all_keys(folder) == sorted([*many(1), "z"])


@contextlib.contextmanager
def writer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of `tests.support.line_writer`; killed at the end."""
    command = [sys.executable, "-m", "tests.support.line_writer", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str], count: int) -> int:
    """Wait for so many lines; the cursor in the last one."""
    assert process.stdout is not None
    lines = list(itertools.islice(process.stdout, count))
    assert len(lines) == count, "the writer ended by itself"
    return int(lines[-1].split()[1])


def test_a_killed_process_loses_and_doubles_nothing(tmp_path: Path) -> None:
    folder, chance, cursor = tmp_path / "logs", random.Random(5), 0
    for _ in range(5):
        with writer(folder) as process:
            promised = told(process, chance.randrange(10, 120))
            time.sleep(chance.random() / 50)
        sink = open_sink(folder, **SETTINGS)
        cursor = sink.cursor() or 0
        sink.close()
        assert cursor >= promised
        durable = [key for number in range(1, cursor + 1) for key in keys_of(number)]
        assert all_keys(folder) == sorted(durable)
    assert cursor > 50
    assert len(rotated(folder)) > 3


def test_a_path_in_use_elsewhere_is_refused_and_named(tmp_path: Path) -> None:
    with writer(tmp_path / "logs") as process:
        told(process, 1)
        with pytest.raises(StoreLocked, match=f"process {process.pid}") as caught:
            open_sink(tmp_path / "logs")
        assert caught.value.hint
        told(process, 1)
