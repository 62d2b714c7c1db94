"""The store on a disk that is full, and in processes that are killed."""

import contextlib
import itertools
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from armorstack.engines.duckdb.store import Store
from armorstack.errors import EngineError, StoreLocked
from tests.support.disks import fill, small_disk
from tests.support.store_writer import keys_of
from tests.support.stores import DAY_US, NOW_US, Clock, batch, open_store, part_files, stored

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
WRITER = (sys.executable, "-m", "tests.support.store_writer")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 4 * MIB) as folder:
        yield folder


@pytest.fixture
def store(disk: Path) -> Iterator[Store]:
    store = open_store(disk / "store", part_rows=100)
    yield store
    store.close()


def many(last: int, count: int) -> list[object]:
    return [f"{last}-{number}" for number in range(count)]


def test_a_full_disk_keeps_everything_until_there_is_room(store: Store, disk: Path) -> None:
    store.write(batch(1, many(1, 50)))
    filler = fill(disk)
    with pytest.raises(EngineError, match="No space left") as caught:
        store.flush()
    assert "free space" in caught.value.hint
    assert (store.cursor(), len(stored(store)), part_files(disk / "store")) == (0, 50, [])
    assert not list(disk.glob("**/*.tmp"))
    filler.unlink()
    store.flush()
    assert (store.cursor(), len(stored(store))) == (1, 50)


@pytest.mark.parametrize("left_kib", range(0, 48, 4))
def test_wherever_the_space_runs_out_nothing_is_lost_or_doubled(
    store: Store, disk: Path, left_kib: int
) -> None:
    store.write(batch(1, many(1, 20)))
    store.write(batch(2, many(2, 20), at_us=NOW_US - DAY_US))
    filler = fill(disk, left_kib * 1024)
    try:
        store.flush()
    except EngineError:
        assert (store.cursor(), part_files(disk / "store")) == (0, [])
    assert len(stored(store)) == 40
    filler.unlink()
    store.flush()
    store.close()
    again = open_store(disk / "store")
    found, cursor = stored(again), again.cursor()
    again.close()
    assert (len(found), len(set(found)), cursor) == (40, 40, 2)


def test_a_full_tail_on_a_full_disk_refuses_rows_and_takes_them_later(
    store: Store, disk: Path
) -> None:
    store.write(batch(1, many(1, 100)))
    filler = fill(disk)
    for _ in range(3):
        with pytest.raises(EngineError):
            store.write(batch(2, many(2, 100)))
    assert store.status().tail_rows == 100
    filler.unlink()
    assert store.write(batch(2, many(2, 100))) == (100, 0)
    assert len(stored(store)) == 200


def test_a_store_that_cannot_flush_when_it_closes_lets_go_and_takes_nothing_more(
    store: Store, disk: Path
) -> None:
    store.write(batch(1, ["durable"]))
    store.flush()
    store.write(batch(2, ["in the spool"]))
    filler = fill(disk)
    with pytest.raises(EngineError, match="No space left"):
        store.close()
    filler.unlink()
    with pytest.raises(EngineError, match="is closed"):
        store.write(batch(3, ["late"]))
    store.close()
    again = open_store(disk / "store")
    found, cursor = stored(again), again.cursor()
    again.close()
    assert (found, cursor) == (["durable"], 1)


@pytest.mark.parametrize("restarted", [False, True])
def test_retention_frees_a_disk_that_is_full(disk: Path, restarted: bool) -> None:
    clock = Clock()
    store = open_store(disk / "store", clock, max_age_days=1.0, part_rows=100)
    store.write(batch(1, many(1, 90)))
    store.flush()
    if restarted:
        store.close()
        store = open_store(disk / "store", clock, max_age_days=1.0, part_rows=100)
    store.write(batch(2, many(2, 90), at_us=NOW_US + DAY_US))
    filler = fill(disk)
    clock.now_us += DAY_US + 61_000_000
    store.tick()
    assert store.status().retired["age"] == 90
    filler.unlink()
    store.close()


@contextlib.contextmanager
def writer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of `tests.support.store_writer`; killed at the end."""
    command = [*WRITER, str(folder)]
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


def test_a_killed_process_leaves_every_durable_event_once(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    chance = random.Random(3)
    cursor = 0
    for _ in range(6):
        with writer(folder) as process:
            promised = told(process, chance.randrange(10, 60))
            time.sleep(chance.random() / 50)
        store = open_store(folder)
        found, cursor = stored(store), store.cursor()
        store.close()
        durable = {key for number in range(1, cursor + 1) for key in keys_of(number)}
        assert cursor >= promised
        assert durable <= set(found)
        assert len(found) == len(set(found))
    assert cursor > 50


def test_a_store_in_use_elsewhere_is_refused_and_named(tmp_path: Path) -> None:
    with writer(tmp_path / "store") as process:
        told(process, 1)
        with pytest.raises(StoreLocked, match=f"process {process.pid}") as caught:
            open_store(tmp_path / "store")
        assert caught.value.hint
        told(process, 1)


def test_the_cursor_is_told_only_after_part_folder_and_catalogue_are_synced(
    tmp_path: Path, require_tool: Callable[[str, str], Path]
) -> None:
    strace = str(require_tool("strace", "apt-get install strace"))
    trace = tmp_path / "trace"
    options = ["-f", "-y", "-o", str(trace), "-e", "trace=rename,fsync,fdatasync"]
    command = [strace, *options, *WRITER, str(tmp_path / "store"), "20"]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    calls = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines()]
    done = [call for call in calls if call.endswith(" = 0") and str(tmp_path) in call]
    renames = [at for at, call in enumerate(done) if call.startswith("rename(")]
    assert len(renames) > 3
    for at in renames:
        part, folder = re.findall(r'"((.+)/[^/]+)\.tmp"', done[at])[0]
        assert re.match(rf"fsync\(\d+<{part}\.tmp>\)", done[at - 1])
        assert re.match(rf"fsync\(\d+<{folder}>\)", done[at + 1])
    listed = done[renames[-1] + 2]
    assert re.match(r"f(data)?sync\(\d+<.*/catalog\.duckdb\.wal>\)", listed)
