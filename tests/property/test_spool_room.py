"""Room in a spool, as a state machine against a list: who loses rows, and when."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from armorstack import config
from armorstack.spool.room import Room
from armorstack.spool.work import Work
from tests.support.spool_rows import memory_folder, open_spool, plain_gap, read_all, row

ROW_BYTES = 104
ROWS = 12
SINKS = st.sampled_from(["duckdb", "file", "webhook", "stdout"])


class RoomMachine(RuleBasedStateMachine):
    """A spool of twelve rows and up to four sinks, required or not."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="room-machine-", dir=memory_folder()))
        self.kept: list[int] = []
        self.cursors: dict[str, int] = {}
        self.required: dict[str, bool] = {}
        self.highest = self.dropped = 0

    @initialize(drops=st.booleans())
    def begin(self, drops: bool) -> None:
        self.drops = drops
        limits = config.Spool(
            reserve_bytes=64 * 1024, max_bytes=ROWS * ROW_BYTES,
            when_full="drop_oldest" if drops else "block",
        )  # fmt: skip
        self.spool = open_spool(self.folder, limits)
        self.room = Room(self.spool, limits, plain_gap)
        # What is dropped is never told: the gap's row would take room.
        self.room._dropped_at = float("inf")
        self.work = Work.open(self.folder)

    @rule(sink=SINKS, required=st.booleans())
    def enroll(self, sink: str, required: bool) -> None:
        self.required[sink] = required
        self.cursors.setdefault(sink, 0)
        self.work.enroll(self.required)

    @rule(sink=SINKS, share=st.floats(0, 1))
    def advance(self, sink: str, share: float) -> None:
        ahead = [seq for seq in self.kept if seq > self.cursors.get(sink, 0)]
        if sink in self.required and ahead:
            self.cursors[sink] = ahead[int(share * (len(ahead) - 1))]
            self.work.commit(sink, self.cursors[sink], self.required[sink])

    @rule(count=st.integers(1, 5))
    def append(self, count: int) -> None:
        drop_bytes = self.room.by_limit(count * ROW_BYTES)
        free = [seq for seq in self.kept if seq <= self.all_have()]
        optional = [seq for seq in self.kept if self.all_have() < seq <= self.may_yield()]
        excess = len(self.kept) + count - ROWS
        if excess > 0:
            gone = max(len(free), min(excess, len(free) + len(optional)))
            self.kept, excess = self.kept[gone:], excess - gone
        if drop_bytes is None:
            assert excess > 0
            assert self.kept
            assert not self.drops
            return
        assert drop_bytes == (excess * ROW_BYTES if excess > 0 and self.kept else 0)
        self.dropped += drop_bytes // ROW_BYTES
        rows = [row(b"x" * 100) for _ in range(count)]
        last = self.spool.append(rows, {}, drop_bytes=drop_bytes)
        self.kept = self.kept[drop_bytes // ROW_BYTES :]
        self.kept += range(last - count + 1, last + 1)

    @rule()
    def a_second_passes(self) -> None:
        self.room._next_tick = 0.0
        self.room.upkeep()
        self.room.upkeep()
        self.kept = [seq for seq in self.kept if seq > self.all_have()]

    @invariant()
    def holds_what_somebody_wants(self) -> None:
        assert [found.seq for found in read_all(self.folder)] == self.kept

    @invariant()
    def counts_what_was_dropped(self) -> None:
        if hasattr(self, "spool"):
            assert self.spool.dropped_frames == self.dropped

    def all_have(self) -> int:
        return min(self.cursors.values(), default=0)

    def may_yield(self) -> int:
        required = [seq for sink, seq in self.cursors.items() if self.required[sink]]
        return min(required, default=self.all_have())

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.room.close()
            self.work.close()
            self.spool.close()
        shutil.rmtree(self.folder)


TestRoomMachine = RoomMachine.TestCase
TestRoomMachine.settings = settings(
    settings.get_profile(settings.get_current_profile_name()),
    stateful_step_count=20,
    max_examples=40,
)
