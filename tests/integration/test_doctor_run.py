"""`armorstack doctor` beside running processes, on bad disks and at the end of a pipe."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from armorstack import __version__
from armorstack.doctor.processes import Scene
from armorstack.doctor.web import check_web
from armorstack.state import ReceiverState, WorkerState
from tests.support.disks import fill, small_disk
from tests.support.doctor import Report, examine
from tests.support.frames import lines
from tests.support.relay_server import RelayServer
from tests.support.running import Running, running, until
from tests.support.spool_rows import now_us
from tests.support.tools import missing


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def wait_stored(run: Running, events: int) -> None:
    until(lambda: run.stored() >= events, f"{events} stored events")


def test_a_healthy_run_is_all_well(data: Path) -> None:
    with running("run", "--sample", data_dir=data) as run:
        wait_stored(run, 20)
        report = examine(data)
        for check in ("run", "receiver", "worker", "source", "http", "version"):
            report.expect(f"process.{check}", "ok")
        report.expect("store.sink", "ok", "is open")
        report.expect("source.any", "note", "sample")
        assert report.failed() == set()
        assert report.exit_code == 0
        assert run.stop() == 0
    report = examine(data)
    report.expect("process.worker", "note", "was stopped")
    report.expect("store.open", "ok")
    report.expect("spool.backlog", "ok")
    assert report.exit_code == 0


def test_a_relay_that_is_being_read_is_listened_to_without_taking_anything(data: Path) -> None:
    with RelayServer() as relay, running("run", "--relay", relay.address, data_dir=data) as run:
        until(lambda: (state := run.receiver()) and connected(state), "a connection")
        listening = threading.Thread(target=lambda: found.append(examine_relay(data, relay)))
        found: list[Report] = []
        listening.start()
        relay.wait_attached("alert", "log", "message", count=2)
        relay.number("log", 0, 50)
        listening.join()
        until(lambda: (state := run.receiver()) and state.received >= 50, "all frames")
    (report,) = found
    report.expect("relay.shared", "note", "serves each client by itself")
    report.expect("relay.logs", "ok", "50 logs")
    report.expect("process.source", "ok")


def connected(state: ReceiverState) -> bool:
    return bool(state.sources) and state.sources[0].connected


def examine_relay(data: Path, relay: RelayServer) -> Report:
    return examine(data, "--relay", relay.address, "--listen-for", "3s")


def test_a_source_that_the_receiver_cannot_reach_is_a_failure(data: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with running("run", "--relay", address, data_dir=data) as run:
            until(lambda: (s := run.receiver()) and s.sources and s.sources[0].error, "an error")
            until(run.worker, "a worker")
            report = examine(data)
    report.expect("process.source", "failure", "nothing listens", "32767")
    assert report.exit_code == 1


def test_a_run_that_was_killed_is_a_failure(data: Path) -> None:
    with running("run", "--sample", data_dir=data) as run:
        wait_stored(run, 1)
        family = run.family()
        for process in family:
            process.kill()
        psutil.wait_procs(family[1:], timeout=30)
        run.wait()
        until(lambda: examine(data).failed() >= {"process.receiver", "process.worker"}, "failures")
    report = examine(data)
    report.expect("process.worker", "failure", "crashed or was killed", "start armorstack")
    assert report.exit_code == 1


def test_a_worker_that_hangs_is_told_with_what_frees_it(data: Path) -> None:
    with running("run", "--sample", data_dir=data) as run:
        wait_stored(run, 1)
        worker = until(run.worker, "a worker").pid
        os.kill(worker, signal.SIGSTOP)
        until(lambda: "process.worker" in examine(data).failed(), "a failure")
        report = examine(data)
        os.kill(worker, signal.SIGCONT)
    report.expect("process.worker", "failure", "has not reported", f"kill {worker}")


@contextmanager
def metrics_server(version: str) -> Iterator[str]:
    """Answers every request with the metrics of an armorstack of this version."""
    body = f'armorstack_build_info{{version="{version}"}} 1.0\n'.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(head + body)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def scene(http: str) -> Scene:
    now = now_us()
    worker = WorkerState(pid=7, started_us=now, updated_us=now, phase="running", http=http)
    return Scene(now, None, worker, 0, 0, 0, 7)


def test_a_running_armorstack_of_another_version_is_told() -> None:
    with metrics_server("0.0.1\x1b[2J") as address:
        _, found = check_web(scene(address))
    assert (found.check, found.status) == ("process.version", "note")
    assert "0.0.1" in found.sentence
    assert __version__ in found.sentence
    with metrics_server(__version__) as address:
        assert [each.status for each in check_web(scene(address))] == ["ok", "ok"]


def test_a_worker_that_reports_and_does_not_answer_is_a_failure() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        (found,) = check_web(scene(f"127.0.0.1:{bound.getsockname()[1]}"))
    assert (found.check, found.status) == ("process.http", "failure")
    assert found.mend[0].startswith("kill 7")


def test_a_full_disk_is_told(data: Path) -> None:
    with small_disk(data, 4 * 1024 * 1024):
        fill(data)
        report = examine(data)
        report.expect("folder.space", "failure", "the disk is full", "df -h")
        report.expect("folder.writable", "failure", "No space left", "df -h")
        assert report.exit_code == 1


def test_a_disk_that_may_not_be_written_is_told(data: Path) -> None:
    with small_disk(data, 256 * 1024 * 1024):
        command = ["mount", "-o", "remount,ro", str(data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            missing(f"cannot mount read-only: {done.stderr.strip()}", "run as root")
        examine(data).expect("folder.writable", "failure", "Read-only", "findmnt")
        below = examine(data / "below")
        below.expect("folder.there", "failure", "cannot be made", "sudo install -d -m 700")
        assert below.exit_code == 1


def piped(data: Path, text: bytes) -> Report:
    command = [sys.executable, "-m", "armorstack", "doctor", "--json", "--listen-for", "2s"]
    command += ["--stdin", "--data-dir", str(data)]
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    assert done.stderr == b""
    return Report(done.stdout.decode(), done.returncode)


def test_events_on_standard_input_are_all_well(data: Path) -> None:
    events = lines("relay-stdout-real.jsonl")
    report = piped(data, b"\n".join(events))
    report.expect("stdin.lines", "ok", f"{len(events)} events")
    assert report.exit_code == 0


def test_a_pipe_that_carries_only_the_relays_own_log_is_a_failure(data: Path) -> None:
    report = piped(data, b"\n".join(lines("relay-stderr-own-log.jsonl")))
    report.expect("stdin.lines", "failure", "own log", "ENABLE_STDOUT_MSGS=true")
    assert report.exit_code == 1


def test_an_empty_pipe_is_told(data: Path) -> None:
    piped(data, b"").expect("stdin.lines", "warning", "nothing is piped in", "enableStdOutAlerts")


def test_lines_that_are_added_to_a_file_meanwhile_are_counted(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    event = lines("alerts-real.jsonl")[0] + b"\n"
    path.write_bytes(event)
    ended = threading.Event()

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            while not ended.wait(0.05):
                file.write(event)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        examine(data, "--file", str(path)).expect("file.growing", "ok", "were added")
    finally:
        ended.set()
        writer.join()
