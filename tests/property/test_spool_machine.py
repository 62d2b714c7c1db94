"""The spool as a state machine, against a list."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from armorstack.spool.rows import Row
from armorstack.spool.store import Spool
from tests.support.spool_rows import (
    START_US,
    copy_as_killed,
    frames_in,
    memory_folder,
    open_spool,
    read_all,
    row,
)

FRAMES = st.lists(st.binary(max_size=40) | st.binary(min_size=30_000, max_size=40_000), max_size=4)
NAMES = st.sampled_from(["relay/a", "file/b"])


class SpoolMachine(RuleBasedStateMachine):
    """Whatever is done, the spool holds what the list holds."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="spool-machine-", dir=memory_folder()))
        self.folder = self.root / "0"
        self.lives = 0
        self.kept: list[tuple[int, str, bytes]] = []
        self.positions: dict[str, bytes] = {}
        self.highest = 0
        self.spool: Spool

    @initialize()
    def begin(self) -> None:
        self.spool = open_spool(self.folder)

    @rule(batch=st.lists(st.tuples(NAMES, FRAMES), min_size=1, max_size=3))
    def append(self, batch: list[tuple[str, list[bytes]]]) -> None:
        rows = [row(*frames, source=source) for source, frames in batch]
        last = self.spool.append(rows, {})
        first = last - len(rows) + 1
        assert first > self.highest
        self._remember(first, rows)

    @rule(key=NAMES, value=st.binary(max_size=20))
    def append_with_position(self, key: str, value: bytes) -> None:
        rows = [row(value, source=key)]
        self._remember(self.spool.append(rows, {key: value}), rows)
        self.positions[key] = value

    @rule(share=st.floats(0, 1))
    def trim(self, share: float) -> None:
        seqs = sorted({seq for seq, _, _ in self.kept})
        cursor = seqs[int(share * (len(seqs) - 1))] if seqs else self.highest
        self.spool.trim(cursor)
        self.kept = [item for item in self.kept if item[0] > cursor]

    @rule()
    def checkpoint(self) -> None:
        assert self.spool.checkpoint_if_due(at_bytes=0)

    @rule(share=st.floats(0, 1))
    def drop_oldest(self, share: float) -> None:
        waiting = self.spool.waiting()
        self.spool.append([], {}, drop_bytes=max(1, int(share * waiting.bytes)))
        left = {found.seq for found in read_all(self.folder)}
        dropped = [item for item in self.kept if item[0] not in left]
        assert dropped == self.kept[: len(dropped)]
        self.kept = self.kept[len(dropped) :]

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.spool = open_spool(self.folder)

    @rule()
    def kill(self) -> None:
        self.lives += 1
        left = copy_as_killed(self.folder, self.root / str(self.lives))
        self.spool.close()
        self.folder = left
        self.spool = open_spool(self.folder)

    @rule(clock_us=st.integers(0, 2 * START_US))
    def reopen_under_another_clock(self, clock_us: int) -> None:
        self.spool.close()
        self.spool = open_spool(self.folder, at_us=clock_us)

    @precondition(lambda self: self.kept)
    @rule(share=st.floats(0, 1))
    def read_from_the_middle(self, share: float) -> None:
        after = self.kept[int(share * (len(self.kept) - 1))][0]
        expected = [frame for seq, _, frame in self.kept if seq > after]
        assert frames_in(read_all(self.folder, after)) == expected

    @invariant()
    def holds_what_the_list_holds(self) -> None:
        rows = read_all(self.folder)
        found = [(r.seq, r.source, frame) for r in rows for frame in frames_in([r])]
        assert found == self.kept
        assert self.spool.positions() == self.positions

    @invariant()
    def counts_what_waits(self) -> None:
        rows = read_all(self.folder)
        waiting = self.spool.waiting()
        assert waiting.rows == len(rows)
        assert waiting.frames == sum(r.count for r in rows)
        assert waiting.bytes == sum(len(r.payload) + len(r.lengths) for r in rows)

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
        shutil.rmtree(self.root)

    def _remember(self, first: int, rows: list[Row]) -> None:
        self.highest = first + len(rows) - 1
        for seq, appended in enumerate(rows, first):
            self.kept += [(seq, appended.source, frame) for frame in frames_in([appended])]


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(
    settings.get_profile(settings.get_current_profile_name()), stateful_step_count=25
)
