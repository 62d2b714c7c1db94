"""`armorstack run` from start to end, with real processes."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import termios
from pathlib import Path

import psutil
import pytest

from armorstack.engines.duckdb.connection import FolderLock
from tests.support.running import (
    Running,
    living,
    running,
    stored_ids,
    stored_rows,
    synthetic_lines,
    until,
)

EVENTS = Path(__file__).parents[1] / "fixtures/events"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def lines_of(*names: str) -> bytes:
    return b"".join((EVENTS / name).read_bytes() for name in names)


def with_input(text: bytes, data_dir: Path, *words: str) -> Running:
    """`armorstack run --stdin` on this input, to its end."""
    with running("run", "--stdin", *words, data_dir=data_dir, stdin=subprocess.PIPE) as run:
        assert run.process.stdin is not None
        run.process.stdin.write(text)
        run.process.stdin.close()
        assert run.wait() == 0, run.output()
        return run


def test_a_counted_sample_is_stored_and_the_run_ends(data_dir: Path) -> None:
    with running("run", "--sample", "--count", "500", "--rate", "500", data_dir=data_dir) as run:
        assert run.wait() == 0, run.output()
    assert "received 500, stored 500, duplicates 0, dead letters 0, lost 0\n" in run.output()
    assert f"the data lie in {data_dir}\n" in run.output()
    ids = stored_ids(data_dir)
    assert len(ids) == len(set(ids)) == 500


def test_standard_input_is_stored_to_its_end_in_every_spelling(data_dir: Path) -> None:
    names = ("alerts-real.jsonl", "logs-real.jsonl", "kubearmor-file-camelcase-real.jsonl")
    text = lines_of(*names, "relay-stderr-own-log.jsonl")
    run = with_input(text, data_dir)
    counted = len(text.splitlines())
    own = len(lines_of("relay-stderr-own-log.jsonl").splitlines())
    assert f"received {counted}, " in run.output()
    assert f"lines that are no events {own}" in run.output()
    ids = stored_ids(data_dir)
    assert len(ids) == len(set(ids)) > 900
    assert set(stored_rows(data_dir).column("spelling").to_pylist()) == {"pascal", "camel"}


def test_the_same_input_twice_is_stored_once(data_dir: Path) -> None:
    text = synthetic_lines(0, 300).encode()
    with_input(text, data_dir)
    run = with_input(text, data_dir)
    assert "received 300, stored 0, duplicates 300, dead letters 0" in run.output()
    assert len(stored_ids(data_dir)) == 300


def test_a_line_that_cannot_be_read_becomes_a_dead_letter_beside_its_neighbours(
    data_dir: Path,
) -> None:
    text = synthetic_lines(0, 10) + '{"Timestamp": tru\n' + synthetic_lines(10, 20)
    run = with_input(text.encode(), data_dir)
    assert "received 21, stored 20, duplicates 0, dead letters 1, lost 0" in run.output()


def test_files_are_read_to_their_end_with_no_follow(data_dir: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(synthetic_lines(0, 50).replace("pod", name))
    words = ("--file", str(tmp_path / "a"), "--file", str(tmp_path / "b"), "--no-follow")
    with running("run", *words, "--cluster", "blue", data_dir=data_dir) as run:
        assert run.wait() == 0, run.output()
    rows = stored_rows(data_dir)
    assert len(rows) == 50, "the pod's name is no part of an event's identity"
    assert set(rows.column("cluster_name").to_pylist()) == {"blue"}


def test_without_a_source_it_says_what_to_give(data_dir: Path) -> None:
    with running("run", data_dir=data_dir) as run:
        assert run.wait() == 2
    assert "$.source: no source" in run.output()
    assert "--sample" in run.output()
    assert not data_dir.exists()


@pytest.mark.parametrize("words", [("--rate", "5"), ("--tls", "--sample"), ("--no-follow",)])
def test_a_flag_without_its_source_is_refused(data_dir: Path, words: tuple[str, ...]) -> None:
    with running("run", *words, data_dir=data_dir) as run:
        assert run.wait() == 2
    assert f"{words[0]} goes with" in run.output()


def test_a_port_in_use_is_told_before_anything_is_started(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with running("run", "--sample", "--listen", listen, data_dir=data_dir) as run:
            assert run.wait() == 2
    assert f"$.web.listen: {listen}: Address already in use" in run.output()
    assert "--listen 127.0.0.1:0" in run.output()
    assert not (data_dir / "spool").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_quickly_with_all_that_was_received_stored(
    data_dir: Path, number: int
) -> None:
    with running("run", "--sample", "--rate", "200", data_dir=data_dir) as run:
        until(lambda: run.stored() > 100, "stored events")
        family = run.family()
        assert run.stop(number) == 0, run.output()
    assert len(family) >= 4
    assert living(family) == []
    counts = run.output().splitlines()[-2]
    received = int(counts.split("received ")[1].split(",")[0])
    assert counts.startswith(f"received {received}, stored {received}, duplicates 0")
    assert len(stored_ids(data_dir)) == received


def test_what_a_terminal_sends_to_the_whole_group_ends_it_as_well_as_a_signal_to_one(
    data_dir: Path,
) -> None:
    with running("run", "--sample", data_dir=data_dir, own_group=True) as run:
        until(lambda: run.stored() > 10, "stored events")
        family = run.family()
        os.killpg(run.process.pid, signal.SIGINT)
        assert run.wait(10.0) == 0, run.output()
    assert living(family) == []
    assert "killed" not in run.output()
    received = int(run.output().splitlines()[-2].split("received ")[1].split(",")[0])
    assert len(stored_ids(data_dir)) == received


def test_a_second_interrupt_does_not_wait(data_dir: Path) -> None:
    with running("run", "--sample", data_dir=data_dir) as run:
        worker = until(run.worker, "a worker")
        receiver = until(run.receiver, "a receiver")
        # Neither can end by itself now.
        for state in (worker, receiver):
            psutil.Process(state.pid).suspend()
        run.process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            run.process.wait(1.0)
        assert run.stop(signal.SIGINT) == 130


def test_two_runs_on_one_folder_are_refused_with_a_hint(data_dir: Path) -> None:
    with running("run", "--sample", data_dir=data_dir) as first:
        until(lambda: first.stored() > 0, "stored events")
        with running("run", "--sample", data_dir=data_dir, name="second") as second:
            assert second.wait() == 1
        assert f"another `armorstack run` (process {first.process.pid})" in second.output()
        assert "--data-dir" in second.output()
        before = first.stored()
        until(lambda: first.stored() > before, "the first run to go on")
        assert first.stop() == 0


def test_a_store_that_another_process_has_open_ends_the_run_with_its_reason(
    data_dir: Path,
) -> None:
    with running("worker", data_dir=data_dir) as worker:
        until(worker.worker, "a worker")
        with running("run", "--sample", data_dir=data_dir, name="second") as second:
            assert second.wait() == 1
        assert "another worker" in second.output()
        assert worker.stop() == 0


def test_a_store_that_is_locked_ends_the_run_before_anything_is_stored(data_dir: Path) -> None:
    (data_dir / "store").mkdir(parents=True)
    held = FolderLock.take(data_dir / "store")
    with running("run", "--sample", data_dir=data_dir) as run:
        code = run.wait()
    held.release()
    assert code == 1
    assert "armorstack: " in run.output()
    assert "hint: " in run.output()
    assert "received 0, " in run.output() or "stored 0, " in run.output()


def test_piped_output_is_plain_lines(data_dir: Path) -> None:
    words = ("--sample", "--count", "1200", "--rate", "200")
    with running("run", *words, data_dir=data_dir, environ={"ARMORSTACK_LOG": "json"}) as run:
        assert run.wait() == 0, run.output()
    text = run.output()
    assert "\x1b" not in text
    assert "sample: connected\n" in text
    assert "\nin " in text
    entries = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert {entry["process"] for entry in entries} == {"receiver", "worker"}


def test_quiet_says_only_the_result(data_dir: Path) -> None:
    words = ("--sample", "--count", "20", "--rate", "100", "--quiet")
    with running("run", *words, data_dir=data_dir) as run:
        assert run.wait() == 0, run.output()
    assert run.output().splitlines() == [
        "received 20, stored 20, duplicates 0, dead letters 0, lost 0",
        f"the data lie in {data_dir}",
    ]


def test_what_is_kept_is_for_its_owner_alone(data_dir: Path) -> None:
    with_input(synthetic_lines(0, 5).encode(), data_dir)
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    files = [path for path in data_dir.rglob("*") if path.is_file()]
    assert [path for path in files if path.stat().st_mode & 0o077] == []


LOADED = """
import sys
from armorstack.cli.main import cli
try:
    cli(sys.argv[1:], prog_name="armorstack")
finally:
    print("loaded", *sorted(sys.modules))
"""


@pytest.mark.parametrize(
    ("command", "needed", "forbidden"),
    [
        ("receiver", {"grpc", "sqlite3"}, {"pyarrow", "duckdb", "starlette", "uvicorn", "numpy"}),
        ("run", {"armorstack.supervisor"}, {"grpc", "pyarrow", "duckdb", "starlette", "uvicorn"}),
    ],
)
def test_each_process_loads_only_what_it_needs(
    data_dir: Path, tmp_path: Path, command: str, needed: set[str], forbidden: set[str]
) -> None:
    lines = tmp_path / "events.jsonl"
    lines.write_text(synthetic_lines(0, 5))
    words = [command, "--file", str(lines), "--no-follow", "--data-dir", str(data_dir)]
    words += ["--listen", "127.0.0.1:0"] if command == "run" else []
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        capture_output=True, text=True, check=True, timeout=40,
    )  # fmt: skip
    loaded = set(done.stdout.splitlines()[-1].split())
    assert needed <= loaded
    assert forbidden & loaded == set()


def test_on_a_terminal_a_live_summary_is_drawn_and_taken_away_at_the_end(data_dir: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (26, 100))
    words = ["run", "--sample", "--rate", "100", "--data-dir", str(data_dir)]
    process = subprocess.Popen(
        [sys.executable, "-m", "armorstack", *words, "--listen", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    screen = b""
    while b"namespace/pod" not in screen or b"sample: connected" not in screen:
        screen += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while chunk := os.read(ours, 65536):
            screen += chunk
    os.close(ours)
    assert process.wait(10) == 0
    assert b"pages: http://127.0.0.1:" in screen
    assert b'{"time"' not in screen
    text = screen.decode()
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"
    assert re.fullmatch(
        r"received \d+, stored \d+, duplicates 0, dead letters 0, lost 0\s+the data lie in \S+\s+",
        text[text.rindex("received ") :],
    )
