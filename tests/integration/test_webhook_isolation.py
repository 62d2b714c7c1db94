"""A webhook that misbehaves, in a whole run: no other sink notices."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from armorstack.cli.main import cli
from armorstack.state import SinkState
from tests.support.running import Running, running, synthetic_lines, until
from tests.support.webhook_server import OK, Answer, WebhookServer, answer, flood, hang

SETTINGS = """
[[source]]
type = "file"
path = "{folder}/events.jsonl"

[sink.duckdb]

[sink.lines]
type = "file"
path = "{folder}/lines.jsonl"

[sink.hook]
type = "webhook"
url = "{url}"
allowed_networks = ["127.0.0.0/8"]
per_minute = 1000
timeout_s = 0.5
max_lag_s = {max_lag_s}
"""
ELSEWHERE = answer(302, Location="http://169.254.169.254/latest/meta-data")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a run whose webhook is this server."""
    ending = []

    def run(server: WebhookServer, max_lag_s: float = 600) -> Running:
        settings = tmp_path / "armorstack.toml"
        settings.write_text(SETTINGS.format(folder=tmp_path, url=server.url, max_lag_s=max_lag_s))
        (tmp_path / "events.jsonl").write_text(synthetic_lines(0, 100))
        ending.append(running("run", "--config", str(settings), data_dir=tmp_path / "data"))
        return ending[-1].__enter__()

    yield run
    for each in ending:
        each.__exit__(None, None, None)


def sink(run: Running, name: str) -> SinkState:
    worker = run.worker()
    states = {state.name: state for state in worker.sinks} if worker else {}
    return states.get(name, SinkState(name=name))


def add(folder: Path, first: int, last: int) -> None:
    with (folder / "events.jsonl").open("a") as file:
        file.write(synthetic_lines(first, last))


@pytest.mark.parametrize(
    "behaviour", [hang, ELSEWHERE, answer(500)], ids=["hang", "redirect", "error"]
)
def test_while_a_webhook_fails_the_others_store_and_later_it_gets_everything(
    tmp_path: Path, start: Callable[..., Running], behaviour: Answer
) -> None:
    with closing(WebhookServer(behaviour)) as server:
        run = start(server)
        until(lambda: sink(run, "hook").waits_for, "the webhook's trouble")
        add(tmp_path, 100, 300)
        for name in ("duckdb", "lines"):
            until(lambda name=name: sink(run, name).stored == 300, f"300 events in {name}")
            assert sink(run, name).waits_for == ""
        assert "secret-path" not in run.output()
        assert server.requests == [] or server.requests[0][0].startswith("POST /hook/secret-path")
        server.script = [OK]
        until(lambda: sink(run, "hook").stored == 300, "the webhook's events")
        assert sum(event["count"] for m in server.messages() for event in m["events"]) >= 300
        assert run.stop() == 0


def test_an_answer_of_a_gigabyte_costs_nothing(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    with closing(WebhookServer(flood)) as server:
        run = start(server)
        until(lambda: sink(run, "hook").stored == 100, "the webhook's events")
        until(lambda: sink(run, "duckdb").stored == 100, "the store's events")
        assert server.flooded_mib < 64
        worker = run.worker()
        assert worker is not None
        assert worker.resident_bytes < 600_000_000
        assert run.stop() == 0


def test_what_a_webhook_misses_in_an_outage_beyond_its_lag_is_a_gap(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    with closing(WebhookServer(answer(500))) as server:
        run = start(server, max_lag_s=1.0)
        until(lambda: sink(run, "hook").passed_over == 100, "the events to be passed over")
        until(lambda: sink(run, "duckdb").stored == 100, "the store's events")
        server.script = [OK]
        add(tmp_path, 100, 110)
        until(lambda: sink(run, "hook").stored == 10, "the later events")
        gaps = [gap for message in server.messages() for gap in message.get("gaps", ())]
        assert [(gap["reason"], gap["lost"]) for gap in gaps] == [("sink_behind", 100)]
        until(lambda: (worker := run.worker()) and worker.gaps.get("sink_behind"), "the count")
        told = CliRunner().invoke(cli, ["gaps", "--data-dir", str(run.data_dir), "--json"])
        assert [
            (gap["reason"], gap["source"], gap["lost"]) for gap in json.loads(told.stdout)["gaps"]
        ] == [("sink_behind", "hook", 100)]
        assert run.stop() == 0


def test_a_stop_does_not_wait_for_a_webhook_that_hangs(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    with closing(WebhookServer(hang)) as server:
        run = start(server)
        until(lambda: server.connections > 0, "a connection")
        until(lambda: sink(run, "duckdb").stored == 100, "the store's events")
        assert run.stop() == 0
