"""The reports of the two processes."""

import stat
from pathlib import Path

from armorstack.state import (
    ReceiverState,
    SourceState,
    WorkerState,
    read_state,
    receiver_path,
    resident_bytes,
    write_state,
)

STATE = ReceiverState(
    pid=1, started_us=2, updated_us=3, phase="running", dropped={"overflow": 4},
    sources=(SourceState("relay/a:1", "relay", connected=True),),
)  # fmt: skip


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = receiver_path(str(tmp_path))
    write_state(path, STATE)
    assert read_state(path, ReceiverState) == STATE


def test_a_report_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = receiver_path(str(tmp_path / "new"))
    write_state(path, STATE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_missing_or_damaged_report_reads_as_none(tmp_path: Path) -> None:
    path = tmp_path / "worker.json"
    assert read_state(path, WorkerState) is None
    path.write_bytes(b'{"pid": 1')
    assert read_state(path, WorkerState) is None


def test_a_report_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    assert write_state(receiver_path(str(tmp_path)), STATE) is False
    assert write_state(receiver_path(str(tmp_path / "other")), STATE) is True


def test_a_reader_never_sees_half_a_report(tmp_path: Path) -> None:
    """The file is replaced: what was opened before stays whole."""
    path = receiver_path(str(tmp_path))
    write_state(path, STATE)
    with path.open("rb") as before:
        write_state(path, ReceiverState(pid=9, started_us=9, updated_us=9))
        assert before.read().startswith(b'{"pid":1,')
    assert sorted(file.name for file in path.parent.iterdir()) == ["receiver.json"]


def test_the_memory_of_a_process_is_told() -> None:
    assert resident_bytes() > 1_000_000
