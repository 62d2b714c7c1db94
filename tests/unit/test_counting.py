"""Counting events by label set."""

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.counting import EventCounts


def rows(*events: dict[str, str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"stream": "alert"} | event for event in events], SCHEMA)


def event(namespace: str, action: str = "Audit", severity: str | None = "5") -> dict[str, str]:
    found = {"namespace_name": namespace, "action": action, "type": "MatchedPolicy"}
    return found if severity is None else found | {"severity": severity}


def test_events_are_counted_by_label_set() -> None:
    counts = EventCounts(10)
    counts.add(rows(event("a"), event("a"), event("b")))
    counts.add(rows(event("a")))
    assert counts.series() == {
        ("a", "", "5", "MatchedPolicy", "", "Audit"): 3,
        ("b", "", "5", "MatchedPolicy", "", "Audit"): 1,
    }


def test_label_sets_beyond_the_limit_are_counted_as_other() -> None:
    counts = EventCounts(2)
    counts.add(rows(*(event(f"ns-{i}") for i in range(5))))
    counts.add(rows(event("ns-0"), event("late")))
    series = counts.series()
    assert len(series) == 3
    assert sum(series.values()) == 7
    assert series[("other",) * 6] == 4


def test_long_and_unsafe_names_are_cut_and_escaped_before_they_are_told_apart() -> None:
    counts = EventCounts(10)
    counts.add(rows(event("x" * 500 + "1"), event("x" * 500 + "2"), event("\x1b[31m")))
    names = sorted(labels[0] for labels in counts.series())
    assert names == ["\\x1b[31m", "x" * 199 + "…"]


def test_the_summary_counts_streams_actions_and_severities() -> None:
    counts = EventCounts(1)
    counts.add(rows(event("a", "Block", "10"), event("b", "Audit", None), event("c", "Audit")))
    assert counts.summary() == ({"alert": 3}, {"Block": 1, "Audit": 2}, {"10": 1, "5": 1})


def test_many_rows_are_counted_without_being_asked() -> None:
    counts = EventCounts(10)
    batch = rows(*([event("a")] * 1000))
    for _ in range(25):
        counts.add(batch)
    assert counts._pending_rows < 20_000
    assert sum(counts.series().values()) == 25_000
