"""What is wrong just now, in sentences."""

from msgspec.structs import replace

from armorstack.health import health, is_live, not_ready, reasons
from armorstack.state import (
    LastEvent,
    ReceiverState,
    SinkState,
    SourceState,
    SpoolState,
    WorkerState,
)

SECOND = 1_000_000
NOW = 1_795_443_000 * SECOND
SOURCE = SourceState("relay/a:1", "relay", connected=True, since_us=NOW - 100 * SECOND,
                     last_frame_us=NOW - SECOND)  # fmt: skip
RECEIVER = ReceiverState(
    pid=1, started_us=1, updated_us=NOW, phase="running", sources=(SOURCE,),
    spool=SpoolState(bytes=10, max_bytes=100),
)  # fmt: skip
SINK = SinkState(name="duckdb", is_open=True)
WORKER = WorkerState(
    pid=2, started_us=1, updated_us=NOW, phase="running", spool_ready=True, sinks=(SINK,)
)


def with_source(**changes: object) -> ReceiverState:
    return replace(RECEIVER, sources=(replace(SOURCE, **changes),))


def told(receiver: ReceiverState | None, worker: WorkerState | None = WORKER) -> list[str]:
    return list(reasons(receiver, worker, NOW))


def test_all_well_gives_no_reason() -> None:
    assert told(RECEIVER) == []
    assert health(RECEIVER, WORKER, NOW).status == "ok"


def test_a_connected_but_silent_source_is_told() -> None:
    silent = with_source(last_frame_us=NOW - 65 * SECOND)
    assert told(silent) == ["relay/a:1: no event for 65 s: connected but silent"]
    assert health(silent, WORKER, NOW).status == "degraded"


def test_silence_counts_from_the_connection_when_that_is_newer() -> None:
    assert told(with_source(last_frame_us=1, since_us=NOW - SECOND)) == []


def test_a_source_without_connection_is_told_with_its_error() -> None:
    down = with_source(connected=False, error="connection refused")
    assert told(down) == ["relay/a:1: not connected: connection refused"]


def test_a_finished_source_is_no_fault() -> None:
    done = replace(with_source(connected=False, finished=True), phase="stopped", updated_us=1)
    assert told(done) == []
    assert told(replace(RECEIVER, phase="stopped")) == ["the receiver was stopped"]


def test_processes_that_do_not_report_are_told() -> None:
    late = NOW - 9 * SECOND
    assert told(None) == ["the receiver has not reported yet"]
    assert told(replace(RECEIVER, updated_us=late)) == ["the receiver has not reported for 9 s"]
    assert told(RECEIVER, None) == ["the worker has not reported yet"]
    assert told(RECEIVER, replace(WORKER, updated_us=late)) == [
        "the worker has not reported for 9 s"
    ]


def test_a_full_spool_and_drops_are_told() -> None:
    full = replace(RECEIVER, spool=SpoolState(bytes=85, max_bytes=100, full="disk full"),
                   dropped={"spool_full": 3, "other": 0})  # fmt: skip
    assert told(full) == [
        "the spool is 85 % full",
        "the spool takes nothing just now: disk full",
        "3 frames were dropped: spool_full",
    ]


def test_a_sink_that_waits_lags_or_missed_rows_is_told() -> None:
    def sink(**changes: object) -> WorkerState:
        return replace(WORKER, sinks=(replace(SINK, **changes),))

    assert told(RECEIVER, sink(waits_for="no space")) == ["sink duckdb: waits: no space"]
    assert told(RECEIVER, sink(lag_s=45.0)) == ["sink duckdb: 45 s behind"]
    assert told(RECEIVER, sink(missed={"dropped_oldest": 2})) == [
        "sink duckdb: missed rows 2 times: dropped_oldest"
    ]


def test_a_replaced_spool_is_told_with_its_place() -> None:
    spool = SpoolState(recoveries=1, recovered="/data/spool/spool.db.damaged")
    assert told(replace(RECEIVER, spool=spool))[0].endswith("lies in /data/spool/spool.db.damaged")


def test_the_answer_of_health_holds_no_text_of_events() -> None:
    worker = replace(WORKER, last=(LastEvent(time_us=NOW, resource="secret"),))
    assert health(RECEIVER, worker, NOW).worker.last == ()


def test_readiness_needs_the_spool_and_every_sink() -> None:
    assert not_ready(WORKER) == ""
    assert "spool" in not_ready(replace(WORKER, spool_ready=False))
    closed = replace(SINK, is_open=False, waits_for="locked")
    assert not_ready(replace(WORKER, sinks=(SINK, closed))) == "sink duckdb is not open: locked"
    assert not_ready(replace(WORKER, sinks=()))


def test_a_report_is_live_while_it_is_fresh_and_not_the_last_one() -> None:
    assert is_live(RECEIVER, NOW)
    assert not is_live(replace(RECEIVER, phase="stopped"), NOW)
    assert not is_live(replace(RECEIVER, updated_us=NOW - 9 * SECOND), NOW)
    assert not is_live(None, NOW)
