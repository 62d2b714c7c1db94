"""`armorstack doctor`: the data folder, the spool and the store at rest, files and their lines."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from armorstack.config import MIB, DuckdbSink
from armorstack.core.batch import Batch
from armorstack.core.decode import decode
from armorstack.engines.duckdb.store import Store
from armorstack.runlock import hold
from armorstack.spool.place import SPOOL_FILE, SUSPECT_FILE
from armorstack.spool.work import DeadLetter, Work
from armorstack.state import (
    ReceiverState,
    SourceState,
    SpoolState,
    receiver_path,
    worker_path,
    write_state,
)
from tests.support.doctor import Report, examine, tree
from tests.support.frames import lines
from tests.support.frames import row as json_row
from tests.support.spool_rows import now_us, numbered, open_spool, row


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


def spool_with(data: Path, *frames: bytes, at_us: int = 0) -> None:
    spool = open_spool(data / "spool")
    spool.append([row(*frames, at_us=at_us or now_us())], {})
    spool.close()


def test_a_folder_that_is_ours_and_private_is_all_well(data: Path) -> None:
    found = examine(data)
    for check in ("owner", "private", "local", "writable"):
        found.expect(f"folder.{check}", "ok")
    assert found.exit_code == 0
    assert tree(data) == {}


@pytest.mark.parametrize(("mode", "status"), [(0o755, "note"), (0o770, "warning")])
def test_a_folder_that_is_open_to_others_is_told(data: Path, mode: int, status: str) -> None:
    data.chmod(mode)
    examine(data).expect("folder.private", status, f"{mode:04o}", f"chmod 700 {data}")


def test_a_file_in_the_folders_place_is_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.touch()
    examine(file).expect("folder.there", "failure", "is not a folder", "--data-dir")
    examine(file / "below").expect("folder.there", "failure", "is not a folder")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_told(data: Path) -> None:
    os.chown(data, 65534, 65534)
    examine(data).expect("folder.owner", "warning", "belongs to", "sudo -u")


def test_a_disk_smaller_than_the_spools_limit_is_told(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f"[spool]\nmax_bytes = {2**60}\n")
    found = examine(data, "--config", str(file))
    found.expect("folder.space", "warning", "may take", "spool.max_bytes = ")
    fitting = int(found.one("folder.space")["mend"][-1].rpartition(" ")[2])
    file.write_text(f"[spool]\nmax_bytes = {fitting}\n")
    examine(data, "--config", str(file)).expect("folder.space", "ok")


def test_a_spool_that_waits_long_is_told_with_its_age(data: Path) -> None:
    spool_with(data, numbered(1), at_us=now_us() - 7_200_000_000)
    found = examine(data)
    found.expect("spool.whole", "ok", "1 frame in 1 row")
    found.expect("spool.backlog", "warning", "2 h ago", "armorstack spool status")
    assert "no worker runs" in found.one("spool.backlog")["sentence"]


def test_a_row_that_came_just_now_is_no_backlog(data: Path) -> None:
    spool_with(data, numbered(1))
    examine(data).expect("spool.backlog", "ok")


def test_dead_letters_are_told_with_the_command_that_shows_them(data: Path) -> None:
    spool_with(data, numbered(1))
    work = Work.open(data / "spool")
    work.set_aside([DeadLetter(frame=b"x", error_type="t", reason="r")] * 2)
    work.close()
    found = examine(data)
    command = f"armorstack deadletters list --data-dir {data}"
    found.expect("spool.letters", "warning", "2 dead letters", command)


def test_damage_is_told_and_nothing_is_written_beside_it(data: Path) -> None:
    spool_with(data, *[numbered(1)] * 100)
    file = data / "spool" / SPOOL_FILE
    file.write_bytes(b"x" * len(file.read_bytes()))
    before = tree(data)
    found = examine(data)
    found.expect("spool.whole", "failure", "spool.db", "armorstack spool verify")
    assert found.exit_code == 1
    assert tree(data) == before


def test_a_suspicion_that_no_writer_has_followed_is_told(data: Path) -> None:
    spool_with(data, numbered(1))
    (data / "spool" / SUSPECT_FILE).touch()
    examine(data).expect("spool.suspect", "warning", "met damage", "spool verify")


def test_damaged_files_that_were_kept_are_named(data: Path) -> None:
    spool_with(data, numbered(1))
    (data / "spool" / f"{SPOOL_FILE}.damaged-20260101T000000Z").touch()
    examine(data).expect("spool.replaced", "note", f"{SPOOL_FILE}.damaged-20260101T000000Z")


def store_in(data: Path) -> Path:
    folder = data / "store"
    store = Store.open(folder, DuckdbSink(max_age_days=0), now_us)
    store.write(Batch(decode([json_row(lines("alerts-real.jsonl")[:5])]).batch.rows, (), 1))
    store.close()
    return folder


def test_a_store_at_rest_is_read_and_left_as_it_is(data: Path) -> None:
    store_in(data)
    before = tree(data)
    examine(data).expect("store.open", "ok", "5 events in")
    assert tree(data) == before


def test_a_damaged_catalogue_is_told(data: Path) -> None:
    catalogue = store_in(data) / "catalog.duckdb"
    catalogue.write_bytes(b"x" * catalogue.stat().st_size)
    found = examine(data)
    found.expect("store.open", "failure", "cannot be read", "cp -a")
    assert found.exit_code == 1


def test_missing_parts_of_a_store_are_counted(data: Path) -> None:
    next((store_in(data) / "parts").rglob("*.parquet")).unlink()
    examine(data).expect("store.parts", "failure", "1 part", "bring back")


def test_a_store_that_is_open_elsewhere_is_left_alone(data: Path) -> None:
    store = Store.open(data / "store", DuckdbSink(), now_us)
    examine(data).expect("store.open", "note", str(os.getpid()))
    store.close()


def receiver_state(data: Path, phase: str, age_s: float) -> None:
    at_us = now_us() - int(age_s * 1e6)
    state = ReceiverState(pid=2**22 - 1, started_us=at_us, updated_us=at_us, phase=phase)  # type: ignore[arg-type]
    write_state(receiver_path(str(data)), state)


def test_a_process_that_stopped_is_no_fault_and_one_that_vanished_is(data: Path) -> None:
    receiver_state(data, "stopped", 60)
    examine(data).expect("process.receiver", "note", "was stopped 1 min ago")
    receiver_state(data, "running", 60)
    found = examine(data)
    found.expect("process.receiver", "failure", "crashed or was killed", "start armorstack")
    assert found.exit_code == 1


def test_sources_as_a_live_receiver_sees_them_are_told(data: Path) -> None:
    at_us = now_us() + 60_000_000
    told = [
        SourceState("new", "relay"),
        SourceState("gone", "relay", error="refused", hint="start it"),
        SourceState("quiet", "relay", connected=True, since_us=at_us - 700_000_000, reconnects=2),
        SourceState("done", "file", finished=True),
        SourceState("broken", "file", finished=True, error="unreadable"),
    ]
    state = ReceiverState(
        pid=1, started_us=at_us, updated_us=at_us, phase="running", sources=tuple(told),
        dropped={"spool_full": 3}, spool=SpoolState(full="no room"),
    )  # fmt: skip
    write_state(receiver_path(str(data)), state)
    found = examine(data)
    status = {each["subject"]: each["status"] for each in found.all("process.source")}
    assert status == {
        "new": "warning", "gone": "failure", "quiet": "warning", "done": "ok", "broken": "warning",
    }  # fmt: skip
    assert found.one("process.source", "gone")["mend"] == ["start it"]
    found.expect("process.reconnects", "note", "2 times")
    found.expect("process.dropped", "warning", "3 frames", "spool.max_bytes")
    found.expect("process.full", "failure", "no room", "spool status")


def test_a_store_as_a_killed_worker_leaves_it_is_read_and_left_as_it_is(data: Path) -> None:
    store = Store.open(data / "open", DuckdbSink(max_age_days=0), now_us)
    store.write(Batch(decode([json_row(lines("alerts-real.jsonl")[:5])]).batch.rows, (), 1))
    store.flush()
    shutil.copytree(data / "open", data / "store")
    store.close()
    assert (data / "store" / "catalog.duckdb.wal").stat().st_size
    before = tree(data / "store")
    examine(data).expect("store.open", "ok", "5 events in")
    assert tree(data / "store") == before


def test_a_process_that_is_younger_than_its_run_was_started_again(data: Path) -> None:
    receiver_state(data, "running", -60)
    with hold(str(data), "run"):
        found = examine(data)
        found.expect("process.restarts", "warning", "had to be started again", "log")
        receiver_state(data, "running", 0)
        assert examine(data).all("process.restarts") == []


def test_a_process_that_vanished_below_a_run_is_being_started_again(data: Path) -> None:
    receiver_state(data, "running", 60)
    with hold(str(data), "run"):
        examine(data).expect("process.receiver", "failure", "`run` starts it again", "log")


def test_sinks_of_a_live_worker_that_wait_are_told_with_the_reason(data: Path) -> None:
    state = json.loads(
        '{"name": "duckdb", "is_open": true, "waits_for": "No space left on device"}'
    )
    sinks = [state, {"name": "late", "is_open": True, "lag_s": 99.0}, {"name": "closed"}]
    told = {"pid": os.getpid(), "started_us": now_us(), "updated_us": now_us() + 60_000_000,
            "phase": "running", "sinks": sinks}  # fmt: skip
    path = worker_path(str(data))
    path.parent.mkdir()
    path.write_text(json.dumps(told))
    found = examine(data)
    waiting = found.one("store.sink", "duckdb")
    assert (waiting["status"], waiting["mend"][0]) == ("failure", f"df -h {data}")
    assert found.one("store.sink", "late")["status"] == "warning"
    assert found.one("store.sink", "closed")["status"] == "warning"
    assert found.exit_code == 1


def file_report(data: Path, path: Path, *words: str) -> Report:
    return examine(data, "--file", str(path), *words)


def test_a_file_of_events_is_all_well(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(lines("alerts-real.jsonl")))
    found = file_report(data, path)
    found.expect("file.there", "ok")
    found.expect("file.lines", "ok", f"{len(lines('alerts-real.jsonl'))} events")
    found.expect("file.growing", "note", "nothing was added")
    assert file_report(data, path, "--no-follow").all("file.growing") == []


def test_of_a_long_file_whole_lines_at_its_end_are_looked_at(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events = b"".join(line + b"\n" for line in lines("alerts-real.jsonl"))
    path.write_bytes(b"nonsense\n" + events * (3 * MIB // len(events)))
    file_report(data, path).expect("file.lines", "ok")


def test_a_file_that_holds_only_the_relays_own_log_says_how_to_get_events(
    data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "relay.log"
    path.write_bytes(b"\n".join(lines("relay-stderr-own-log.jsonl")))
    found = file_report(data, path)
    found.expect("file.lines", "failure", "relay's own log", "ENABLE_STDOUT_ALERTS=true")
    assert found.exit_code == 1


def test_a_file_of_something_else_is_told(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    path.write_text("root:x:0:0\n\x1b[2J\n")
    file_report(data, path).expect("file.lines", "failure", "no event")


def test_some_lines_that_are_no_events_are_a_warning(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines("alerts-real.jsonl")[0] + b"\nnonsense\n")
    file_report(data, path).expect("file.lines", "warning", "1 line", "deadletters list")


def test_an_empty_file_and_a_missing_one_are_told_apart(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    file_report(data, path).expect("file.there", "warning", "does not exist yet", "ls -la")
    found = file_report(data, path, "--no-follow")
    found.expect("file.there", "failure", "does not exist")
    assert found.exit_code == 1
    path.touch()
    file_report(data, path).expect("file.lines", "warning", "empty", "ENABLE_STDOUT_LOGS=true")


def test_a_folder_in_a_files_place_is_a_failure(data: Path, tmp_path: Path) -> None:
    file_report(data, tmp_path).expect("file.there", "failure", "is no file")


def test_a_file_that_nobody_writes_any_more_is_a_warning(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines("alerts-real.jsonl")[0] + b"\n")
    yesterday = time.time() - 86_400
    os.utime(path, (yesterday, yesterday))
    file_report(data, path).expect("file.growing", "warning", "1 d ago", "fuser")
