"""Whatever happens to the store, each event is in it once and none is lost.

The spool is played by a list: what lies after the durable cursor is written again after a crash.
"""

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from armorstack.core.batch import Batch
from armorstack.core.gap import Gap
from armorstack.engines.duckdb.store import Store
from tests.support.stores import (
    DAY_US,
    HOUR_US,
    NOW_US,
    SECOND_US,
    Clock,
    batch,
    open_store,
    rows,
    stored,
)

# Whole days, hours, buckets and the far past and future: an event's time follows from its key.
OFFSETS_US = (0, SECOND_US, 11 * SECOND_US, HOUR_US, DAY_US, 90 * DAY_US, -5 * DAY_US)
KEYS = st.lists(st.integers(0, 60), max_size=12)


def events(last: int, keys: list[int]) -> Batch:
    return Batch(rows((key, NOW_US - OFFSETS_US[key % len(OFFSETS_US)]) for key in keys), (), last)


class Crashes(RuleBasedStateMachine):
    """Writes, flushes, ticks, restarts and crashes in any order."""

    @initialize()
    def begin(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="armorstack-store-"))
        self.folders = 0
        self.clock = Clock()
        self.spool: list[Batch] = []
        self.held: set[str] = set()
        self.store = self.opened(self.base / "0")

    def opened(self, folder: Path) -> Store:
        self.folder = folder
        return open_store(folder, self.clock, part_rows=30, part_interval_s=60.0)

    @rule(keys=KEYS)
    def write(self, keys: list[int]) -> None:
        self.spool.append(events(len(self.spool) + 1, keys))
        new = {str(key) for key in keys} - self.held
        assert self.store.write(self.spool[-1]) == (len(new), len(keys) - len(new))
        self.held |= new

    @rule()
    def write_the_last_again(self) -> None:
        if self.spool:
            again = self.spool[-1]
            assert self.store.write(again) == (0, len(again.rows))

    @rule()
    def flush(self) -> None:
        self.store.flush()
        assert self.store.cursor() == len(self.spool)

    @rule(seconds=st.sampled_from([1, 30, 61]))
    def tick(self, seconds: int) -> None:
        self.clock.now_us += seconds * SECOND_US
        self.store.tick()

    @rule()
    def many_small_parts(self) -> None:
        for key in range(100, 117):
            self.write([key])
            self.store.flush()
        for _ in range(3):
            self.store.tick()

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = self.opened(self.folder)
        assert self.store.cursor() == len(self.spool)

    @rule()
    def crash(self) -> None:
        self.go_on_in(shutil.copytree(self.folder, self.next_folder()))

    @rule()
    def crash_between_the_parts_and_the_catalogue(self) -> None:
        copy = self.next_folder()
        copy.mkdir()
        for file in self.folder.glob("catalog.duckdb*"):
            shutil.copy(file, copy)
        self.store.flush()
        shutil.copytree(self.folder / "parts", copy / "parts")
        self.go_on_in(copy)

    @rule()
    def lose_the_catalogue(self) -> None:
        copy = shutil.copytree(self.folder, self.next_folder())
        (copy / "catalog.duckdb").write_bytes(b"no database" * 2000)
        self.go_on_in(copy)

    def next_folder(self) -> Path:
        self.folders += 1
        return self.base / str(self.folders)

    def go_on_in(self, folder: Path) -> None:
        self.store.close()
        self.store = self.opened(folder)
        found = stored(self.store)
        durable = self.spool[: self.store.cursor()]
        assert {str(k) for each in durable for k in each.rows["resource"].to_pylist()} <= set(found)
        assert len(found) == len(set(found))
        for each in self.spool[self.store.cursor() :]:
            self.store.write(each)

    @invariant()
    def each_event_is_there_once(self) -> None:
        if hasattr(self, "store"):
            assert stored(self.store) == sorted(self.held)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.base)


Crashes.TestCase.settings = settings(max_examples=10, stateful_step_count=20)
TestEachEventIsThereOnceWhateverHappens = Crashes.TestCase


GAP = Gap(reason="stop", source="relay/a", start_us=NOW_US, end_us=NOW_US + 1)


@settings(max_examples=40)
@given(where=st.floats(0, 1, exclude_max=True), cut=st.booleans(), closed=st.booleans())
def test_a_catalogue_damaged_anywhere_loses_no_event(where: float, cut: bool, closed: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="armorstack-store-") as base:
        folder = Path(base) / "a"
        store = open_store(folder)
        for last in range(1, 6):
            store.write(batch(last, [last], gaps=[GAP]))
            store.flush()
        # A store that is not closed has its last changes in the log.
        file = folder / ("catalog.duckdb" if closed else "catalog.duckdb.wal")
        if closed:
            store.close()
        copy = Path(shutil.copytree(folder, Path(base) / "b"))
        store.close()
        harm(copy / file.name, where, cut)
        after = open_store(copy)
        found, cursor = stored(after), after.cursor()
        after.close()
    assert found == ["1", "2", "3", "4", "5"]
    assert cursor <= 5


def harm(file: Path, where: float, cut: bool) -> None:
    """Cut the file at this place, or turn the byte there around."""
    content = bytearray(file.read_bytes())
    at = int(where * len(content))
    if cut:
        del content[at:]
    else:
        content[at] ^= 0xFF
    file.write_bytes(content)
