"""Wherever a crash or a failing disk strikes, each line is in the files once and none is lost.

The spool is played by a list: what lies behind the durable cursor is written again after a crash.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct

from armorstack.errors import EngineError
from armorstack.sinks.file import LineFileSink
from tests.support.line_files import FILE, all_keys, make_sink, rotated
from tests.support.stores import SECOND_US, Clock, batch
from tests.support.strikes_os import Killed, Strike, struck

BATCHES = 8
PER_BATCH = 2
KEYS = sorted(f"{number}-{index}" for number in range(1, BATCHES + 1) for index in range(PER_BATCH))
Done = TypeVar("Done")

STRIKES = st.builds(
    Strike, calls=st.integers(0, 120), kills=st.booleans(), share=st.floats(0.0, 1.0)
)
POWER = st.one_of(st.none(), st.floats(0.0, 1.0))
SETTINGS = st.fixed_dictionaries(
    {
        "sync_interval_s": st.sampled_from([0.0, 1e6]),
        "rotate_bytes": st.sampled_from([1, 400, 10**6]),
        "rotate_interval_s": st.sampled_from([2.0, 1e6]),
        "keep": st.sampled_from([0, 1000]),
        "compress": st.booleans(),
    }
)


class Worker(Struct):
    """What writes to the sink, from an opening to its end."""

    folder: Path
    clock: Clock
    settings: dict[str, Any]
    synced: dict[int, int] = {}

    def run(self, strike: Strike = Strike()) -> bool:  # noqa: B008 - it is frozen
        """Whether all was written."""
        sink = make_sink(self.folder, self.clock, **self.settings)
        with struck(strike, self.synced):
            try:
                self._write(sink)
            except Killed:
                sink._opened.close()
                sink._compressor.wait()
                return False
        return True

    def lose_power(self, share: float) -> None:
        """Of what was not synced, only so much is on the disk."""
        for file in [*rotated(self.folder), self.folder / FILE]:
            if file.exists():
                about = file.stat()
                synced = self.synced.get(about.st_ino, 0)
                if about.st_size > synced:
                    os.truncate(file, synced + int((about.st_size - synced) * share))

    def _write(self, sink: LineFileSink) -> None:
        cursor = retried(sink.open)
        assert cursor is not None
        for number in range(cursor + 1, BATCHES + 1):
            taken = [f"{number}-{index}" for index in range(PER_BATCH)]
            outcome = retried(lambda n=number, keys=taken: sink.write(batch(n, keys)))  # type: ignore[misc]
            assert outcome.accepted == PER_BATCH
            self.clock.now_us += SECOND_US
            retried(sink.tick)
            sink._compressor.wait()
            assert (sink.cursor() or 0) <= number
            if number % 3 == 0:
                retried(sink.flush)
                assert sink.cursor() == number
        retried(sink.flush)
        assert sink.cursor() == BATCHES
        sink._compressor.wait()
        sink.close()


@contextlib.contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder in memory, where an fsync costs nothing; elsewhere if there is none."""
    memory = Path("/dev/shm")
    base = tempfile.mkdtemp(prefix="armorstack-lines-", dir=memory if memory.is_dir() else None)
    try:
        yield Path(base)
    finally:
        shutil.rmtree(base)


def retried(call: Callable[[], Done]) -> Done:
    """What the worker's loop does: wait, and call again."""
    for _ in range(5):
        try:
            return call()
        except EngineError:
            continue
    raise AssertionError("the disk was full once, but the sink refuses for ever")


@given(SETTINGS, st.lists(st.tuples(STRIKES, POWER), max_size=4))
@example({"rotate_bytes": 1, "compress": True}, [(Strike(25), None)])
def test_each_line_is_there_once_whatever_struck(
    settings: dict[str, Any], strikes: list[tuple[Strike, float | None]]
) -> None:
    with fast_folder() as folder:
        worker = Worker(folder / "logs", Clock(), settings)
        for strike, power in strikes:
            if not worker.run(strike) and power is not None:
                worker.lose_power(power)
        assert worker.run()
        assert all_keys(worker.folder) == KEYS
        look_for_leftovers(worker)


def look_for_leftovers(worker: Worker) -> None:
    """After one more opening nothing unfinished is left."""
    worker.run()
    names = [file.name for file in worker.folder.iterdir()]
    assert not [name for name in names if name.endswith(".tmp")]
    if worker.settings["compress"]:
        assert all(file.suffix == ".gz" for file in rotated(worker.folder))
    assert all_keys(worker.folder) == KEYS


def test_a_kill_at_every_single_call_loses_and_doubles_nothing() -> None:
    settings = {"rotate_bytes": 400, "compress": True, "keep": 5}
    calls, is_done = 0, False
    while not is_done:
        with fast_folder() as folder:
            worker = Worker(folder / "logs", Clock(), settings)
            is_done = worker.run(Strike(calls, share=0.5))
            if not is_done:
                worker.lose_power(0.7)
                worker.run()
            assert all_keys(worker.folder) == KEYS, f"killed at call {calls}"
        calls += 1
    assert calls > 50
