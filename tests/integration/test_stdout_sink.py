"""The sink on the standard output: slow readers, gone readers, files, and `armorstack run`."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from armorstack.config import StdoutSink
from armorstack.core.gap import Gap
from armorstack.errors import EngineError
from armorstack.sinks import stdout as stdout_module
from armorstack.sinks.contract import Outcome
from armorstack.sinks.stdout import LineStdoutSink
from tests.support.stores import NOW_US, batch

GAP = Gap(reason="stop", source="relay/a", start_us=NOW_US, end_us=NOW_US + 1)
LONG = "x" * 3000
Make = Callable[..., LineStdoutSink]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def make(descriptor: int, **settings: Any) -> LineStdoutSink:
    settings = {"form": "kubearmor"} | settings
    sink = LineStdoutSink("out", StdoutSink(**settings), Path("unused"), descriptor)
    assert sink.open() is None
    return sink


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdout_module, "STALL_S", 0.01)
    monkeypatch.setattr(stdout_module, "LONGEST_S", 0.05)


def keys(data: bytes) -> list[str]:
    return [json.loads(line)["Resource"].rstrip("x") for line in data.splitlines()]


def drained(descriptor: int) -> bytes:
    """What lies in the pipe."""
    os.set_blocking(descriptor, False)
    data = b""
    try:
        while chunk := os.read(descriptor, 1 << 16):
            data += chunk
    except BlockingIOError:
        pass
    return data


def test_lines_go_to_the_output(pipe: tuple[int, int]) -> None:
    sink = make(pipe[1])
    assert sink.write(batch(1, "aba")) == Outcome(accepted=2, duplicates=1)
    assert keys(drained(pipe[0])) == ["a", "b"]
    assert sink.cursor() is None


def test_a_slow_reader_gets_every_line_once(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    sink = make(pipe[1])
    wanted = [f"{number}-{LONG}" for number in range(100)]
    left, data, accepted = wanted, b"", 0
    while left:
        with contextlib.suppress(EngineError):
            outcome = sink.write(batch(1, left))
            assert outcome.accepted + len(outcome.retry) == len(left)
            accepted += outcome.accepted
            left = [left[index] for index in outcome.retry]
        data += os.read(pipe[0], 5000)
    sink.flush()
    data += drained(pipe[0])
    assert accepted == 100
    assert keys(data) == [f"{number}-" for number in range(100)]


def test_the_end_of_a_line_goes_out_without_another_batch(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    sink = make(pipe[1])
    outcome = sink.write(batch(1, [f"{number}-{LONG}" for number in range(60)]))
    data = drained(pipe[0])
    assert not data.endswith(b"\n"), "the pipe's size must not end with a line"
    sink.tick()
    data += drained(pipe[0])
    assert keys(data) == [f"{number}-" for number in range(outcome.accepted)]


def test_gaps_go_out_once_though_their_batch_is_tried_again(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    sink = make(pipe[1], form="ecs")
    fill_pipe(pipe[1])
    with pytest.raises(EngineError):
        sink.write(batch(1, "a", gaps=[GAP]))
    drained(pipe[0])
    for _ in range(2):
        sink.write(batch(1, "a", gaps=[GAP]))
    events = [json.loads(line)["event"]["dataset"] for line in drained(pipe[0]).splitlines()]
    assert events == ["armorstack.gaps", "kubearmor.alerts"]


def fill_pipe(descriptor: int) -> None:
    os.set_blocking(descriptor, False)
    try:
        while os.write(descriptor, bytes(4096)):
            pass
    except BlockingIOError:
        os.set_blocking(descriptor, True)


@pytest.mark.parametrize("blocking", [False, True])
def test_a_reader_that_sleeps_holds_nobody_up_for_ever(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, blocking: bool
) -> None:
    impatient(monkeypatch)
    sink = make(pipe[1])
    fill_pipe(pipe[1])
    os.set_blocking(pipe[1], blocking)
    with pytest.raises(EngineError, match="nobody reads the standard output") as caught:
        sink.write(batch(1, "a"))
    assert caught.value.hint
    sink.close()


def test_a_reader_that_wakes_up_is_served(pipe: tuple[int, int]) -> None:
    sink = make(pipe[1])
    os.set_blocking(pipe[1], False)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.extend(iter(lambda: os.read(pipe[0], 999), b"")))
    reader.start()
    assert sink.write(batch(1, [f"{n}-{LONG}" for n in range(200)])) == Outcome(accepted=200)
    os.close(pipe[1])
    reader.join()
    assert keys(b"".join(read)) == [f"{number}-" for number in range(200)]


def test_an_output_that_takes_nothing_for_a_moment_is_tried_again(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, write, refusals = make(pipe[1]), os.write, [1, 2, 3]

    def reluctant(descriptor: int, data: bytes) -> int:
        if descriptor == pipe[1] and refusals:
            refusals.pop()
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", reluctant)
    assert sink.write(batch(1, "a")) == Outcome(accepted=1)
    assert keys(drained(pipe[0])) == ["a"]


def test_a_reader_that_has_ended_is_told_in_a_sentence(pipe: tuple[int, int]) -> None:
    sink = make(pipe[1])
    os.close(pipe[0])
    with pytest.raises(EngineError, match="has ended") as caught:
        sink.write(batch(1, "a"))
    assert "remove the sink" in caught.value.hint


def test_a_closed_output_is_refused(pipe: tuple[int, int]) -> None:
    os.close(pipe[1])
    with pytest.raises(EngineError, match="Bad file descriptor"):
        make(pipe[1])


def test_a_number_that_may_be_another_file_by_now_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "__stdout__", None)
    with pytest.raises(EngineError, match="is closed"):
        make(1)


def test_the_output_may_be_a_file(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        sink = make(file.fileno())
        sink.write(batch(1, map(str, range(1000))))
        sink.close()
        sink.close()
        file.write(b"still open\n")
    data = (tmp_path / "out").read_bytes()
    assert keys(data.removesuffix(b"still open\n")) == [str(number) for number in range(1000)]


SETTINGS = """
[web]
listen = "127.0.0.1:0"
[[source]]
type = "sample"
count = 50
rate = 500
[sink.out]
type = "stdout"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "armorstack.toml"
    file.write_text(SETTINGS)
    return file


def run(settings: Path, *flags: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "armorstack", "run", "--config", str(settings)]
    command += ["--data-dir", str(settings.parent / "data"), *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("flags", [[], ["--quiet"]])
def test_a_run_with_this_sink_says_all_else_on_standard_error(
    settings: Path, flags: list[str]
) -> None:
    with run(settings, *flags) as process:
        out, err = process.communicate(timeout=50)
    assert process.returncode == 0, err.decode()
    documents = [json.loads(line) for line in out.splitlines()]
    assert len(documents) == 50
    assert {document["event"]["module"] for document in documents} == {"kubearmor"}
    assert b"received 50, stored 50" in err


def test_a_run_outlives_its_reader(settings: Path) -> None:
    settings.write_text(SETTINGS.replace("count = 50\n", ""))
    with run(settings) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert any(b"has ended" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    assert process.returncode == 0
