"""A log that is cut or garbled loses what came after, and nothing else."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from armorstack.spool.reader import Reader
from tests.support.spool_rows import (
    copy_as_killed,
    frames_in,
    memory_folder,
    open_spool,
    read_all,
    row,
)

LOG = "spool.db-wal"
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 60_000)),
        st.tuples(st.just("trim"), st.integers(0, 3)),
        st.tuples(st.just("checkpoint"), st.just(0)),
    ),
    min_size=2,
    max_size=12,
)


class History:
    """A spool that was killed, and after each step of its life: the size of its log and what it
    held."""

    def __init__(self, root: Path, steps: list[tuple[str, int]]) -> None:
        self.folder = root / "killed"
        self.states: list[tuple[int, list[bytes]]] = [(0, [])]
        spool = open_spool(root / "spool")
        for number, (step, size) in enumerate([("append", 10), *steps]):
            if step == "append":
                spool.append([row(b"%d:" % number + bytes(size))], {})
            elif step == "trim":
                seqs = [found.seq for found in read_all(root / "spool")]
                spool.trim(seqs[min(size, len(seqs) - 1)] if seqs else 0)
            else:
                assert spool.checkpoint_if_due(at_bytes=0)
                # What lies in the main file needs no log.
                self.states = [(0, self.states[-1][1])]
            self.states.append((_log_end(root / "spool"), frames_in(read_all(root / "spool"))))
        copy_as_killed(root / "spool", self.folder)
        spool.close()

    @property
    def log(self) -> Path:
        return self.folder / LOG

    def expected(self, whole_bytes: int) -> list[bytes]:
        """What must be left when the log is whole up to here."""
        return [held for end, held in self.states if end <= whole_bytes][-1]


def _log_end(folder: Path) -> int:
    """Where the part of the log ends that counts: frames bear the salts of the header."""
    data = (folder / LOG).read_bytes()
    frame_bytes = 24 + int.from_bytes(data[8:12])
    end = 32
    while data[end + 8 : end + 16] == data[16:24] and end + frame_bytes <= len(data):
        end += frame_bytes
    return end


@contextmanager
def killed_after(steps: list[tuple[str, int]]) -> Iterator[History]:
    with tempfile.TemporaryDirectory(prefix="spool-log-", dir=memory_folder()) as root:
        yield History(Path(root), steps)


def held_after_reopening(folder: Path) -> list[bytes]:
    spool = open_spool(folder)
    try:
        assert spool.recovered is None
        verdict = Reader.open(folder).verify()
        assert verdict.damage == ()
        return frames_in(read_all(folder))
    finally:
        spool.close()


@given(steps=STEPS, share=st.floats(0, 1))
def test_a_log_cut_anywhere_loses_only_what_came_after_the_cut(
    steps: list[tuple[str, int]], share: float
) -> None:
    with killed_after(steps) as history:
        cut = int(share * _log_end(history.folder))
        with history.log.open("r+b") as log:
            log.truncate(cut)
        assert held_after_reopening(history.folder) == history.expected(cut)


@given(steps=STEPS, share=st.floats(0, 1), flips=st.lists(st.integers(1, 255), min_size=1))
def test_a_log_garbled_anywhere_loses_only_what_came_after(
    steps: list[tuple[str, int]], share: float, flips: list[int]
) -> None:
    with killed_after(steps) as history:
        data = bytearray(history.log.read_bytes())
        start = min(int(share * _log_end(history.folder)), len(data) - len(flips))
        for at, flip in enumerate(flips, start):
            data[at] ^= flip
        history.log.write_bytes(data)
        assert held_after_reopening(history.folder) == history.expected(start)


@given(steps=STEPS, tail=st.binary(min_size=1, max_size=100_000))
def test_garbage_behind_the_log_is_ignored(steps: list[tuple[str, int]], tail: bytes) -> None:
    with killed_after(steps) as history:
        end = _log_end(history.folder)
        data = history.log.read_bytes()
        history.log.write_bytes(data[:end] + tail)
        assert held_after_reopening(history.folder) == history.states[-1][1]
