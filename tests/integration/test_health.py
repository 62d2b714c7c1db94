"""What the worker answers over HTTP."""

import re
import signal
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.running import Running, running, synthetic_lines, until

PREFIX = "armorstack_"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def get(run: Running, path: str, **headers: str) -> httpx.Response:
    return httpx.get(run.url() + path, headers=headers, timeout=10, trust_env=False)


def metrics(run: Running) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name.removeprefix(PREFIX), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(get(run, "/metrics").text)
        for sample in family.samples
    }


def test_metrics_agree_with_what_was_sent(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(synthetic_lines(0, 300) + synthetic_lines(0, 100) + '{"Timestamp": tru\n')
    with running("run", "--file", str(file), data_dir=data_dir) as run:
        until(lambda: run.stored() >= 400, "all events")
        until(lambda: (state := run.receiver()) and state.received >= 401, "the report")
        found = metrics(run)
        health = get(run, "/health").json()
        assert run.stop() == 0
    sink = (("sink", "duckdb"),)
    assert found["received_frames_total", ()] == 401
    assert found["received_bytes_total", ()] == len(file.read_text()) - 401
    assert found["sink_stored_events_total", sink] == 300
    assert found["sink_duplicate_events_total", sink] == 100
    assert found["dead_letters_total", (("error_type", "malformed_json"),)] == 1
    assert found["source_connected", (("kind", "file"), ("source", f"file/{file}"))] == 1
    events = {labels: count for (name, labels), count in found.items() if name == "events_total"}
    assert sum(events.values()) == 400
    assert {dict(labels)["namespace"] for labels in events} == {"ns-0", "ns-1", "ns-2"}
    assert {dict(labels)["action"] for labels in events} == {"Block"}
    assert health["status"] == "ok"
    assert health["reasons"] == []
    assert health["worker"]["sinks"][0]["stored"] == 300


def test_the_number_of_series_is_bounded(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    lines = synthetic_lines(0, 200).splitlines()
    file.write_text(
        "\n".join(re.sub("ns-[0-9]", f"ns-{i}", line) for i, line in enumerate(lines)) + "\n"
    )
    environ = {"ARMORSTACK_WEB_SERIES_LIMIT": "10"}
    with running("run", "--file", str(file), data_dir=data_dir, environ=environ) as run:
        until(lambda: run.stored() >= 200, "all events")
        found = metrics(run)
        assert run.stop() == 0
    events = {labels: count for (name, labels), count in found.items() if name == "events_total"}
    assert len(events) == 11
    assert sum(events.values()) == 200
    other = [count for labels, count in events.items() if ("namespace", "other") in labels]
    assert other == [190]


def test_a_worker_without_a_spool_lives_but_is_not_ready(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(synthetic_lines(0, 5))
    with running("worker", data_dir=data_dir) as worker:
        ready = get(worker, "/ready")
        assert ready.status_code == 503
        assert "spool" in ready.text
        health = get(worker, "/health")
        assert health.status_code == 200
        assert health.json()["reasons"][0] == "the receiver has not reported yet"
        words = ("receiver", "--file", str(file))
        with running(*words, data_dir=data_dir, name="receiver") as receiver:
            until(lambda: get(worker, "/ready").status_code == 200, "readiness")
            until(lambda: get(worker, "/health").json()["status"] == "ok", "health")
            assert receiver.stop() == 0
        until(lambda: "the receiver was stopped" in get(worker, "/health").text, "the reason")
        assert worker.stop() == 0


def test_a_relay_that_cannot_be_reached_is_told(data_dir: Path) -> None:
    with running("run", "--relay", "127.0.0.1:1", data_dir=data_dir) as run:
        until(lambda: get(run, "/health").json()["status"] == "degraded", "the reason")
        until(
            lambda: "relay/127.0.0.1:1: not connected: " in str(get(run, "/health").json()),
            "the reason",
        )
        assert get(run, "/ready").status_code == 200
        assert run.stop() == 0


def test_a_frozen_receiver_is_told(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(synthetic_lines(0, 5))
    with running("run", "--file", str(tmp_path / "events.jsonl"), data_dir=data_dir) as run:
        receiver = until(run.receiver, "a receiver")
        psutil.Process(receiver.pid).send_signal(signal.SIGSTOP)
        until(lambda: "the receiver has not reported" in get(run, "/health").text, "the reason")
        psutil.Process(receiver.pid).send_signal(signal.SIGCONT)
        until(lambda: get(run, "/health").json()["status"] == "ok", "health")
        assert run.stop() == 0


def test_the_printed_address_leads_to_the_pages_and_without_it_nothing_does(
    data_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "<b>events.jsonl"
    file.write_text(synthetic_lines(0, 5))
    with running("run", "--file", str(file), "--plain", data_dir=data_dir) as run:
        until(lambda: run.stored() == 5, "the events")
        (printed,) = re.findall(
            r"^pages: (http://127\.0\.0\.1:\d+/\?token=as_\w+)$", run.output(), re.M
        )
        assert get(run, "/").headers["location"] == "/sign-in"
        assert get(run, "/api/v1/count").status_code == 401
        with httpx.Client(follow_redirects=True, timeout=30, trust_env=False) as browser:
            page = browser.get(printed)
            assert "token" not in str(page.url)
            assert browser.get(f"{run.url()}/api/v1/count?from=all").json()["count"] == 5
            status = browser.get(f"{run.url()}/status")
        denied = metrics(run)["http_denied_total", (("reason", "missing"),)]
        assert run.stop() == 0
    assert page.status_code == status.status_code == 200
    assert "&lt;b&gt;events.jsonl" in status.text
    assert "<b>events" not in status.text
    assert denied == 2


def test_on_loopback_a_foreign_name_is_not_answered(data_dir: Path) -> None:
    with running("worker", data_dir=data_dir) as worker:
        assert get(worker, "/metrics", host="evil.example").status_code == 421
        assert get(worker, "/metrics", host="localhost:1").status_code == 200
        assert worker.stop() == 0


def test_a_restarted_worker_answers_at_the_same_address(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(synthetic_lines(0, 5))
    with running("run", "--file", str(tmp_path / "events.jsonl"), data_dir=data_dir) as run:
        url = run.url()
        first = until(run.worker, "a worker").pid
        psutil.Process(first).kill()
        until(lambda: (state := run.worker()) and state.pid != first, "another worker")
        assert run.url() == url
        assert get(run, "/health").status_code == 200
        assert run.stop() == 0
