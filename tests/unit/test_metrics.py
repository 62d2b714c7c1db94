"""The Prometheus text, its names, and the list of them in the documentation."""

import re
from pathlib import Path

import pyarrow as pa
from prometheus_client.parser import text_string_to_metric_families

from armorstack.core.batch import SCHEMA
from armorstack.core.filter_counts import FilterCounts
from armorstack.core.gap import Gap
from armorstack.counting import EventCounts
from armorstack.metrics import METRICS, PREFIX, Memory, render
from armorstack.state import ReceiverState, SinkState, SourceState, SpoolState, WorkerState

DOCUMENT = Path(__file__).parents[2] / "docs/metrics.md"
NOW = 1_795_443_000_000_000
RECEIVER = ReceiverState(
    pid=1, started_us=NOW, updated_us=NOW, phase="running", received=7, received_bytes=700,
    commits=3, commit_s=0.5, blocked_s=1.5, dropped={"spool_full": 2},
    spool=SpoolState(bytes=10, rows=2, max_bytes=100, oldest_us=NOW - 2_500_000, disk_bytes=4096,
                     recoveries=1),
    sources=(SourceState('relay/"a":1', "relay", connected=True, reconnects=4),),
)  # fmt: skip
SINK = SinkState(
    name="duckdb", is_open=True, stored=5, duplicates=1, retried=2, writes=3, write_s=0.25,
    decode_s=0.125, decoded=6, batches=3, lag_s=0.5, missed={"dropped_oldest": 1},
    missed_frames={"dropped_oldest": 12},
    removed={"age": 9}, waits_for="disk", passed_over=11, left_out=13,
)  # fmt: skip
WORKER = WorkerState(
    pid=2, started_us=NOW, updated_us=NOW, sinks=(SINK,), dead_letters={"malformed_json": 3},
    skipped={"relay_log": 8}, gaps={"disconnect": 1}, unknown=1,
    gap_seconds={"disconnect": 2.5},
    letters_kept=2, letters_dropped=1, unmatched=4,
    filters=(FilterCounts('drop "1"', "drop", 21, 0), FilterCounts("redact-2", "redact", 0, 22)),
)  # fmt: skip
MEMORY = Memory(
    (Gap("disconnect", "relay/a:1", 1, NOW), Gap("disconnect", "relay/b:1", 1, NOW)),
    (("prod", "node\n1", NOW - 500_000),),
    {"wrong": 14, "host": 0},
)
ROW = {
    "stream": "alert", "namespace_name": 'shop\n"1"', "policy_name": "p", "severity": "5",
    "type": "MatchedPolicy", "operation": "File", "action": "Block",
}  # fmt: skip


def samples() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    events = EventCounts(10)
    events.add(pa.RecordBatch.from_pylist([ROW, ROW], SCHEMA))
    text = render(RECEIVER, WORKER, events, NOW, MEMORY).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(name: str, **labels: str) -> float:
    return samples()[PREFIX + name, tuple(sorted(labels.items()))]


def test_the_values_are_those_of_the_reports() -> None:
    assert value("received_frames_total") == 7
    assert value("dropped_frames_total", reason="spool_full") == 2
    assert value("spool_commit_seconds_count") == 3
    assert value("spool_commit_seconds_sum") == 0.5
    assert value("spool_oldest_age_seconds") == 2.5
    assert value("source_reconnects_total", source='relay/"a":1', kind="relay") == 4
    assert value("sink_stored_events_total", sink="duckdb") == 5
    assert value("sink_waiting", sink="duckdb") == 1
    assert value("sink_batch_events_sum", sink="duckdb") == 6
    assert value("sink_removed_events_total", sink="duckdb", reason="age") == 9
    assert value("dead_letters_total", error_type="malformed_json") == 3
    assert value("dead_letters_kept") == 2
    assert value("gaps_total", reason="disconnect") == 1
    assert value("process_up", process="receiver") == 1
    assert value("gap_seconds_total", reason="disconnect") == 2.5
    assert value("sink_passed_over_events_total", sink="duckdb") == 11
    assert value("sink_left_out_events_total", sink="duckdb") == 13
    assert value("unmatched_events_total") == 4
    assert value("filter_dropped_events_total", filter='drop "1"', type="drop") == 21
    assert value("filter_changed_events_total", filter="redact-2", type="redact") == 22
    assert value("http_denied_total", reason="wrong") == 14
    assert value("http_denied_total", reason="host") == 0
    assert value("sink_missed_frames_total", sink="duckdb", reason="dropped_oldest") == 12


def test_open_gaps_are_counted_by_reason_and_nought_where_none_is_open() -> None:
    assert value("gaps_open", reason="disconnect") == 2
    for reason in ("spool_overflow", "stop", "crash"):
        assert value("gaps_open", reason=reason) == 0


def test_a_node_has_the_time_of_its_newest_arrival_with_its_name_escaped() -> None:
    at_s = value("node_last_seen_timestamp_seconds", cluster="prod", node="node\\x0a1")
    assert at_s == NOW / 1e6 - 0.5


def test_events_are_counted_by_their_labels_with_unsafe_names_escaped() -> None:
    labels = {
        "namespace": 'shop\\x0a"1"', "policy": "p", "severity": "5", "type": "MatchedPolicy",
        "operation": "File", "action": "Block",
    }  # fmt: skip
    assert value("events_total", **labels) == 2


def test_without_a_live_receiver_its_metrics_are_absent_and_it_is_down() -> None:
    text = render(None, WORKER, EventCounts(1), NOW).decode()
    assert 'armorstack_process_up{process="receiver"} 0.0' in text
    assert "\narmorstack_received_frames_total" not in text


def test_every_metric_says_what_it_is_and_is_shown() -> None:
    text = render(RECEIVER, WORKER, EventCounts(1), NOW).decode()
    helped = set(re.findall(r"^# HELP (\w+) \S", text, re.MULTILINE))
    assert helped == {PREFIX + metric.name for metric in METRICS}
    assert {name for name, _ in samples()} >= {
        PREFIX + metric.name for metric in METRICS if metric.kind != "summary"
    }


def test_the_documentation_lists_every_metric_with_its_kind_and_labels() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", DOCUMENT.read_text(), re.MULTILINE)
    told = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert told == {PREFIX + metric.name: (metric.kind, metric.labels) for metric in METRICS}
