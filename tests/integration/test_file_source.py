"""The file source over a real spool: following, rotation of every kind, restarts, odd files."""

import gzip
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from armorstack.config import FileSource
from armorstack.errors import SourceError
from armorstack.sources.file import File
from armorstack.sources.lines import LIMIT_BYTES
from tests.support.receiving import Receiving

TELLING_S = 0.02
"""Rotations are further apart in life than the ticks of the file system's clock."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder / "events.log"


def source(log: Path, **more: Any) -> File:
    return File(FileSource(path=str(log), **more))


def reading(log: Path, data: Path, **more: Any) -> Receiving:
    return Receiving(source(log, **more), data)


def read_all(log: Path, data: Path) -> list[bytes]:
    """Read once to the end, as after a restart; all frames in the spool."""
    with reading(log, data, follow=False) as receiving:
        receiving.wait_end()
        assert receiving.error is None
    return receiving.frames()


def numbered(first: int, last: int) -> list[bytes]:
    return [b'{"Timestamp":%d,"Resource":"/etc/passwd"}' % number for number in range(first, last)]


def write(path: Path, lines: list[bytes], mode: str = "ab") -> None:
    with path.open(mode) as file:
        file.write(b"".join(line + b"\n" for line in lines))


def test_a_file_is_read_once_to_its_end_when_it_is_not_followed(log: Path, data: Path) -> None:
    write(log, numbered(0, 5000))
    with reading(log, data, follow=False, cluster="west") as receiving:
        receiving.wait_end()
        state = receiving.source.state()
        assert receiving.by_lane() == {
            (f"file/{log}", "auto", "json", "west"): numbered(0, 5000)
        }, "all of it must be durable when the source has ended"
    assert (state.finished, state.connected, state.error) == (True, False, "")
    assert state.last_frame_us > 0


def test_what_is_written_later_is_followed(log: Path, data: Path) -> None:
    write(log, numbered(0, 10))
    with reading(log, data) as receiving:
        receiving.wait_frames(numbered(0, 10))
        assert receiving.source.state().connected
        for first in range(10, 50, 10):
            write(log, numbered(first, first + 10))
            receiving.wait_frames(numbered(0, first + 10))


def test_a_line_without_its_end_waits_for_it(log: Path, data: Path) -> None:
    log.write_bytes(b"one\ntw")
    with reading(log, data) as receiving:
        receiving.wait_frames([b"one"])
        with log.open("ab") as file:
            file.write(b"o\n\r\n  \nthree\r\n")
        receiving.wait_frames([b"one", b"two", b"three"])


def test_the_last_line_of_a_file_that_is_not_followed_needs_no_end(log: Path, data: Path) -> None:
    log.write_bytes(b"one\ntwo")
    assert read_all(log, data) == [b"one", b"two"]
    assert read_all(log, data) == [b"one", b"two"]


def test_bytes_that_are_no_utf_8_pass_untouched(log: Path, data: Path) -> None:
    log.write_bytes(b"\xff\xfe\n\x00\n" + bytes(range(32, 256)) + b"\n")
    assert read_all(log, data) == [b"\xff\xfe", b"\x00", bytes(range(32, 256))]


def test_a_file_that_appears_later_is_read_from_its_start(log: Path, data: Path) -> None:
    with reading(log, data, from_start=False) as receiving:
        hint = receiving.wait_error("does not exist")
        assert "readable" in hint
        write(log, numbered(0, 10))
        receiving.wait_frames(numbered(0, 10))
        assert receiving.source.state().error == ""
    assert receiving.gaps() == []


def test_a_missing_file_that_is_not_followed_is_an_error(log: Path, data: Path) -> None:
    with reading(log, data, follow=False) as receiving:
        receiving.wait(lambda: receiving.error)
    assert isinstance(receiving.error, SourceError)
    assert "does not exist" in str(receiving.error)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_regular_file_is_refused(log: Path, data: Path, kind: str) -> None:
    log.mkdir() if kind == "folder" else os.mkfifo(log)
    with reading(log, data) as receiving:
        assert "stdin" in receiving.wait_error("is no regular file")


def test_reading_can_begin_at_the_end(log: Path, data: Path) -> None:
    write(log, numbered(0, 50_000))
    with log.open("ab") as file:
        file.write(b"half ")
    with reading(log, data, from_start=False) as receiving:
        receiving.wait_connected()
        with log.open("ab") as file:
            file.write(b"a line\n")
        write(log, numbered(50_000, 50_010))
        receiving.wait_frames([b"half a line", *numbered(50_000, 50_010)])


def test_a_beginning_at_the_end_is_remembered_before_any_line_came(log: Path, data: Path) -> None:
    write(log, numbered(0, 10))
    with reading(log, data, from_start=False) as receiving:
        receiving.wait_connected()
    write(log, numbered(10, 20))
    with reading(log, data, from_start=False) as receiving:
        receiving.wait_frames(numbered(10, 20))


def test_a_restart_neither_loses_nor_doubles(log: Path, data: Path) -> None:
    for first in range(0, 100, 20):
        write(log, numbered(first, first + 20))
        with log.open("ab") as file:
            file.write(b'{"Timestamp":')
        with reading(log, data) as receiving:
            receiving.wait_frames(numbered(0, first + 20))
        with log.open("rb+") as file:
            file.truncate(log.stat().st_size - len(b'{"Timestamp":'))
    assert receiving.gaps() == []


def test_renaming_and_making_a_new_file_loses_nothing(log: Path, data: Path) -> None:
    write(log, numbered(0, 100))
    with reading(log, data) as receiving:
        receiving.wait_frames(numbered(0, 100))
        with log.open("ab") as writer:
            log.rename(f"{log}.1")
            log.touch()
            # The writer has not noticed yet and goes on with the file it has open.
            writer.write(b"".join(line + b"\n" for line in numbered(100, 200)))
            writer.flush()
            receiving.wait_frames(numbered(0, 200))
            writer.write(b"the last line, without an end")
        write(log, numbered(200, 300))
        expected = [*numbered(0, 200), b"the last line, without an end", *numbered(200, 300)]
        receiving.wait_frames(expected)
    assert receiving.gaps() == []
    assert read_all(log, data) == expected


def test_several_rotations_in_a_row_lose_nothing(log: Path, data: Path) -> None:
    write(log, numbered(0, 100))
    with reading(log, data) as receiving:
        receiving.wait_frames(numbered(0, 100))
    rotate_three_times(log)
    assert read_all(log, data) == numbered(0, 500)
    with reading(log, data) as receiving:
        rotate_three_times(log, 500)
        receiving.wait_frames(numbered(0, 900))
    assert receiving.gaps() == []


def rotate_three_times(log: Path, first: int = 100) -> None:
    for number in range(3):
        write(log, numbered(first + 100 * number, first + 100 * number + 100))
        for old in (2, 1):
            if Path(f"{log}.{old}").exists():
                Path(f"{log}.{old}").rename(f"{log}.{old + 1}")
        log.rename(f"{log}.1")
        time.sleep(TELLING_S)
    write(log, numbered(first + 300, first + 400))


def test_a_rotation_while_we_were_down_loses_nothing(log: Path, data: Path) -> None:
    write(log, numbered(0, 100))
    with reading(log, data) as receiving:
        receiving.wait_frames(numbered(0, 100))
    write(log, numbered(100, 200))
    log.rename(f"{log}.1")
    write(log, numbered(200, 300))
    assert read_all(log, data) == numbered(0, 300)


def test_copying_and_truncating_loses_nothing(log: Path, data: Path) -> None:
    write(log, numbered(0, 100))
    with reading(log, data) as receiving:
        receiving.wait_frames(numbered(0, 100))
    write(log, numbered(100, 200))
    shutil.copy(log, f"{log}.1")
    os.truncate(log, 0)
    write(log, numbered(200, 210))
    with reading(log, data) as receiving:
        receiving.wait_frames(numbered(0, 210))
        write(log, numbered(210, 300))
        receiving.wait_frames(numbered(0, 300))
        shutil.copy(log, f"{log}.1")
        os.truncate(log, 0)
        write(log, numbered(300, 310))
        receiving.wait_frames(numbered(0, 310))
    assert receiving.gaps() == []


def test_truncating_and_writing_past_the_old_place_is_noticed(log: Path, data: Path) -> None:
    write(log, numbered(0, 100))
    with reading(log, data) as receiving:
        receiving.wait_frames(numbered(0, 100))
    os.truncate(log, 0)
    write(log, numbered(1000, 1500))
    assert read_all(log, data) == numbered(0, 100) + numbered(1000, 1500)


def test_a_truncation_without_a_copy_is_told_as_a_gap(log: Path, data: Path) -> None:
    write(log, numbered(0, 100))
    with reading(log, data) as receiving:
        receiving.wait_frames(numbered(0, 100))
        os.truncate(log, 0)
        receiving.wait(receiving.gaps, "a gap")
        write(log, numbered(100, 110))
        receiving.wait_frames(numbered(0, 110))
        (gap,) = receiving.gaps()
    assert (gap.reason, gap.source, gap.lost) == ("disconnect", f"file/{log}", None)
    assert gap.start_us <= gap.end_us
    assert "emptied or replaced" in gap.detail


def test_an_old_file_that_is_gone_after_a_restart_is_told_as_a_gap(log: Path, data: Path) -> None:
    write(log, numbered(0, 100))
    with reading(log, data) as receiving:
        receiving.wait_frames(numbered(0, 100))
    with gzip.open(f"{log}.1.gz", "wb") as packed:
        packed.write(log.read_bytes())
    log.unlink()
    write(log, numbered(200, 300))
    assert read_all(log, data) == numbered(0, 100) + numbered(200, 300)
    (gap,) = receiving.gaps()
    assert "is not found" in gap.detail


def test_a_reused_inode_is_not_taken_for_the_old_file(log: Path, data: Path) -> None:
    write(log, numbered(0, 100))
    with reading(log, data) as receiving:
        receiving.wait_frames(numbered(0, 100))
    # The same inode with another content is what a reused one looks like.
    write(log, numbered(5000, 5200), "r+b")
    assert read_all(log, data) == numbered(0, 100) + numbered(5000, 5200)


def test_a_file_that_is_deleted_is_read_to_its_end_and_its_successor_from_the_start(
    log: Path, data: Path
) -> None:
    write(log, numbered(0, 10))
    with reading(log, data) as receiving, log.open("ab") as writer:
        receiving.wait_frames(numbered(0, 10))
        log.unlink()
        writer.write(b"".join(line + b"\n" for line in numbered(10, 20)))
        writer.flush()
        receiving.wait_frames(numbered(0, 20))
        write(log, numbered(20, 30))
        receiving.wait_frames(numbered(0, 30))
    assert receiving.gaps() == []


def test_a_line_that_is_too_long_is_skipped_and_told(log: Path, data: Path) -> None:
    write(log, [b"before", b"x" * (LIMIT_BYTES + 1), b"y" * LIMIT_BYTES, b"after"])
    assert read_all(log, data) == [b"before", b"y" * LIMIT_BYTES, b"after"]
    with reading(log, data) as receiving:
        (gap,) = receiving.gaps()
    assert (gap.reason, gap.lost) == ("oversize", 1)


def test_a_stop_in_the_middle_of_a_large_file_is_prompt_and_resumes(log: Path, data: Path) -> None:
    lines = numbered(0, 200_000)
    write(log, lines)
    for _ in range(3):
        with reading(log, data) as receiving:
            receiving.wait(receiving.frames, "the first lines")
    assert read_all(log, data) == lines


def test_an_unreadable_file_is_told_and_read_once_it_can_be(
    log: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, numbered(0, 10))
    if os.geteuid() == 0:
        link = log.with_name("loop")
        link.symlink_to(link)
        log.rename(log.with_name("kept"))
        log.symlink_to(link)
    else:
        log.chmod(0)
    with reading(log, data) as receiving:
        receiving.wait_error("cannot be read")
        if os.geteuid() == 0:
            log.with_name("kept").replace(log)
        else:
            log.chmod(0o600)
        receiving.wait_frames(numbered(0, 10))
