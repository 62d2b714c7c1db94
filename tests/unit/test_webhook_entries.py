"""Events of a batch that say the same become one entry."""

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from armorstack.core.batch import SCHEMA
from armorstack.sinks.webhook.entries import SAME, fold, told

T0 = datetime(2026, 11, 23, 15, 0, 0)
ALIKE = {
    "stream": "alert", "policy_name": "p", "namespace_name": "n", "pod_name": "d",
    "process_name": "/bin/x", "resource": "/etc/passwd", "action": "Block", "operation": "File",
    "result": "Permission denied",
}  # fmt: skip


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def table(*events: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(
        [{"time": at(index)} | ALIKE | event for index, event in enumerate(events)], schema=SCHEMA
    )


def test_events_that_say_the_same_become_one_with_count_and_span() -> None:
    [entry] = fold(table({"pid": 1}, {"time": at(-5)}, {"pid": 3}), [0, 1, 2])
    assert (entry.indices, entry.count) == ((0, 1, 2), 3)
    assert (entry.first, entry.last) == (at(-5), at(2))


@pytest.mark.parametrize("column", SAME)
def test_events_that_differ_in_one_of_these_stay_apart(column: str) -> None:
    rows = table({column: "one"}, {column: "two"}, {column: None}, {column: "one"})
    assert [entry.indices for entry in fold(rows, range(4))] == [(0, 3), (1,), (2,)]


def test_a_row_that_a_filter_folded_counts_as_many_as_it_stands_for() -> None:
    folded = {"fold_count": 40, "fold_first": at(-100), "fold_last": at(100)}
    [entry] = fold(table({}, folded, {}), [0, 1, 2])
    assert (entry.count, entry.first, entry.last) == (42, at(-100), at(100))


def test_only_the_rows_that_are_asked_for_are_in_entries() -> None:
    rows = table({"resource": "a"}, {"resource": "b"}, {"resource": "a"}, {"resource": "b"})
    entries = fold(rows, [1, 2, 3])
    assert [entry.indices for entry in entries] == [(1, 3), (2,)]
    assert told(rows, entries[0]).row["resource"] == "b"
    assert fold(rows, []) == []


def test_events_without_a_time_have_no_span() -> None:
    [entry] = fold(table({"time": None}, {"time": None}), [0, 1])
    assert (entry.count, entry.first, entry.last) == (2, None, None)
