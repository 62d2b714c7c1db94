"""An OpenSearch with narrow limits: requests that are too large, and too many at once."""

import contextlib
import json
import secrets
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from armorstack.cli.main import cli
from armorstack.core.batch import Batch
from armorstack.errors import EngineError
from armorstack.sinks.elastic import ElasticSink
from tests.engines.test_faults import ALERT, alerts, collecting, ids, ids_or_none, settings_file
from tests.support.elastic_stores import prepared, settings_of
from tests.support.engines import Server, running
from tests.support.proxy import Harm, Proxy, proxy
from tests.support.running import until
from tests.support.stores import batch, id_of

MOST_BYTES = 128 * 1024
AT_ONCE = 6
"""Bulk requests that find room."""
PIECE = 10
"""Events of one of ours."""
NARROW = {
    "http.max_content_length": f"{MOST_BYTES}b",
    "thread_pool.write.size": 1, "thread_pool.write.queue_size": AT_ONCE - 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def narrow() -> Iterator[Server]:
    with running("opensearch", settings=NARROW) as server:
        yield server


def test_requests_that_are_too_large_are_halved_and_one_event_that_is_can_be_replayed(
    tmp_path: Path, narrow: Server, opensearch_server: Server
) -> None:
    prefix = f"large{secrets.token_hex(4)}"
    file = tmp_path / "alerts.jsonl"
    large = json.dumps(ALERT | {"HostPID": 999, "Data": "x" * (2 * MOST_BYTES)}).encode()
    file.write_bytes(alerts(300) + large + b"\n" + alerts(300, 300))
    with proxy(narrow.port) as between:
        settings = settings_file(tmp_path, narrow, prefix, urls=[between.url], compress=False)
        with collecting(tmp_path, file, settings) as run:
            until(lambda: run.stored() >= 600, "those that fit")
            until(lambda: (w := run.worker()) and sum(w.dead_letters.values()) == 1, "the letter")
            assert run.stop() == 0, run.output()
        assert between.statuses[413] > 1
    stored = ids(narrow, prefix)
    assert len(stored) == len(set(stored)) == 600
    # Where larger requests are taken, what was set aside is taken as well.
    settings = settings_file(tmp_path, opensearch_server, prefix)
    words = ("deadletters", "replay", "--data-dir", str(tmp_path / "data"), "--all")
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    with collecting(tmp_path, file, settings) as run:
        until(lambda: len(ids_or_none(opensearch_server, prefix)) == 1, "the replayed one")
        assert run.stop() == 0, run.output()
    assert not set(ids(opensearch_server, prefix)) & set(stored)


@contextmanager
def storm(server: Server) -> Iterator[None]:
    """So many bulk requests of somebody else that there is hardly any room for ours."""
    ended = threading.Event()
    lines = "".join('{"index":{"_index":"storm"}}\n{"a":1}\n' for _ in range(300))

    def hammer() -> None:
        while not ended.is_set():
            request = urllib.request.Request(
                f"{server.url}/_bulk", lines.encode(), {"Content-Type": "application/x-ndjson"}
            )
            with contextlib.suppress(OSError), urllib.request.urlopen(request) as answer:
                answer.read()

    threads = [threading.Thread(target=hammer) for _ in range(2 * AT_ONCE)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


class Writer:
    """Writes pieces through a sink as the worker does, but without waiting."""

    def __init__(self, sink: ElasticSink, between: Proxy) -> None:
        self.keys: list[int] = []
        self.rejected = 0
        self._sink, self._between = sink, between
        between.plan = lambda number, request: Harm(delay_s=0.1, rewrite=self._looked_at)

    def fresh(self, pieces: int) -> pa.RecordBatch:
        """The rows of so many pieces that were never written."""
        keys = range(len(self.keys), len(self.keys) + PIECE * pieces)
        self.keys += keys
        return batch(1, keys).rows

    def write(self, rows: pa.RecordBatch) -> int:
        """Write until all are taken; how many requests were under way at once."""
        self._between.most_at_once = 0
        while len(rows):
            with contextlib.suppress(EngineError):
                rows = rows.take(pa.array(self._sink.write(Batch(rows, (), 1)).retry, pa.int64()))
        return self._between.most_at_once

    def write_until_refused(self, times: int) -> pa.RecordBatch:
        """Write piece by piece until one was refused so often in a row; its rows."""
        rows, refused = self.fresh(1), 0
        while refused < times:
            try:
                self._sink.write(Batch(rows, (), 1))
                rows, refused = self.fresh(1), 0
            except EngineError:
                refused += 1
        return rows

    def _looked_at(self, answer: bytes) -> bytes:
        self.rejected += answer.count(b'"status":429')
        return answer


def test_a_storm_of_429_lowers_the_pace_which_comes_back_and_all_is_stored_once(
    tmp_path: Path, narrow: Server
) -> None:
    asked = replace(settings_of(narrow.url), batch_events=PIECE, concurrency=AT_ONCE)
    with proxy(narrow.port) as between, prepared(asked):
        sink = ElasticSink("es", replace(asked, urls=(between.url,)), tmp_path)
        writer = Writer(sink, between)
        assert writer.write(writer.fresh(60)) > AT_ONCE // 2
        assert writer.rejected == 0
        with storm(narrow):
            refused = writer.write_until_refused(times=3)
        assert writer.rejected >= 3 * PIECE
        rest = writer.fresh(1)
        assert writer.write(pa.concat_batches([refused, rest])) == 1
        assert writer.write(writer.fresh(60)) > AT_ONCE // 2
        sink.close()
        assert sorted(ids(narrow, asked.prefix)) == sorted(map(id_of, writer.keys))
