"""The sink into a file: syncing, rotation, compression, and what others do to its files."""

import gzip
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from armorstack.core.gap import Gap
from armorstack.errors import EngineError, StoreError, StoreLocked, StoreTooNew
from armorstack.sinks import file as file_module
from armorstack.sinks.contract import Outcome
from armorstack.sinks.file import LineFileSink
from tests.support.line_files import FILE, all_keys, keys, make_sink, open_sink, read_lines, rotated
from tests.support.stores import NOW_US, SECOND_US, Clock, batch

T = "20261123T150000Z"
Open = Callable[..., LineFileSink]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Iterator[Open]:
    sinks: list[LineFileSink] = []

    def opened(**settings: Any) -> LineFileSink:
        sinks.append(make_sink(tmp_path, clock, **settings))
        sinks[-1].open()
        return sinks[-1]

    yield opened
    for sink in sinks:
        sink.close()


def mark(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / f"{FILE}.cursor").read_bytes())
    return read


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def compressed(sink: LineFileSink) -> None:
    """Wait until what is to be compressed is."""
    sink._compressor.wait()


# Syncing


def test_the_cursor_moves_when_lines_are_synced(opened: Open, tmp_path: Path) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    assert sink.cursor() == 1, "the first write is synced at once"
    sink.write(batch(2, "b"))
    sink.tick()
    assert sink.cursor() == 1
    assert keys([tmp_path / FILE]) == ["a", "b"], "lines can be read before they are synced"
    sink.flush()
    assert (sink.cursor(), mark(tmp_path)["cursor"]) == (2, 2)
    assert mark(tmp_path)["length"] == (tmp_path / FILE).stat().st_size


def test_an_interval_of_zero_syncs_every_write(opened: Open) -> None:
    sink = opened(sync_interval_s=0.0)
    for last in (1, 2, 3):
        sink.write(batch(last, [last]))
        assert sink.cursor() == last


def test_ticks_sync_what_is_due(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = opened(sync_interval_s=1.0)
    sink.write(batch(1, "a"))
    now = file_module.time.monotonic()
    monkeypatch.setattr(file_module.time, "monotonic", lambda: now)
    sink._synced_at = now
    sink.write(batch(2, "b"))
    sink.tick()
    assert sink.cursor() == 1
    now += 1.0
    sink.tick()
    assert sink.cursor() == 2


def test_much_unsynced_is_synced_before_its_time(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "MAX_UNSYNCED_BYTES", 1000)
    sink = opened()
    sink.write(batch(1, "a"))
    sink.write(batch(2, "b"))
    assert sink.cursor() == 1
    sink.write(batch(3, map(str, range(20))))
    assert sink.cursor() == 3


def test_batches_without_anything_new_move_the_cursor_too(opened: Open, tmp_path: Path) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    assert sink.write(batch(2, "a")) == Outcome(duplicates=1)
    sink.write(batch(3))
    sink.flush()
    assert sink.cursor() == mark(tmp_path)["cursor"] == 3
    assert keys([tmp_path / FILE]) == ["a"]


def test_lines_mark_and_folder_are_made_durable_in_this_order(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    sink.write(batch(2, "b"))
    calls: list[tuple[str, ...]] = []
    fsync, rename = os.fsync, os.rename

    def watched_fsync(descriptor: int) -> None:
        calls.append(("fsync", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        fsync(descriptor)

    def watched_rename(source: Path, target: Path) -> None:
        calls.append(("rename", Path(source).name, Path(target).name))
        rename(source, target)

    with monkeypatch.context() as watched:
        watched.setattr(os, "fsync", watched_fsync)
        watched.setattr(os, "rename", watched_rename)
        sink.flush()
    assert calls == [
        ("fsync", FILE),
        ("fsync", f"{FILE}.cursor.tmp"),
        ("rename", f"{FILE}.cursor.tmp", f"{FILE}.cursor"),
        ("fsync", tmp_path.name),
    ]


def test_an_idle_sink_writes_nothing(opened: Open, tmp_path: Path) -> None:
    sink = opened(sync_interval_s=0.0)
    sink.write(batch(1, "a"))
    before = (tmp_path / f"{FILE}.cursor").stat().st_ino
    sink.tick()
    sink.flush()
    assert (tmp_path / f"{FILE}.cursor").stat().st_ino == before


def test_a_gap_is_written_once(opened: Open, tmp_path: Path) -> None:
    gap = Gap(reason="stop", source="relay/a", start_us=NOW_US, end_us=NOW_US)
    sink = opened(form="ecs")
    sink.write(batch(1, "a", gaps=[gap, gap]))
    sink.write(batch(2, gaps=[gap]))
    datasets = [json.loads(line)["event"]["dataset"] for line in read_lines(tmp_path / FILE)]
    assert datasets == ["armorstack.gaps", "kubearmor.alerts"]


# Rotation


def test_a_file_is_rotated_before_it_grows_beyond_its_size(opened: Open, tmp_path: Path) -> None:
    sink = opened(rotate_bytes=300, keep=0)
    for last in range(1, 21):
        sink.write(batch(last, [last]))
    files = [*rotated(tmp_path), tmp_path / FILE]
    assert len(files) > 2
    assert max(file.stat().st_size for file in files) <= 300
    assert all(file.stat().st_size > 200 for file in files[:-1])
    assert rotated(tmp_path)[0].name == f"events-{T}.1.ndjson"
    assert all_keys(tmp_path) == sorted(map(str, range(1, 21)))


def test_a_batch_beyond_the_size_lies_in_a_file_of_its_own(opened: Open, tmp_path: Path) -> None:
    sink = opened(rotate_bytes=10)
    for last, names in enumerate(("abc", "de", "f"), start=1):
        sink.write(batch(last, names))
    assert keys([tmp_path / FILE]) == ["f"]
    assert [len(read_lines(file)) for file in rotated(tmp_path)] == [2, 3]


def test_a_file_is_rotated_when_it_is_old(opened: Open, tmp_path: Path, clock: Clock) -> None:
    sink = opened(rotate_interval_s=60.0)
    sink.write(batch(1, "a"))
    clock.now_us += 59 * SECOND_US
    sink.tick()
    assert rotated(tmp_path) == []
    clock.now_us += SECOND_US
    sink.tick()
    assert [file.name for file in rotated(tmp_path)] == ["events-20261123T150100Z.ndjson"]
    assert (tmp_path / FILE).stat().st_size == 0


def test_the_age_goes_on_over_restarts(opened: Open, tmp_path: Path, clock: Clock) -> None:
    sink = opened(rotate_interval_s=60.0)
    sink.write(batch(1, "a"))
    sink.close()
    clock.now_us += 61 * SECOND_US
    opened(rotate_interval_s=60.0).tick()
    assert keys(rotated(tmp_path)) == ["a"]


def test_an_empty_file_is_not_rotated(opened: Open, tmp_path: Path, clock: Clock) -> None:
    sink = opened(rotate_interval_s=60.0)
    sink.write(batch(1, "a"))
    for _ in range(3):
        clock.now_us += 61 * SECOND_US
        sink.tick()
    assert len(rotated(tmp_path)) == 1


def test_a_clock_that_is_set_back_delays_rotation_by_no_more_than_the_interval(
    opened: Open, tmp_path: Path, clock: Clock
) -> None:
    sink = opened(rotate_interval_s=60.0)
    sink.write(batch(1, "a"))
    clock.now_us -= 86_400 * SECOND_US
    sink.tick()
    clock.now_us += 60 * SECOND_US
    sink.tick()
    assert keys(rotated(tmp_path)) == ["a"]


def test_removed_events_are_counted(opened: Open, tmp_path: Path) -> None:
    sink = opened(rotate_bytes=1, keep=2, form="ecs")
    gap = Gap(reason="stop", source="relay/a", start_us=NOW_US, end_us=NOW_US)
    for last, names in enumerate(("abc", "de", "f", "g", "h"), start=1):
        sink.write(batch(last, names, gaps=[gap]))
    assert len(rotated(tmp_path)) == 2
    assert sink.removed() == {"rotation": 5}


def test_removed_events_are_counted_over_restarts(opened: Open, tmp_path: Path) -> None:
    sink = opened(rotate_bytes=1, keep=1)
    for last, names in enumerate(("abc", "de"), start=1):
        sink.write(batch(last, names))
    sink.close()
    sink = opened(rotate_bytes=1, keep=1)
    sink.write(batch(3, "f"))
    assert sink.removed() == {"rotation": 3}
    assert keys(rotated(tmp_path)) == ["d", "e"]


def test_fewer_are_kept_as_soon_as_the_settings_say_so(opened: Open, tmp_path: Path) -> None:
    sink = opened(rotate_bytes=1, keep=0)
    for last in range(1, 6):
        sink.write(batch(last, [last]))
    sink.close()
    assert opened(rotate_bytes=1, keep=1).removed() == {"rotation": 3}
    assert keys(rotated(tmp_path)) == ["4"]


# Compression


def test_rotated_files_are_compressed(opened: Open, tmp_path: Path) -> None:
    sink = opened(rotate_bytes=1, compress=True)
    for last in (1, 2):
        sink.write(batch(last, [last]))
    compressed(sink)
    assert [file.name for file in rotated(tmp_path)] == [f"events-{T}.ndjson.gz"]
    assert all_keys(tmp_path) == ["1", "2"]
    assert mode(rotated(tmp_path)[0]) == 0o600


def test_what_was_not_compressed_is_at_the_next_opening(opened: Open, tmp_path: Path) -> None:
    sink = opened(rotate_bytes=1)
    for last in (1, 2, 3):
        sink.write(batch(last, [last]))
    sink.close()
    (tmp_path / f"events-{T}.ndjson.gz.tmp").write_bytes(b"half")
    compressed(opened(compress=True))
    assert {file.suffix for file in rotated(tmp_path)} == {".gz"}
    assert all_keys(tmp_path) == ["1", "2", "3"]


def test_close_does_not_wait_for_compression(opened: Open, tmp_path: Path) -> None:
    large = tmp_path / f"events-{T}.ndjson"
    with large.open("wb") as file:
        file.truncate(1 << 33)
    sink = opened(compress=True)
    sink.close()
    assert not sink._compressor._is_running()
    assert [file.name for file in rotated(tmp_path)] == [large.name]
    large.unlink()


def test_a_removed_file_does_not_come_back_compressed(tmp_path: Path) -> None:
    plain = tmp_path / f"events-{T}.ndjson"
    plain.write_bytes(b"1\n")
    sink = make_sink(tmp_path)
    copy = sink._compressor._copy

    def slow(source: Path, target: Path) -> bool:
        done = copy(source, target)
        plain.unlink()
        return done

    sink._compressor._copy = slow  # type: ignore[method-assign]
    sink._compressor.look()
    compressed(sink)
    assert rotated(tmp_path) == []


# Openings


def test_lines_that_were_not_acknowledged_are_taken_back(opened: Open, tmp_path: Path) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    sink.close()
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"Resource":"b"}\n{"Reso')
    assert opened().cursor() == 1
    assert keys([tmp_path / FILE]) == ["a"]


def test_lines_of_others_stay(opened: Open, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b'{"Resource":"x"}\n{"Resource":"y"}')
    sink = opened()
    assert sink.cursor() == 0
    sink.write(batch(1, "a"))
    assert keys([tmp_path / FILE]) == ["x", "y", "a"]


def test_a_file_that_was_put_in_the_place_of_ours_is_not_cut(opened: Open, tmp_path: Path) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    sink.close()
    (tmp_path / FILE).write_bytes(b'{"Resource":"x"}\n' * 50)
    opened().write(batch(2, "b"))
    assert len(keys([tmp_path / FILE])) == 51


def test_duplicates_that_an_earlier_opening_did_not_sync_are_written(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    sink.write(batch(2, "b"))

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(EngineError, match="Input/output error"):
            sink.close()
    assert sink.open() == 1
    assert sink.write(batch(2, "b")) == Outcome(accepted=1)
    assert keys([tmp_path / FILE]) == ["a", "b"]


def test_two_sinks_cannot_have_one_path(opened: Open) -> None:
    opened()
    with pytest.raises(StoreLocked, match=f"process {os.getpid()}"):
        opened()


def test_a_closed_sink_leaves_its_path_to_another(opened: Open) -> None:
    opened().close()
    opened().write(batch(1, "a"))


def test_a_closed_sink_takes_nothing(opened: Open) -> None:
    sink = opened()
    sink.close()
    with pytest.raises(EngineError, match="not open"):
        sink.write(batch(1, "a"))


def test_a_mark_of_a_newer_version_is_refused(opened: Open, tmp_path: Path) -> None:
    (tmp_path / f"{FILE}.cursor").write_text('{"version": 2}')
    with pytest.raises(StoreTooNew):
        opened()


def test_a_damaged_mark_is_told_with_what_to_do(opened: Open, tmp_path: Path) -> None:
    (tmp_path / f"{FILE}.cursor").write_text("{")
    with pytest.raises(StoreError) as caught:
        opened()
    assert "remove it" in caught.value.hint
    (tmp_path / f"{FILE}.cursor").unlink()
    opened()


# Permissions


def test_files_and_their_folder_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "logs"
    before = os.umask(0)
    try:
        sink = open_sink(folder, rotate_bytes=1, compress=True)
        for last in (1, 2):
            sink.write(batch(last, [last]))
        compressed(sink)
        sink.close()
    finally:
        os.umask(before)
    assert mode(folder) == 0o700
    assert {mode(file) for file in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 4


def test_a_mode_that_a_person_gave_stays_over_rotation(opened: Open, tmp_path: Path) -> None:
    sink = opened(rotate_bytes=1, compress=True)
    (tmp_path / FILE).chmod(0o640)
    sink.close()
    sink = opened(rotate_bytes=1, compress=True)
    for last in (1, 2):
        sink.write(batch(last, [last]))
    compressed(sink)
    assert {mode(file) for file in [*rotated(tmp_path), tmp_path / FILE]} == {0o640}


def test_a_symbolic_link_is_not_followed(opened: Open, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious\n")
    (tmp_path / FILE).symlink_to(target)
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        opened()
    assert not isinstance(caught.value, EngineError)
    assert target.read_bytes() == b"precious\n"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused(
    opened: Open, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / FILE)
    with pytest.raises(StoreError):
        opened()
    (tmp_path / FILE).rmdir() if (tmp_path / FILE).is_dir() else (tmp_path / FILE).unlink()
    opened()


# Other programs


def test_a_file_that_is_moved_away_is_followed_by_a_new_one(opened: Open, tmp_path: Path) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    os.rename(tmp_path / FILE, tmp_path / "moved")
    sink.write(batch(2, "b"))
    sink.tick()
    sink.write(batch(3, "c"))
    sink.flush()
    assert sink.cursor() == 3
    assert keys([tmp_path / "moved"]) == ["a", "b"]
    assert keys([tmp_path / FILE]) == ["c"]


def test_a_new_file_in_the_place_of_a_moved_one_is_used(opened: Open, tmp_path: Path) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    os.rename(tmp_path / FILE, tmp_path / "moved")
    (tmp_path / FILE).write_bytes(b'{"Resource":"x"}')
    sink.tick()
    sink.write(batch(2, "b"))
    assert keys([tmp_path / FILE]) == ["x", "b"]


def test_lines_that_were_not_acknowledged_outlive_the_removal_of_their_file(
    opened: Open, tmp_path: Path
) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    sink.write(batch(2, "b"))
    (tmp_path / FILE).unlink()
    sink.write(batch(3, "c"))
    sink.flush()
    assert sink.cursor() == 3
    assert keys([tmp_path / FILE]) == ["b", "c"]
    assert mark(tmp_path)["events"] == 2


def test_a_removed_folder_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    sink = open_sink(folder)
    sink.write(batch(1, "a"))
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    sink.write(batch(2, "b"))
    sink.flush()
    sink.close()
    assert keys([folder / FILE]) == ["b"]


def test_a_crash_after_a_move_neither_loses_nor_doubles(opened: Open, tmp_path: Path) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    sink.write(batch(2, "b"))
    os.rename(tmp_path / FILE, tmp_path / "moved")
    abandon(sink)
    sink = opened()
    assert sink.cursor() == 1
    sink.write(batch(2, "b"))
    assert keys([tmp_path / "moved", tmp_path / FILE]) == ["a", "b"]


def test_a_truncated_file_is_gone_on_with(opened: Open, tmp_path: Path) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    os.truncate(tmp_path / FILE, 0)
    sink.write(batch(2, "b"))
    sink.close()
    assert opened().cursor() == 2
    assert keys([tmp_path / FILE]) == ["b"]


def test_a_file_truncated_before_it_was_synced_is_marked_as_it_is(
    opened: Open, tmp_path: Path
) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    sink.write(batch(2, "b"))
    os.truncate(tmp_path / FILE, 0)
    sink.flush()
    assert mark(tmp_path)["length"] == 0
    sink.write(batch(3, "c"))
    abandon(sink)
    assert opened().cursor() == 2
    assert keys([tmp_path / FILE]) == []


def abandon(sink: LineFileSink) -> None:
    """Let go as a killed process does."""
    sink._compressor.stop()
    sink._opened.close()


# A failing disk


def test_an_fsync_that_failed_is_not_trusted_afterwards(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = opened()
    sink.write(batch(1, "a"))
    sink.write(batch(2, "b"))

    def lose(descriptor: int) -> None:
        # What the kernel may do: pages it could not write are gone, and it says so once.
        os.pwrite(descriptor, b"", 0)
        with (tmp_path / FILE).open("r+b") as file:
            file.seek(mark(tmp_path)["length"])
            file.write(b"\0\0\0\0\n")
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", lose)
        with pytest.raises(EngineError, match="Input/output error"):
            sink.flush()
        with pytest.raises(EngineError, match="Input/output error"):
            sink.write(batch(3, "c"))
    assert sink.cursor() == 1
    sink.write(batch(3, "c"))
    sink.flush()
    assert sink.cursor() == 3
    assert keys([tmp_path / FILE]) == ["a", "b", "c"]


def test_no_line_goes_into_a_new_file_before_a_mark_names_it(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = opened(rotate_bytes=1)
    sink.write(batch(1, "a"))
    rename = os.rename

    def fail_after_rotation(source: Path, target: Path) -> None:
        if rotated(tmp_path) and str(target).endswith(".cursor"):
            raise OSError(28, "No space left on device")
        rename(source, target)

    with monkeypatch.context() as broken:
        broken.setattr(os, "rename", fail_after_rotation)
        for _ in range(2):
            with pytest.raises(EngineError, match="No space left"):
                sink.write(batch(2, "b"))
    sink.write(batch(2, "b"))
    abandon(sink)
    sink = opened(rotate_bytes=1)
    assert sink.cursor() == 1
    sink.write(batch(2, "b"))
    assert all_keys(tmp_path) == ["a", "b"]


def test_a_sync_that_fails_behind_a_write_does_not_unsay_it(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = opened(sync_interval_s=0.0)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        assert sink.write(batch(1, "a")) == Outcome(accepted=1)
        with pytest.raises(EngineError, match="No space left"):
            sink.write(batch(2, "b"))
    assert sink.cursor() == 0
    assert sink.write(batch(2, "b")) == Outcome(accepted=1)
    assert sink.cursor() == 2
    assert keys([tmp_path / FILE]) == ["a", "b"]


def test_compressed_lines_are_what_gzip_reads(opened: Open, tmp_path: Path) -> None:
    sink = opened(rotate_bytes=1, compress=True)
    for last, names in enumerate((map(str, range(3000)), "z"), start=1):
        sink.write(batch(last, names))
    compressed(sink)
    with gzip.open(rotated(tmp_path)[0], "rt") as lines:
        assert len(list(lines)) == 3000
