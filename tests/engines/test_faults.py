"""Engines that fail, under load: nothing is lost, nothing is doubled."""

import base64
import contextlib
import itertools
import json
import random
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import Server, running
from tests.support.running import Running, until
from tests.support.running import running as armorstack
from tests.support.strikes import check, survive
from tests.support.strikes import strike as strike_ours

ALERT = {
    "Timestamp": 1_795_443_000, "UpdatedTime": "2026-11-23T14:10:00.000000Z", "ClusterName": "c",
    "HostName": "node-1", "Type": "MatchedPolicy", "Operation": "Process", "Action": "Block",
    "PolicyName": "no-shell", "Severity": "7", "Result": "Permission denied",
}  # fmt: skip


def settings_file(folder: Path, server: Server, prefix: str, **more: Any) -> Path:
    """Settings whose only sink is this engine."""
    told = {"type": "elastic", "urls": [server.url], "prefix": prefix, "replicas": 0} | more
    told = {"max_age_days": 0.0, "timeout_s": 5.0, "period": "month"} | told
    lines = (f"{name} = {json.dumps(value)}" for name, value in told.items())
    file = folder / f"{prefix}.toml"
    file.write_text("[sink.engine]\n" + "\n".join(lines) + "\n")
    return file


def ids(server: Server, prefix: str) -> list[bytes]:
    """The `_id` of every event."""
    server.ask("POST", f"/{prefix}-*/_refresh")
    query = {"bool": {"must_not": {"term": {"event.dataset": "armorstack.gaps"}}}}
    body = {"size": 5000, "_source": False, "sort": ["_doc"], "query": query}
    answer = server.ask("POST", f"/{prefix}-*/_search?scroll=1m", body)
    found: list[bytes] = []
    while hits := answer["hits"]["hits"]:
        found += (base64.b64decode(hit["_id"]) for hit in hits)
        more = {"scroll": "1m", "scroll_id": answer["_scroll_id"]}
        answer = server.ask("POST", "/_search/scroll", more)
    server.ask("DELETE", "/_search/scroll", {"scroll_id": [answer["_scroll_id"]]})
    return found


def alerts(count: int, first: int = 0) -> bytes:
    """Lines of alerts that differ, in one second."""
    lines = (
        json.dumps(ALERT | {"HostPID": n, "Resource": f"/bin/{n}"})
        for n in range(first, first + count)
    )
    return "".join(f"{line}\n" for line in lines).encode()


@contextlib.contextmanager
def collecting(
    folder: Path, file: Path, settings: Path, name: str = "data"
) -> Iterator[Running]:  # fmt: skip
    """armorstack over a file of lines that is followed."""
    words = ("run", "--file", str(file), "--config", str(settings))
    with armorstack(*words, data_dir=folder / name) as run:
        yield run


def waits_for(run: Running) -> str:
    worker = run.worker()
    return " ".join(sink.waits_for for sink in worker.sinks) if worker else ""


@pytest.fixture(scope="module")
def breakable() -> Iterator[Server]:
    """An OpenSearch for the tests of this file."""
    with running("opensearch") as server:
        yield server


@pytest.fixture
def own(breakable: Server) -> Iterator[Server]:
    """The same, which a test may break; it is whole again afterwards, and empty."""
    yield breakable
    with contextlib.suppress(ProcessLookupError):
        breakable.thaw()
    try:
        breakable.ask("GET", "/_cluster/health")
    except OSError:
        breakable.restart()
    limit = {"cluster.max_shards_per_node": None}
    breakable.ask("PUT", "/_cluster/settings", {"persistent": limit})
    breakable.ask("DELETE", "/*")


def test_kills_of_engine_worker_and_receiver_lose_nothing_and_double_nothing(
    tmp_path: Path, own: Server
) -> None:
    seed = secrets.randbelow(1 << 32)
    print(f"seed {seed}")
    settings = settings_file(tmp_path, own, "kills", timeout_s=20.0)

    turns = itertools.cycle((False, True, True))

    def hit(run: Running, chance: random.Random) -> None:
        if next(turns):
            strike_ours(run, chance)
        else:
            time.sleep(chance.uniform(0.0, 0.8))
            own.restart()

    check(*survive(
        tmp_path / "data", 5, seed, words=("--config", str(settings)), hit=hit,
        held=lambda folder: ids(own, "kills"), rate=500,
    ))  # fmt: skip


def test_an_engine_that_stalls_is_waited_for(tmp_path: Path, own: Server) -> None:
    settings = settings_file(tmp_path, own, "stall", timeout_s=1.0)
    file = tmp_path / "alerts.jsonl"
    file.write_bytes(alerts(500))
    with collecting(tmp_path, file, settings) as run:
        until(lambda: run.stored() >= 500, "the first events")
        own.freeze()
        with file.open("ab") as lines:
            lines.write(alerts(500, 500))
        until(
            lambda: "does not answer in time" in waits_for(run), "the sink to say what it waits for"
        )
        own.thaw()
        until(lambda: run.stored() >= 1000, "the rest")
        assert run.stop() == 0, run.output()
    assert len(ids(own, "stall")) == 1000


def test_a_stop_does_not_wait_for_an_engine_that_stalls(tmp_path: Path, own: Server) -> None:
    settings = settings_file(tmp_path, own, "stop", timeout_s=120.0)
    file = tmp_path / "alerts.jsonl"
    file.write_bytes(alerts(500))
    with collecting(tmp_path, file, settings) as run:
        until(lambda: run.stored() >= 500, "the first events")
        own.freeze()
        with file.open("ab") as lines:
            lines.write(alerts(500, 500))
        until(lambda: (w := run.worker()) and w.sinks[0].lag_s > 1.0, "a write that waits")
        assert run.stop() == 0, run.output()
    own.thaw()
    with collecting(tmp_path, file, settings) as run:
        until(lambda: len(ids(own, "stop")) == 1000, "the rest")
        assert run.stop() == 0, run.output()


def test_an_index_that_is_blocked_as_on_a_full_disk_holds_everything_back(
    tmp_path: Path, own: Server
) -> None:
    settings = settings_file(tmp_path, own, "block")
    file = tmp_path / "alerts.jsonl"
    file.write_bytes(alerts(100))
    with collecting(tmp_path, file, settings) as run:
        until(lambda: run.stored() >= 100, "the first events")
        # What the engine itself sets beyond its flood-stage watermark.
        block = "index.blocks.read_only_allow_delete"
        own.ask("PUT", "/block-*/_settings", {block: True})
        with file.open("ab") as lines:
            lines.write(alerts(100, 100))
        told = until(lambda: "cluster_block" in waits_for(run) and waits_for(run), "the block")
        assert "index [block-alerts-2026.11] blocked by" in told
        time.sleep(1.0)
        worker = until(run.worker, "a worker")
        assert sum(worker.dead_letters.values()) == 0
        own.ask("PUT", "/block-*/_settings", {block: None})
        until(lambda: run.stored() >= 200, "the rest")
        assert run.stop() == 0, run.output()
    assert len(ids(own, "block")) == 200


def test_a_cluster_without_a_shard_left_holds_everything_back(tmp_path: Path, own: Server) -> None:
    settings = settings_file(tmp_path, own, "shards")
    file = tmp_path / "alerts.jsonl"
    file.write_bytes(alerts(100))
    limit = "cluster.max_shards_per_node"
    own.ask("PUT", "/_cluster/settings", {"persistent": {limit: 1}})
    own.ask("PUT", "/taken", {"settings": {"number_of_replicas": 0}})
    with collecting(tmp_path, file, settings) as run:
        until(lambda: "shards" in waits_for(run), "the limit to be told")
        assert run.stored() == 0
        own.ask("PUT", "/_cluster/settings", {"persistent": {limit: None}})
        until(lambda: run.stored() >= 100, "the events")
        worker = until(run.worker, "a worker")
        assert sum(worker.dead_letters.values()) == 0
        assert run.stop() == 0, run.output()
    assert len(ids(own, "shards")) == 100


def test_a_mapping_that_conflicts_makes_dead_letters_that_can_be_replayed(
    tmp_path: Path, own: Server
) -> None:
    from click.testing import CliRunner

    from armorstack.cli.main import cli

    settings = settings_file(tmp_path, own, "conflict", setup=False)
    # Somebody made the index by hand.
    wrong = {"mappings": {"properties": {"rule": {"properties": {"name": {"type": "integer"}}}}}}
    own.ask("PUT", "/conflict-alerts-2026.11", wrong)
    file = tmp_path / "alerts.jsonl"
    good = json.dumps(ALERT | {"PolicyName": "7", "HostPID": 9})
    file.write_bytes(alerts(5) + good.encode() + b"\n")
    with collecting(tmp_path, file, settings) as run:
        until(lambda: run.stored() >= 1, "the one that fits")
        until(lambda: (w := run.worker()) and sum(w.dead_letters.values()) == 5, "dead letters")
        assert run.stop() == 0, run.output()
        own.ask("DELETE", "/conflict-alerts-2026.11")
    words = ("deadletters", "replay", "--data-dir", str(tmp_path / "data"), "--all")
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    with collecting(tmp_path, file, settings) as run:
        until(lambda: len(ids_or_none(own, "conflict")) == 5, "the replayed ones")
        assert run.stop() == 0, run.output()


def ids_or_none(server: Server, prefix: str) -> list[bytes]:
    """The same while there may be no index, and without our mappings."""
    with contextlib.suppress(OSError):
        server.ask("POST", f"/{prefix}-*/_refresh")
        hits = server.ask("POST", f"/{prefix}-*/_search", {"size": 1000})["hits"]["hits"]
        return [base64.b64decode(hit["_id"]) for hit in hits]
    return []


def test_two_collectors_and_a_file_that_is_read_twice_store_each_event_once(
    tmp_path: Path, server: Server
) -> None:
    prefix = f"once{secrets.token_hex(4)}"
    settings = settings_file(tmp_path, server, prefix)
    file, other = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    file.write_bytes(alerts(2000) + alerts(2000))
    other.write_bytes(alerts(3000))
    with (
        collecting(tmp_path, file, settings, "first") as first,
        collecting(tmp_path, other, settings, "second") as second,
    ):
        until(lambda: first.stored() >= 4000 and second.stored() >= 3000, "both")
        assert first.stop() == second.stop() == 0
    found = ids(server, prefix)
    assert len(found) == len(set(found)) == 3000


def test_a_day_s_backlog_is_drained_oldest_first(tmp_path: Path, own: Server) -> None:
    settings = settings_file(tmp_path, own, "backlog", batch_events=100, concurrency=1)
    file = tmp_path / "alerts.jsonl"
    file.write_bytes(alerts(1000))
    own.kill()
    with collecting(tmp_path, file, settings) as run:
        until(lambda: (r := run.receiver()) and r.spool.rows, "the spool to fill")
        time.sleep(1.0)
        assert run.stored() == 0
        own.start()
        seen: list[int] = []
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.05):
                seen.append(len(ids_or_none(own, "backlog")))

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            until(lambda: run.stored() >= 1000, "the backlog", 120)
        finally:
            ended.set()
            watching.join()
        assert run.stop() == 0, run.output()
    assert seen == sorted(seen)
    assert len(ids(own, "backlog")) == 1000
