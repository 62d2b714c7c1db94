"""What `sinks/contract.py` promises, kept by every sink of the registry.

A new sink needs one entry in `CASES`: its settings, how a test reads back what it holds, and which
of the contract's alternatives it promises; each test then asks for just that.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from armorstack import config
from armorstack.core.gap import Gap
from armorstack.sinks import SINKS, make_sink
from armorstack.sinks.contract import Outcome, Sink
from armorstack.sinks.duckdb import StoreSink
from armorstack.sinks.file import LineFileSink
from armorstack.sinks.stdout import LineStdoutSink
from tests.support.bulk_server import BulkServer
from tests.support.stores import DAY_US, NOW_US, batch, stored
from tests.support.webhook_server import WebhookServer

GAP = Gap(reason="stop", source="relay/a", start_us=NOW_US, end_us=NOW_US + 1, lost=3)


class Case(Struct, frozen=True):
    """One kind of sink."""

    settings: Callable[[Path], Any]
    """Its settings, for a sink that keeps what it has in this folder."""
    held: Callable[[Sink], list[str]]
    """The keys of the events that an open sink holds, sorted."""
    keeps_cursor: bool
    """Whether it has a durable cursor, so that a crash doubles nothing."""
    asks_its_store: bool
    """Whether it knows all events that it has, or only those it took lately, while it is open."""
    make: Callable[[str, Any, Path], Sink] = make_sink


def held_in_store(sink: Sink) -> list[str]:
    assert isinstance(sink, StoreSink)
    return stored(sink.store)


def held_in_file(sink: Sink) -> list[str]:
    assert isinstance(sink, LineFileSink)
    return keys_of(sink.path.read_bytes())


def make_stdout(name: str, settings: config.StdoutSink, folder: Path) -> Sink:
    """A sink whose standard output is a file of the folder."""
    folder.mkdir(exist_ok=True)
    output = os.open(folder / "stdout.ndjson", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    return LineStdoutSink(name, settings, folder, output)


def held_on_stdout(sink: Sink) -> list[str]:
    assert isinstance(sink, LineStdoutSink)
    return keys_of(os.pread(sink.descriptor, 1 << 20, 0))


SERVERS: dict[Sink, WebhookServer] = {}
"""The server that a webhook posts to; one whose folder is a copy posts to the same."""


def make_webhook(name: str, settings: config.WebhookSink, folder: Path) -> Sink:
    """A sink that posts to a server of its own, whose URL lies in the folder."""
    sink, url_file = make_sink(name, settings, folder), Path(settings.url_file)
    known = {server.url: server for server in SERVERS.values()}
    if url_file.exists():
        SERVERS[sink] = known[url_file.read_text()]
    else:
        SERVERS[sink] = WebhookServer()
        folder.mkdir(exist_ok=True)
        url_file.write_text(SERVERS[sink].url)
    return sink


def received_by_server(sink: Sink) -> list[str]:
    return SERVERS[sink].resources()


CLUSTERS: dict[Sink, BulkServer] = {}
"""The cluster that a sink writes into; one whose folder is a copy writes into the same."""


def make_elastic(name: str, settings: config.ElasticSink, folder: Path) -> Sink:
    """A sink over a cluster of its own, whose URL lies in the folder."""
    url_file = folder / "url"
    known = {server.url: server for server in CLUSTERS.values()}
    if url_file.exists():
        server = known[url_file.read_text()]
    else:
        server = BulkServer()
        folder.mkdir(exist_ok=True)
        url_file.write_text(server.url)
    sink = make_sink(name, replace(settings, urls=(server.url,)), folder)
    CLUSTERS[sink] = server
    return sink


def held_in_cluster(sink: Sink) -> list[str]:
    documents = CLUSTERS[sink].events()
    return keys_of(b"\n".join(json.dumps(each).encode() for each in documents))


def keys_of(lines: bytes) -> list[str]:
    """The keys of the events in lines of ECS; one without a key has its id."""
    documents = [json.loads(line) for line in lines.splitlines()]
    events = [each for each in documents if each["event"]["module"] == "kubearmor"]
    return sorted(_key_of(each) for each in events)


def _key_of(document: dict[str, Any]) -> str:
    ours = document.get("kubearmor", {})
    # An engine's documents do not say their id; there every event of a test has a key.
    return str(ours["resource"] if "resource" in ours else document["event"]["id"])


CASES: dict[type[Any], Case] = {
    config.DuckdbSink: Case(
        lambda _: config.DuckdbSink(max_age_days=0.0), held_in_store,
        keeps_cursor=True, asks_its_store=True,
    ),
    config.ElasticSink: Case(
        lambda _: config.ElasticSink(setup=False, max_age_days=0.0, timeout_s=20.0),
        held_in_cluster, keeps_cursor=False, asks_its_store=True, make=make_elastic,
    ),
    config.FileSink: Case(
        lambda folder: config.FileSink(path=str(folder / "events.ndjson"), sync_interval_s=1e6),
        held_in_file, keeps_cursor=True, asks_its_store=False,
    ),
    config.StdoutSink: Case(
        lambda _: config.StdoutSink(), held_on_stdout,
        keeps_cursor=False, asks_its_store=False, make=make_stdout,
    ),
    config.WebhookSink: Case(
        lambda folder: config.WebhookSink(
            url_file=str(folder / "url"), allowed_networks=("127.0.0.0/8",), timeout_s=20.0
        ),
        received_by_server, keeps_cursor=False, asks_its_store=False, make=make_webhook,
    ),
}  # fmt: skip


class Bench:
    """Sinks of one kind over one place, and what they hold."""

    def __init__(self, kind: type[Any], folder: Path) -> None:
        self.case = CASES[kind]
        self.folder = folder
        self.opened: list[Sink] = []

    def make(self, folder: Path | None = None) -> Sink:
        folder = folder or self.folder
        sink = self.case.make("under-test", self.case.settings(folder), folder)
        self.opened.append(sink)
        return sink

    def open(self, folder: Path | None = None) -> Sink:
        sink = self.make(folder)
        sink.open()
        return sink

    def held(self, sink: Sink) -> list[str]:
        return self.case.held(sink)


@pytest.fixture(params=SINKS, ids=lambda kind: str(kind.__name__))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(request.param, tmp_path / "data")
    yield bench
    for sink in bench.opened:
        sink.close()
        if isinstance(sink, LineStdoutSink):
            os.close(sink.descriptor)
        if server := SERVERS.pop(sink, None):
            server.close()
    for cluster in {CLUSTERS.pop(sink) for sink in bench.opened if sink in CLUSTERS}:
        cluster.close()


def test_every_sink_of_the_registry_is_under_contract() -> None:
    assert CASES.keys() == SINKS.keys()


def test_a_sink_says_its_name_and_whether_it_is_required(bench: Bench) -> None:
    sink = bench.make()
    required = bench.case.settings(bench.folder).required
    assert (sink.name, sink.required) == ("under-test", required)


def test_every_row_has_one_fate(bench: Bench) -> None:
    sink = bench.open()
    for last, keys in enumerate(["abc", "", "cd", "dd", "xyx"], start=1):
        outcome = sink.write(batch(last, keys))
        fates = outcome.accepted + outcome.duplicates + outcome.left_out
        fates += len(outcome.retry) + len(outcome.rejected)
        assert fates == len(keys)


def test_what_was_accepted_can_be_read_back_when_write_returns(bench: Bench) -> None:
    sink = bench.open()
    assert sink.write(batch(1, "ab")) == Outcome(accepted=2)
    assert bench.held(sink) == ["a", "b"]


def test_the_same_events_twice_are_duplicates_and_stored_once(bench: Bench) -> None:
    sink = bench.open()
    sink.write(batch(1, "ab"))
    assert sink.write(batch(1, "ab")) == Outcome(duplicates=2)
    assert sink.write(batch(2, "bcc")) == Outcome(accepted=1, duplicates=2)
    sink.flush()
    assert sink.write(batch(3, "abcd")) == Outcome(accepted=1, duplicates=3)
    assert bench.held(sink) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("days", [-400, -1, 0, 1, 400])
def test_events_of_any_date_are_stored_once(bench: Bench, days: int) -> None:
    sink = bench.open()
    for last in (1, 2):
        sink.write(batch(last, "ab", at_us=NOW_US + days * DAY_US))
        sink.flush()
    assert bench.held(sink) == ["a", "b"]


def test_events_without_any_value_but_their_own_columns_are_stored(bench: Bench) -> None:
    sink = bench.open()
    assert sink.write(batch(1, "a", stream=None, resource=None)).accepted == 1


def test_gaps_may_come_twice_and_without_events(bench: Bench) -> None:
    sink = bench.open()
    for last in (1, 2):
        assert sink.write(batch(last, gaps=[GAP, GAP])) == Outcome()
    sink.flush()
    assert bench.held(sink) == []


def test_flush_makes_durable_all_that_was_taken(bench: Bench) -> None:
    sink = bench.open()
    sink.write(batch(5, "a"))
    sink.flush()
    assert sink.cursor() == (5 if bench.case.keeps_cursor else None)


def test_close_makes_durable_all_that_was_taken(bench: Bench) -> None:
    sink = bench.open()
    sink.write(batch(5, "ab"))
    sink.close()
    again = bench.make()
    cursor = 5 if bench.case.keeps_cursor else None
    assert again.open() == cursor
    assert again.cursor() == cursor
    assert bench.held(again) == ["a", "b"]


def test_events_of_an_earlier_opening_are_known_where_that_is_promised(bench: Bench) -> None:
    sink = bench.open()
    sink.write(batch(1, "ab"))
    sink.close()
    again = bench.open()
    outcome = again.write(batch(2, "abc"))
    if bench.case.asks_its_store:
        assert outcome == Outcome(accepted=1, duplicates=2)
        assert bench.held(again) == ["a", "b", "c"]
    else:
        assert outcome == Outcome(accepted=3)


def test_a_sink_that_is_opened_again_goes_on(bench: Bench) -> None:
    sink = bench.open()
    sink.write(batch(1, "a"))
    sink.close()
    sink = bench.open()
    sink.write(batch(2, "b"))
    assert bench.held(sink) == ["a", "b"]


def test_close_may_come_twice_or_without_open(bench: Bench) -> None:
    bench.make().close()
    sink = bench.open()
    sink.close()
    sink.close()


def test_a_crash_loses_nothing_up_to_the_cursor(bench: Bench, tmp_path: Path) -> None:
    sink = bench.open()
    for last in range(1, 8):
        sink.write(batch(last, [f"{last}-{key}" for key in range(3)]))
        if last % 3 == 0:
            sink.flush()
        copy = tmp_path / f"crashed-{last}"
        shutil.copytree(bench.folder, copy)
        after = bench.make(copy)
        cursor = after.open()
        assert (cursor is not None) == bench.case.keeps_cursor
        if cursor is not None:
            durable = {f"{n}-{key}" for n in range(1, cursor + 1) for key in range(3)}
            assert durable <= set(bench.held(after))
            replayed(after, cursor, last)
        assert set(Counter(bench.held(after)).values()) == {1}
        assert len(bench.held(after)) == 3 * last
        after.close()


def replayed(sink: Sink, cursor: int, last: int) -> None:
    """What the worker does after a crash: write again what lies after the cursor."""
    for number in range(cursor + 1, last + 1):
        sink.write(batch(number, [f"{number}-{key}" for key in range(3)]))


def test_positions_of_another_spool_are_durable_only_after_they_were_flushed(bench: Bench) -> None:
    """A spool that was replaced may count from lower down."""
    sink = bench.open()
    sink.write(batch(9, "a"))
    sink.flush()
    sink.write(batch(4, "b"))
    assert (sink.cursor() or 0) < 4
    sink.flush()
    cursor = 4 if bench.case.keeps_cursor else None
    assert sink.cursor() == cursor
    sink.close()
    again = bench.make()
    assert again.open() == cursor
    assert bench.held(again) == ["a", "b"]


def test_ticks_are_harmless_at_any_time(bench: Bench) -> None:
    sink = bench.open()
    for last in range(1, 4):
        sink.tick()
        sink.write(batch(last, [last]))
        sink.tick()
    assert bench.held(sink) == ["1", "2", "3"]


def test_removed_events_are_counted_by_reason_whether_open_or_not(bench: Bench) -> None:
    sink = bench.make()
    assert sum(sink.removed().values()) == 0
    sink.open()
    assert sum(sink.removed().values()) == 0
