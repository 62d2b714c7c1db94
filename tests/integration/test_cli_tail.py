"""`armorstack tail`: every event once, in order, through restarts; and what is shown."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from armorstack.core.gap import Gap
from armorstack.core.query.parse import parse
from armorstack.core.query.question import Question
from armorstack.errors import AccessError, QueryStopped, StoreError
from armorstack.sample.replay import stamped
from armorstack.store.budget import Budget
from armorstack.store.event_json import SHOWN, columns_of
from armorstack.store.remote import Address, Link, Tail, Told
from tests.support.commands import in_terminal, objects, run, started
from tests.support.running import kill, running, until
from tests.support.stores import batch, open_store
from tests.support.web import Site, now_us, sample_events, serving

EVENT = sample_events(1)[0]
COLUMNS = columns_of(SHOWN)


def write(site: Site, first: int, last: int, **values: Any) -> None:
    """Events numbered by their process id, which is none below 1."""
    for number in range(first, last):
        told = EVENT[1] | {"HostPID": number + 1, "PodName": "numbered"} | values
        site.write([(EVENT[0], stamped(told, now_us()))])


def numbers(told: list[Told]) -> list[int]:
    return [each.row["host_pid"] - 1 for each in told if each.row is not None]


class Following:
    """A tail that is followed in a thread."""

    def __init__(self, tail: Tail, find: Callable[[], Link | None], *, patient: bool) -> None:
        self.told: list[Told] = []
        self._budget = Budget(60)
        self._arguments = (tail, find, patient)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Following":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._budget.cancel()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def numbers(self) -> list[int]:
        return numbers(self.told)

    def _run(self) -> None:
        tail, find, patient = self._arguments
        try:
            for told in tail.follow(find, self._rest, patient=patient, budget=self._budget):
                self.told.append(told)
        except QueryStopped:
            pass

    def _rest(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.2))
        self._budget.check()


def tail_of(query: str = "pod:numbered", count: int | None = 10) -> Tail:
    return Tail(Question(parse(query, now_us())), COLUMNS, count, now_us)


def link_to(site: Site, token: str = "") -> Link:
    return Link(Address(site.url, token or site.token))


@contextmanager
def following(
    tail: Tail, find: Callable[[], Link | None], *, patient: bool = False
) -> Iterator[Following]:
    with Following(tail, find, patient=patient) as found:
        yield found


def test_the_last_ones_come_first_then_what_arrives(tmp_path: Path) -> None:
    with serving(tmp_path, events=50) as site:
        write(site, 0, 20)
        with following(tail_of(count=5), lambda: link_to(site)) as seen:
            until(lambda: len(seen.numbers()) == 5, "the last ones")
            write(site, 20, 30)
            write(site, 500, 520, PodName="another")
            write(site, 30, 40)
            until(lambda: len(seen.numbers()) >= 25, "what arrived")
            assert seen.numbers() == list(range(15, 40))


def test_a_restart_of_the_server_neither_loses_nor_repeats(tmp_path: Path) -> None:
    sites: list[Site] = []
    with following(
        tail_of(count=None), lambda: link_to(sites[-1]) if sites else None, patient=True
    ) as seen:
        for start in range(0, 60, 20):
            with serving(tmp_path, events=0) as site:
                # What was stored before anybody could connect again.
                write(site, start, start + 10)
                sites.append(site)
                until(lambda: len(seen.numbers()) >= start + 10, "what came before")  # noqa: B023
                write(site, start + 10, start + 20)
                until(lambda: len(seen.numbers()) >= start + 20, "what came after")  # noqa: B023
                if start != 40:
                    site.store.flush()
        assert sorted(seen.numbers()) == list(range(60))
        assert seen.numbers() == list(range(60))
        assert any(each.kind == "away" for each in seen.told)


def test_nothing_that_arrives_while_the_tail_begins_is_lost(tmp_path: Path) -> None:
    """Events are written all the time, in the gap between the stream and the last ones too."""
    with serving(tmp_path, events=0) as site:
        writer = threading.Thread(target=write, args=(site, 0, 300))
        writer.start()
        until(lambda: site.store.status().accepted > 30, "some events")
        with following(tail_of(count=None), lambda: link_to(site)) as seen:
            writer.join()
            until(lambda: len(seen.numbers()) >= 300, "every event")
            assert sorted(seen.numbers()) == list(range(300))


def test_without_a_worker_the_tail_waits_for_one(tmp_path: Path) -> None:
    """What came to the store after the last ones were shown is told when one is there."""
    with closing(open_store(tmp_path / "store")) as store:
        store.write(batch(1, ["old"], at_us=now_us()))
    sites: list[Site] = []
    tail = tail_of(count=5)
    from armorstack.store.duckdb import PartsStore

    with PartsStore(tmp_path / "store") as parts:
        assert numbers(list(tail.last(parts))) == []
    with following(tail, lambda: link_to(sites[-1]) if sites else None, patient=True) as seen:
        until(lambda: any(each.kind == "away" for each in seen.told), "a word about waiting")
        with serving(tmp_path, events=0) as site:
            write(site, 0, 30)
            sites.append(site)
            until(lambda: len(seen.numbers()) == 30, "what came meanwhile")
            write(site, 30, 35)
            until(lambda: len(seen.numbers()) == 35, "what arrives")
        assert seen.numbers() == list(range(35))


def test_a_gap_is_told_once_among_the_events(tmp_path: Path) -> None:
    with serving(tmp_path, events=0) as site:
        write(site, 0, 1)
        gap = Gap("disconnect", "relay/a", now_us() - 10, now_us() + 10, lost=3)
        site.store.write(batch(20_000, gaps=[gap]))
        time.sleep(0.01)
        write(site, 1, 2)
        with following(tail_of(), lambda: link_to(site)) as seen:
            until(lambda: len(seen.numbers()) == 2, "both events")
            write(site, 2, 3)
            until(lambda: len(seen.numbers()) == 3, "one more")
            kinds = [each.kind for each in seen.told]
            assert kinds == ["event", "gap", "event", "event"]
            assert seen.told[1].gap == gap


def test_what_is_refused_is_raised_and_not_tried_again(tmp_path: Path) -> None:
    with serving(tmp_path, events=0) as site:
        for patient in (False, True):
            told = tail_of().follow(lambda: link_to(site, "x" * 50), pytest.fail, patient=patient)
            with pytest.raises(AccessError):
                next(iter(told))
    told = tail_of().follow(lambda: Link(Address("http://127.0.0.1:9")), pytest.fail, patient=False)
    with pytest.raises(StoreError, match="cannot be asked"):
        next(iter(told))


def test_no_follow_shows_the_last_ones_oldest_first(tmp_path: Path) -> None:
    with serving(tmp_path, events=100) as site:
        there = {"ARMORSTACK_URL": site.url, "ARMORSTACK_TOKEN": site.token}
        found = objects("tail", "--no-follow", **there)
        newest = objects("query", "-n", "10", "--since", "all", **there)
        assert [each for each in found if "id" in each] == newest[::-1]
        (gap,) = [each["gap"] for each in objects("tail", "--no-follow", "-n", "90", **there)
                  if "gap" in each]  # fmt: skip
        assert gap["reason"] == "disconnect"
        result = run("tail", "--no-follow", "-n", "90", **there)
        assert result.stderr.startswith("-- gap: disconnect, relay/sample, 20 min")
        assert len(result.stdout.splitlines()) == 90
        since = objects("tail", "--no-follow", "--since", "2h", **there)
        hours = objects("query", "-n", "1000", "--since", "2h", **there)
        assert len([each for each in since if "id" in each]) == pytest.approx(len(hours), abs=1)
        _, written = in_terminal(["tail", "--no-follow", "-n", "90"], 90, **there)
        assert b"-- gap: disconnect" in written
        assert b"\x1b[33m" in written
        assert written.split()[0].endswith(b"TIME")


def read_lines(process: "subprocess.Popen[str]", into: list[str]) -> threading.Thread:
    def read() -> None:
        assert process.stdout is not None
        into.extend(iter(process.stdout.readline, ""))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def test_a_tail_goes_on_when_the_worker_is_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    lines: list[str] = []
    with running("run", "--sample", "--rate", "100", "--plain", data_dir=data) as run_:
        until(lambda: run_.stored() > 50, "some stored events")
        process = started("tail", "--data-dir", str(data), "--json", "--since", "1h")
        thread = read_lines(process, lines)
        try:
            until(lambda: len(lines) > 100, "some lines")
            worker = run_.worker()
            assert worker is not None
            kill(worker.pid)
            until(lambda: (now := run_.worker()) and now.pid != worker.pid, "another worker")
            seen = len(lines)
            until(lambda: len(lines) > seen + 200, "more lines")
            assert run_.stop() == 0
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            thread.join(10)
        assert process.returncode == 130
        assert process.stderr is not None
        told = process.stderr.read()
        process.stderr.close()
        assert process.stdout is not None
        process.stdout.close()
    assert "Traceback" not in told
    assert "Aborted" not in told
    ids = [each["id"] for each in map(json.loads, lines) if "id" in each]
    assert len(ids) == len(set(ids)), "an event was told twice"
    last = json.loads(lines[-1])["time"]
    stored = objects("query", "--data-dir", str(data), "-n", "5000", "--since", "all",
                     f"time<{last[:22]}0Z")  # fmt: skip
    assert {each["id"] for each in stored} <= set(ids), "an event was not told"


def test_whoever_stops_reading_ends_the_tail(tmp_path: Path) -> None:
    with serving(tmp_path, events=0) as site:
        write(site, 0, 5)
        there = {"ARMORSTACK_URL": site.url, "ARMORSTACK_TOKEN": site.token}
        process = started("tail", "-n", "5", **there)
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        write(site, 5, 10)
        process.wait(30)
        assert process.stderr.read() == ""
        process.stderr.close()
