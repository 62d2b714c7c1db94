"""What the bench makes of its runs."""

import io
from array import array
from datetime import datetime

import pytest
from rich.console import Console

from armorstack.core.fields import STREAMS
from armorstack.core.proto import message_class
from bench import corpus, report
from bench.__main__ import judge, parse, plan_of
from bench.feed import Feed, Pace, Stamp
from bench.plan import FlatOut, Paced, Plan, Results, figures
from bench.stages import Run

NAMED_BY_THE_ISSUE = {
    "source_events_per_s",
    "bare_receive_cpu_us_per_event",
    "receive_spool_cpu_us_per_event",
    "relay_duckdb_cpu_us_per_event",
    "peak_rss_mb",
    "stored_bytes_per_event",
    "events_lost",
}


def run(cpu_us: float, lost: int = 0) -> Run:
    return Run(
        events=1_000_000, cpu_s=cpu_us, wall_s=10.0, lost=lost, stored_bytes=70_000_000,
        rss_mb={"receiver": 60.0, "worker": 250.0, "supervisor": 30.0}, latencies_s=[0.1, 0.4, 0.2],
    )  # fmt: skip


def results(lost: int = 0) -> Results:
    flat_out = FlatOut(
        bare=[run(5), run(6), run(50)],
        spool=[run(9), run(8), run(9)],
        duckdb=[run(20, lost), run(18), run(18)],
    )
    return Results(flat_out, Paced(run(8), run(25, lost), run(22), run(26)), {"decode": 7.0})


def text(found: dict[str, object]) -> str:
    console = Console(file=io.StringIO(), width=200)
    report.show(found, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_figure_that_was_asked_for_is_told() -> None:
    assert set(figures(results())) >= NAMED_BY_THE_ISSUE


def test_a_figure_is_the_median_of_its_runs_and_a_ratio_is_to_the_bare_receive() -> None:
    found = figures(results())
    assert found["bare_receive_cpu_us_per_event"] == 6
    assert found["receive_spool_ratio"] == 1.5
    assert found["relay_duckdb_ratio"] == 3
    assert found["decode_cpu_us_per_event"] == 7


def test_memory_is_that_of_receiver_and_worker_together() -> None:
    assert figures(results())["peak_rss_mb"] == 310


def test_losses_of_all_whole_runs_add_up() -> None:
    assert figures(results())["events_lost"] == 0
    assert figures(results(lost=3))["events_lost"] == 6


def test_the_worst_wait_is_told_beside_the_median() -> None:
    found = figures(results())
    assert (found["latency_median_s"], found["latency_s"]) == (0.2, 0.4)


def test_the_table_says_which_target_was_missed() -> None:
    assert "MISSED" not in text(figures(results()))
    found = figures(results(lost=3))
    missed = [line for line in text(found).splitlines() if "MISSED" in line]
    assert len(missed) == 1
    assert "events lost" in missed[0]


def test_a_slow_source_is_told_in_a_sentence() -> None:
    assert judge(40_000, 40_000) == ""
    assert "39,999 events/s and 40,000 are needed" in judge(39_999, 40_000)


def test_options_change_the_plan() -> None:
    assert plan_of(parse([])) == Plan()
    assert plan_of(parse(["--quick"])).rounds == 1
    assert plan_of(parse(["--quick", "--events", "7"])).events == 7


@pytest.mark.parametrize("stream", STREAMS)
def test_each_message_of_the_corpus_begins_with_a_head_that_can_be_replaced(stream: str) -> None:
    block = corpus.build({"alert": 300, "log": 300, "message": 300})[stream]  # type: ignore[index]
    starts = block.offsets()
    for start in starts[:-1]:
        head = block.data[start + corpus.PREFIX_BYTES :][: corpus.HEAD_BYTES + 1]
        assert (head[0], head[6:8], head[-1:]) == (0x08, b"\x12\x1b", b"Z")


def test_heads_say_distinct_times_also_across_the_end_of_a_second() -> None:
    heads = [head + b"Z" for head in Stamp().heads(3_000_000)][::999_999]
    events = [message_class("alert").FromString(head) for head in heads]
    assert len({event.UpdatedTime for event in events}) == 4
    for event in events:
        assert event.Timestamp == int(datetime.fromisoformat(event.UpdatedTime).timestamp())
    assert events[-1].Timestamp - events[0].Timestamp in (2, 3)


def test_a_feed_goes_round_its_corpus_and_ends_with_its_quota() -> None:
    feed = Feed(corpus.build({"alert": 10})["alert"], Stamp(), 25)
    while feed.left:
        assert feed.take(4)
    assert feed.sent == 25
    assert feed.take(4) == b""


def test_what_exceeds_the_queue_is_dropped_and_leaves_a_hole_in_the_numbers() -> None:
    feed = Feed(corpus.build({"alert": 10}, numbered=True)["alert"], Stamp(), 10**9)
    pace = Pace(feed, rate=1e12, queue_slots=5)
    assert pace.due() == 0
    assert pace.due() == 5
    dropped = feed.dropped
    assert dropped > 0
    assert corpus.number_of(feed.take(1)) == dropped


def test_a_saved_corpus_is_read_back_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("corpus") / "file"
    made = corpus.build({"alert": 20, "log": 5}, numbered=True)
    corpus.save(made, path)
    loaded = corpus.load(path)
    assert loaded == made
    assert loaded["alert"].number_offsets() == array("I", made["alert"].numbers)
