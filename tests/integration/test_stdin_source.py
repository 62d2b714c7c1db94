"""The stdin source over real pipes and files."""

import os
from pathlib import Path

import pytest

from armorstack.config import StdinSource
from armorstack.sources.lines import LIMIT_BYTES
from armorstack.sources.stdin import Stdin
from tests.support.receiving import Receiving


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


class Piped:
    """A stdin source at the reading end of a pipe."""

    def __init__(self, data: Path, **settings: str) -> None:
        self._end, self._begin = os.pipe()
        self.writer = os.fdopen(self._begin, "wb", buffering=0)
        self.receiving = Receiving(Stdin(StdinSource(**settings), self._end), data)

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self.writer.write(rest) :]

    def __enter__(self) -> "Piped":
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()
        self.receiving.end()
        os.close(self._end)


def test_lines_arrive_as_they_are_written_not_only_at_the_end(data: Path) -> None:
    with Piped(data, cluster="west") as piped:
        piped.write(b'{"a":1}\n{"b"')
        piped.receiving.wait_frames([b'{"a":1}'])
        piped.write(b":2}\r\n\n")
        piped.receiving.wait_frames([b'{"a":1}', b'{"b":2}'])
        assert set(piped.receiving.by_lane()) == {("stdin", "auto", "json", "west")}
        assert piped.receiving.source.state().connected


def test_at_the_end_all_is_durable_and_the_source_is_finished(data: Path) -> None:
    lines = [b"%d \xff\x00 \x80" % number for number in range(100_000)]
    with Piped(data) as piped:
        piped.write(b"\n".join(lines))
        piped.writer.close()
        piped.receiving.wait_end()
        assert piped.receiving.frames() == lines
        state = piped.receiving.source.state()
    assert (state.finished, state.connected) == (True, False)
    assert piped.receiving.error is None


def test_a_file_can_stand_in_for_a_pipe(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo")
    with (
        path.open("rb") as file,
        Receiving(Stdin(StdinSource(), file.fileno()), data) as receiving,
    ):
        receiving.wait_end()
        assert receiving.frames() == [b"one", b"two"]


def test_a_stop_while_nothing_comes_is_heeded_and_keeps_the_line_begun(data: Path) -> None:
    with Piped(data) as piped:
        piped.write(b"one\nbegun")
        piped.receiving.wait_frames([b"one"])
        piped.receiving.end()
        state = piped.receiving.source.state()
    assert piped.receiving.frames() == [b"one", b"begun"]
    assert not state.finished


def test_a_line_that_is_too_long_is_skipped_and_told(data: Path) -> None:
    with Piped(data) as piped:
        piped.write(b"before\n" + b"x" * (LIMIT_BYTES + 1) + b"\nafter\n")
        piped.writer.close()
        piped.receiving.wait_end()
    assert piped.receiving.frames() == [b"before", b"after"]
    (gap,) = piped.receiving.gaps()
    assert (gap.reason, gap.source, gap.lost) == ("oversize", "stdin", 1)
