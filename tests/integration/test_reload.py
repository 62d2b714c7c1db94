"""SIGHUP: the settings are read anew while events keep coming."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from armorstack.config import DuckdbSink
from armorstack.engines.duckdb.connection import FolderLock
from armorstack.engines.duckdb.store import Store
from tests.support.relay_server import RelayServer
from tests.support.reloading import (
    SPOOL,
    Load,
    Reloadable,
    descriptors,
    drop,
    file_source,
    relay_source,
    reloadable,
)
from tests.support.running import (
    Running,
    kill,
    living,
    running,
    stored_rows,
    synthetic_lines,
    until,
)

STORE_AS_USUAL = '[sink.duckdb]\ntype = "duckdb"\n'


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def relay() -> Iterator[RelayServer]:
    with RelayServer() as server:
        yield server


def growing(path: Path) -> Callable[[int, int], None]:
    """What adds numbered lines to this file, which now is there."""
    path.touch()

    def grow(first: int, last: int) -> None:
        with path.open("a") as file:
            file.write(synthetic_lines(first, last))

    return grow


def numbers(data_dir: Path) -> list[int]:
    """The numbers of all stored events, as often as they are stored."""
    resources = stored_rows(data_dir).column("resource").to_pylist()
    return sorted(int(resource.removeprefix("/etc/file-")) for resource in resources)


def counted(run: Running, what: str) -> int:
    """A count of the closing line."""
    found = re.search(rf"{what} (\d+)", run.output().splitlines()[-2])
    assert found, run.output()
    return int(found[1])


def pids(run: Running) -> tuple[int, int]:
    """Those of the receiver and the worker."""
    return until(run.receiver, "a receiver").pid, until(run.worker, "a worker").pid


def received(run: Running) -> int:
    state = run.receiver()
    return state.received if state else 0


def gaps(data_dir: Path) -> list[tuple[str, str, str]]:
    """Reason, source and detail of each gap that is stored."""
    store = Store.open(data_dir / "store", DuckdbSink(), lambda: time.time_ns() // 1000)
    told = [(gap.reason, gap.source, gap.detail) for gap in store.gaps(0, 2**62)]
    store.close()
    return told


def test_reload_under_load_loses_nothing_and_stores_nothing_twice(
    data_dir: Path, tmp_path: Path, relay: RelayServer
) -> None:
    """Five reloads, each with other filters; sinks and further sources come and go."""
    file = tmp_path / "events.jsonl"
    grow = growing(file)
    first, second = relay_source(relay), file_source(file)
    dropped = drop("ns-2")
    with RelayServer() as other, reloadable(first + dropped, data_dir) as it:
        relay.wait_attached("alert")
        with Load(relay) as load:
            until(lambda: it.run.stored() > 0, "stored events")
            process = pids(it.run)[0]
            told = [it.reload(first + dropped + drop("no-such-1"))]
            grow(1_000_000, 1_000_500)
            third = relay_source(other)
            told.append(it.reload(first + second + third + dropped))
            other.wait_attached("alert")
            with Load(other, 2_000_000) as more:
                until(lambda: len(more.numbers) > 500, "events of the other relay")
            more_sinks = STORE_AS_USUAL + f'[sink.copy]\npath = "{tmp_path / "copy/store"}"\n'
            told.append(it.reload(first + second + third + dropped + more_sinks))
            grow(1_000_500, 1_001_000)
            told.append(it.reload(first + drop("no-such-2") + dropped))
            grow(1_001_000, 1_001_500)
            told.append(it.reload(first + second + dropped))
            assert pids(it.run)[0] == process
        sent = [*load.numbers, *more.numbers, *range(1_000_000, 1_001_500)]
        until(lambda: received(it.run) >= len(sent), "everything sent")
        assert it.run.stop() == 0, it.run.output()
    assert told == [
        "settings reloaded: filters",
        "settings reloaded: sources, filters",
        "settings reloaded: sinks",
        "settings reloaded: sources, filters, sinks",
        "settings reloaded: sources, filters",
    ]
    assert numbers(data_dir) == sorted(number for number in sent if number % 3 != 2)
    assert (counted(it.run, "received"), counted(it.run, "duplicates")) == (len(sent), 0)
    assert "started again" not in it.run.output()
    assert gaps(data_dir) == []


WRONG = {
    "fliter = 1": "fliter",
    "[[source]": "armorstack.toml",
    '[[filter]]\ntype = "redact"\npatterns = ["("]': r"\$\.filter\[0\]\.patterns",
    '[[filter]]\ntype = "drop"\ntag = "no.such"': r"\$\.filter\[0\]\.tag",
    "max_bytes = 1": r"\$\.spool\.max_bytes: cannot change .*stop armorstack",
    '[[source]]\ntype = "stdin"': "type stdin: cannot change while",
    "a = " + 10_000 * "[": "armorstack.toml|recursion",
}
"""What is added to the settings, after those of the spool → what is said of it."""


def test_what_is_wrong_or_cannot_change_leaves_the_old_settings_running_and_says_why(
    data_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    grow = growing(file)
    settings = tmp_path / "armorstack.toml"
    with reloadable(file_source(file), data_dir) as it:
        before = pids(it.run)
        for text, reason in WRONG.items():
            settings.write_text(f"{SPOOL}{text}\n{file_source(file)}")
            it.hang_up()
            told = rf"settings not reloaded: .*({reason}).*; the old ones go on"
            assert re.fullmatch(told, it.answer()), text
        settings.unlink()
        it.hang_up()
        assert "armorstack.toml: cannot be read" in it.answer()
        grow(0, 10)
        until(lambda: it.run.stored() >= 10, "events")
        assert pids(it.run) == before
        assert it.reload(file_source(file) + drop("nothing")) == "settings reloaded: filters"
        assert it.run.stop() == 0


def test_flags_go_before_a_file_that_is_read_anew(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    growing(file)(0, 10)
    with reloadable("", data_dir, "--file", str(file)) as it:
        other = file_source(tmp_path / "other.jsonl") + '[web]\nlisten = "127.0.0.1:1"\n'
        assert it.reload(other) == "settings reloaded: nothing changed"


def test_a_worker_that_cannot_start_gives_way_to_one_with_the_old_settings(
    data_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    grow = growing(file)
    (tmp_path / "held").mkdir()
    held = FolderLock.take(tmp_path / "held")
    with reloadable(file_source(file), data_dir) as it:
        receiver, worker = pids(it.run)
        answer = it.reload(file_source(file) + f'[sink.duckdb]\npath = "{tmp_path / "held"}"\n')
        held.release()
        assert answer.startswith("settings not reloaded: the worker ended with exit code 1")
        grow(0, 10)
        until(lambda: it.run.stored() >= 10, "events")
        assert pids(it.run)[0] == receiver
        assert pids(it.run)[1] != worker
        # The next reload begins where this one went back to.
        assert it.reload(file_source(file)) == "settings reloaded: nothing changed"
        assert it.run.stop() == 0
    assert numbers(data_dir) == list(range(10))


def test_requests_wait_while_the_worker_is_started_anew(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    growing(file)
    with reloadable(file_source(file), data_dir) as it:
        url = f"{it.run.url()}/health"
        worker = pids(it.run)[1]
        (tmp_path / "armorstack.toml").write_text(SPOOL + file_source(file) + drop("nothing"))
        it.hang_up()
        statuses = set()
        while not it.answers():
            # A connection that is cut while the old worker ends is not refused: ask again.
            try:
                statuses.add(httpx.get(url, timeout=30, trust_env=False).status_code)
            except httpx.ConnectError:
                pytest.fail("the connection was refused")
            except httpx.HTTPError:
                continue
        assert statuses == {200}
        assert pids(it.run)[1] != worker


def strike_worker(it: Reloadable, worker: int) -> None:
    """Kill the new worker before it has said that it works."""
    until(lambda: not psutil.pid_exists(worker), "the old worker's end")
    new = until(lambda: psutil.Process(it.run.process.pid).children(), "children")
    for child in new:
        if "worker" in child.cmdline():
            kill(child.pid)


def strike_receiver(it: Reloadable, _: int) -> None:
    kill(until(it.run.receiver, "a receiver").pid)


def strike_old_worker(_: Reloadable, worker: int) -> None:
    kill(worker)


@pytest.mark.parametrize("strike", [strike_worker, strike_receiver, strike_old_worker])
def test_a_child_that_is_killed_during_a_reload_costs_nothing(
    data_dir: Path, tmp_path: Path, strike: Callable[[Reloadable, int], None]
) -> None:
    file, other = tmp_path / "events.jsonl", tmp_path / "other.jsonl"
    grow = growing(file)
    growing(other)(5000, 6000)
    grow(0, 1000)
    with reloadable(file_source(file), data_dir) as it:
        until(lambda: it.run.stored() >= 500, "events")
        worker = pids(it.run)[1]
        text = SPOOL + file_source(file) + file_source(other) + drop("nothing")
        (tmp_path / "armorstack.toml").write_text(text)
        it.hang_up()
        strike(it, worker)
        grow(1000, 2000)
        assert it.answer() == "settings reloaded: sources, filters"
        until(lambda: received(it.run) > 0 and it.run.stored() > 0, "both processes")
        assert it.run.stop() == 0, it.run.output()
    finished = SPOOL + file_source(file, "follow = false") + file_source(other, "follow = false")
    (tmp_path / "armorstack.toml").write_text(finished)
    words = ("run", "--config", str(tmp_path / "armorstack.toml"))
    with running(*words, data_dir=data_dir, name="second") as rest:
        assert rest.wait() == 0, rest.output()
    assert numbers(data_dir) == [*range(2000), *range(5000, 6000)]


def test_a_relay_whose_settings_change_owes_a_gap_and_the_others_keep_their_streams(
    data_dir: Path, relay: RelayServer
) -> None:
    with RelayServer() as other:
        text = relay_source(relay) + relay_source(other)
        with reloadable(text, data_dir) as it:
            relay.wait_attached("alert")
            other.wait_attached("alert")
            until(lambda: all(s.connected for s in it.run.receiver().sources), "connections")
            peers = relay.seen()["peers"]
            changed = relay_source(relay) + relay_source(other, 'cluster = "west"')
            assert it.reload(changed) == "settings reloaded: sources"
            until(lambda: (state := it.run.worker()) and state.gaps.get("disconnect"), "the gap")
            assert it.reload(relay_source(relay)) == "settings reloaded: sources"
            until(lambda: other.seen()["attached"]["alert"] == 0, "the other's end")
            assert relay.seen()["peers"] == peers
            line = f"relay/{other.address}: no longer read\n"
            until(lambda: line in it.run.output(), "the line")
            assert it.run.stop() == 0
        detail = "the settings of the source were changed"
        assert gaps(data_dir) == [("disconnect", f"relay/{other.address}", detail)]


def test_many_signals_at_once_are_one_reload_and_one_more(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    growing(file)
    with reloadable(file_source(file), data_dir) as it:
        (tmp_path / "armorstack.toml").write_text(SPOOL + file_source(file) + drop("nothing"))
        for _ in range(20):
            it.hang_up()
            time.sleep(0.01)
        assert it.answer() == "settings reloaded: filters"
        assert it.answer() == "settings reloaded: nothing changed"
        assert it.run.stop() == 0
    assert len(it.answers()) == 2


@pytest.mark.parametrize("pause_s", [0.0, 0.8, 1.6])
def test_a_signal_to_stop_ends_a_reload_wherever_it_is(
    data_dir: Path, tmp_path: Path, pause_s: float
) -> None:
    file = tmp_path / "events.jsonl"
    growing(file)(0, 1000)
    with reloadable(file_source(file), data_dir) as it:
        until(lambda: it.run.stored() >= 1000, "events")
        (tmp_path / "armorstack.toml").write_text(SPOOL + file_source(file) + drop("nothing"))
        it.hang_up()
        time.sleep(pause_s)
        family = it.run.family()
        assert it.run.stop() == 0, it.run.output()
        assert living(family) == []
    assert counted(it.run, "stored") == 1000
    assert numbers(data_dir) == list(range(1000))


def test_a_hang_up_that_everyone_hears_is_a_reload_where_no_terminal_is_lost(
    data_dir: Path, tmp_path: Path
) -> None:
    growing(tmp_path / "events.jsonl")
    with reloadable(file_source(tmp_path / "events.jsonl"), data_dir, own_group=True) as it:
        before = pids(it.run)
        os.killpg(it.run.process.pid, signal.SIGHUP)
        assert it.answer() == "settings reloaded: nothing changed"
        assert pids(it.run) == before


def test_under_nohup_it_is_ignored(data_dir: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with running("run", "--sample", data_dir=data_dir) as run:
            until(lambda: run.stored() > 0, "events")
            run.process.send_signal(signal.SIGHUP)
            stored = run.stored()
            until(lambda: run.stored() > stored + 20, "more events")
            assert run.stop() == 0
        assert "reloaded" not in run.output()
    finally:
        signal.signal(signal.SIGHUP, before)


ON_A_TERMINAL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "armorstack", *sys.argv[1:]])
"""


def test_it_ends_with_the_terminal_that_it_was_started_from(data_dir: Path, tmp_path: Path) -> None:
    growing(tmp_path / "events.jsonl")(0, 100)
    ours, theirs = os.openpty()
    words = ["run", "--file", str(tmp_path / "events.jsonl"), "--data-dir", str(data_dir)]
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", ON_A_TERMINAL, *words, "--listen", "127.0.0.1:0"],
            stdin=theirs, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    os.close(theirs)
    it = Reloadable(Running(process, data_dir, tmp_path / "out"), tmp_path / "none")
    until(lambda: it.run.stored() >= 100, "events")
    # While the terminal is there, the signal means what it means elsewhere.
    it.hang_up()
    assert it.answer() == "settings reloaded: nothing changed"
    family = it.run.family()
    os.close(ours)
    assert it.run.wait(10.0) == 0, it.run.output()
    assert living(family) == []
    assert len(numbers(data_dir)) == 100


def test_a_worker_by_itself_becomes_another_under_the_same_process_id(
    data_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    grow = growing(file)
    text = file_source(file)
    with (
        running("receiver", "--file", str(file), data_dir=data_dir, name="receiver") as receiver,
        reloadable(text, data_dir, command="worker") as it,
    ):
        grow(0, 10)
        until(lambda: it.run.stored() >= 10, "events")
        started = started_us(it)
        assert '"changed":"nothing changed"' in it.reload(text)
        assert "no such setting" in it.reload(text + "x = 1\n")
        assert started_us(it) == started
        opened = descriptors(it.run.process.pid)
        for number in range(2):
            before = started_us(it)
            answer = it.reload(text + drop(f"nothing-{number}"))
            assert '"changed":"filters"' in answer
            until(lambda before=before: started_us(it) > before, "the next one")
            until(lambda: it.run.worker().sinks[0].is_open, "its sink")
        assert descriptors(it.run.process.pid) <= opened
        grow(10, 20)
        until(lambda: it.run.stored() >= 10, "more events")
        assert it.run.stop() == 0, it.run.output()
        assert receiver.stop() == 0
    assert numbers(data_dir) == list(range(20))


def started_us(it: Reloadable) -> int:
    """When the process's present life began; its process id stays the same."""
    worker = until(it.run.worker, "a worker")
    assert worker.pid == it.run.process.pid
    return worker.started_us


def test_a_worker_by_itself_that_is_told_to_stop_does_not_begin_again(
    data_dir: Path, tmp_path: Path
) -> None:
    with reloadable("", data_dir, command="worker") as it:
        it.reload(drop("nothing"))
        assert it.run.stop() == 0, it.run.output()


def test_a_receiver_by_itself_changes_its_sources_while_it_runs(
    data_dir: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    growing(one)(0, 10)
    growing(two)(10, 20)
    with reloadable(file_source(one), data_dir, command="receiver") as it:
        until(lambda: received(it.run) == 10, "the first file")
        pid = it.run.process.pid
        assert "no such setting" in it.reload(file_source(one) + "x = 1\n")
        quiet = '[log]\nlevel = "warning"\n'
        assert '"changed":"sources, log.level"' in it.reload(file_source(two) + quiet)
        until(lambda: received(it.run) == 20, "the second file")
        state = it.run.receiver()
        assert [source.name for source in state.sources] == [f"file/{two}"]
        assert state.pid == pid
        assert it.run.stop() == 0
    assert "receiver ends" not in it.run.output(), "the new level has been taken"
