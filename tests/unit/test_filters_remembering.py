"""Filters that remember: the edges of intervals, and how much they remember at most."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pytest

from armorstack.config import FoldFilter, Select, SetFilter, ThrottleFilter
from armorstack.core.batch import SCHEMA
from armorstack.core.decode import NOTHING
from armorstack.core.filters import fold, throttle
from armorstack.core.rules import Passed, Rules
from tests.support.rules import START, at, event_id, events, micros, rules

ALL = tuple(f"p{number}" for number in range(5))


def pods(passed: Passed) -> list[Any]:
    return list(passed.rows["pod_name"].to_pylist())


def came(seconds: float, names: Iterable[str | None], first: int = 0) -> pa.RecordBatch:
    """Events of these pods that arrived together; their ids count on from `first`."""
    return events(
        {"id": event_id(first + number), "pod_name": name, "received": at(seconds)}
        for number, name in enumerate(names)
    )


# --- throttle ---


def test_intervals_are_cut_at_multiples_of_their_length_since_1970() -> None:
    assert micros(START) % 60_000_000 == 0
    compiled = rules(ThrottleFilter(events=1, interval_s=60, name="t", by=("pod", "node")))
    for seconds, wanted in ((0, 1), (59.999999, 0), (60, 1), (119.999999, 0), (120, 1)):
        assert len(compiled.apply(came(seconds, "a"), 0).rows) == wanted, seconds


def test_the_gap_of_an_interval_says_what_was_let_go() -> None:
    compiled = rules(ThrottleFilter(events=2, interval_s=0.5, name="t", by=("pod", "node")))
    assert compiled.apply(came(0, "aaabbb"), 0).gaps == ()
    assert compiled.apply(NOTHING, 0, micros(at(0.499999))).gaps == ()
    (gap,) = compiled.apply(NOTHING, 0, micros(at(0.5))).gaps
    assert (gap.start_us, gap.end_us) == (micros(START), micros(at(0.5)))
    assert (gap.lost, gap.detail) == (2, "beyond 2 events in 0.5 s for each pod_name, host_name")
    assert compiled.apply(NOTHING, 0, micros(at(0.6))).gaps == ()


def test_without_fields_there_is_one_share_for_all() -> None:
    compiled = rules(ThrottleFilter(events=2, interval_s=60))
    assert pods(compiled.apply(came(0, "abc"), 0)) == ["a", "b"]
    (gap,) = compiled.finish().gaps
    assert gap.detail == "beyond 2 events in 60 s"


def test_an_interval_told_already_gives_no_second_share_to_what_was_on_its_way() -> None:
    compiled = rules(ThrottleFilter(events=1, interval_s=10, name="t"))
    compiled.apply(came(9, "ab"), 0)
    (first,) = compiled.apply(NOTHING, 0, micros(at(10.5))).gaps
    late = compiled.apply(came(9.9, "c"), 1)
    assert pods(late) == []
    assert (first.lost, [gap.lost for gap in late.gaps]) == (1, [1])


def test_an_interval_that_was_given_out_is_not_counted_again_in_an_older_one() -> None:
    compiled = rules(ThrottleFilter(events=1, interval_s=10))
    compiled.apply(came(25, "a"), 0)
    assert pods(compiled.apply(came(5, "b"), 0)) == []


def test_absent_and_empty_values_have_shares_of_their_own() -> None:
    compiled = rules(ThrottleFilter(events=1, by=("pod",)))
    assert pods(compiled.apply(came(0, [None, "", None, ""]), 0)) == [None, ""]


def test_beyond_the_most_shares_the_others_have_one_in_common(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(throttle, "MAX_SHARES", 2)
    compiled = rules(ThrottleFilter(events=2, by=("pod",)))
    passed = compiled.apply(came(0, ["a", "", "c", "d", "e", "a", "a", "", "", "c"]), 0)
    assert pods(passed) == ["a", "", "c", "d", "a", ""]


# --- fold ---

BY_POD = FoldFilter(interval_s=10, by=("pod",))


def folded(compiled: Rules, **clock: Any) -> list[tuple[Any, Any]]:
    passed = (
        compiled.apply(NOTHING, 0, micros(at(clock["seconds"]))) if clock else compiled.finish()
    )
    return list(zip(pods(passed), passed.rows["fold_count"].to_pylist(), strict=True))


def test_a_group_ends_when_its_interval_of_arrival_does() -> None:
    compiled = rules(BY_POD)
    compiled.apply(came(0, "a"), 0)
    compiled.apply(came(9.999999, "a", 1), 1)
    assert folded(compiled, seconds=9.999999) == []
    assert pods(compiled.apply(came(10, "a", 2), 2)) == ["a"]
    assert folded(compiled) == [("a", None)]


def test_the_first_event_stands_for_all_with_count_first_and_last() -> None:
    compiled = rules(BY_POD)
    rows = events(
        {"pod_name": "a", "time": at(time), "resource": str(time), "severity": "5"}
        for time in (5, 9, 1, 7)
    )
    compiled.apply(rows, 0)
    (event,) = compiled.finish().rows.to_pylist()
    before = rows.to_pylist()[0]
    assert event == before | {"fold_count": 4, "fold_first": at(1), "fold_last": at(9)}


def test_an_event_that_stays_alone_is_as_it_came() -> None:
    compiled = rules(BY_POD)
    rows = came(0, "ab")
    compiled.apply(rows, 0)
    assert compiled.finish().rows.equals(rows)


def test_an_absent_value_agrees_with_an_absent_one_only() -> None:
    compiled = rules(BY_POD)
    compiled.apply(came(0, [None, "a", None]), 0)
    assert folded(compiled) == [(None, 2), ("a", None)]


def test_events_of_two_tags_are_never_one() -> None:
    compiled = rules(
        SetFilter(fields={"tag": "x"}, select=Select(nodes=("n",))),
        FoldFilter(by=("pod",), tag="x kubearmor.**"),
    )
    compiled.apply(events([{"host_name": "n"}, {}, {"host_name": "n"}, {"stream": "log"}]), 0)
    assert folded(compiled) == [(None, 2), (None, None), (None, None)]


def test_the_same_event_counts_once_also_in_a_later_batch_and_interval() -> None:
    compiled = rules(BY_POD)
    compiled.apply(came(0, "aa"), 0)
    compiled.apply(came(5, "aa"), 1)
    assert folded(compiled, seconds=10) == [("a", 2)]
    assert compiled.apply(came(10, "a"), 2).held_from is None
    assert folded(compiled) == []
    assert compiled.counts()[0].dropped == 4


def test_the_same_event_counts_once_also_where_its_batch_spans_an_interval() -> None:
    compiled = rules(BY_POD)
    compiled.apply(came(0, "a"), 0)
    compiled.apply(came(9, "b", 1), 1)
    compiled.apply(came(10.5, "c", 2), 2)
    last = compiled.apply(pa.concat_batches([came(15, "b", 1), came(30, "d", 3)]), 3)
    assert (pods(last), last.rows["fold_count"].to_pylist()) == (["b", "c"], [None, None])


def test_a_batch_goes_on_when_the_last_of_its_groups_has_ended() -> None:
    compiled = rules(BY_POD)
    compiled.apply(pa.concat_batches([came(0, "a"), came(5, "b", 1)]), 0)
    compiled.apply(came(12, "b", 2), 1)
    assert folded(compiled, seconds=15) == [("a", None), ("b", 2)]


def test_events_that_are_folded_already_keep_their_number_and_times() -> None:
    compiled = rules(BY_POD)
    one = {"pod_name": "a", "fold_count": 3, "fold_first": at(-9), "fold_last": at(9)}
    compiled.apply(events([one, {"pod_name": "a"}]), 0)
    (event,) = compiled.finish().rows.to_pylist()
    assert (event["fold_count"], event["fold_first"], event["fold_last"]) == (4, at(-9), at(9))


def test_a_place_is_held_until_all_that_began_there_has_gone_on() -> None:
    compiled = rules(BY_POD)
    assert compiled.apply(came(0, "a"), 7).held_from == 7
    assert compiled.apply(came(4, "b", 5), 8).held_from == 7
    assert compiled.apply(NOTHING, 9, micros(at(10))).held_from == 8
    assert compiled.apply(NOTHING, 9, micros(at(14))).held_from is None


def test_beyond_the_most_that_is_kept_the_oldest_go_on_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fold, "MAX_KEPT", 3)
    compiled = rules(BY_POD)
    assert pods(compiled.apply(came(0, "aab"), 0)) == []
    assert pods(compiled.apply(came(1, "c", 10), 1)) == []
    full = compiled.apply(came(2, "da", 20), 2)
    assert (pods(full), full.rows["fold_count"].to_pylist()) == (["a", "b"], [3, None])
    assert full.held_from == 1
    compiled.apply(came(3, "a", 30), 3)
    assert folded(compiled) == [("c", None), ("d", None), ("a", None)]


def test_ids_that_are_too_many_are_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "MAX_IDS", 2)
    compiled = rules(BY_POD)
    for number in range(5):
        compiled.apply(came(0, "a", number), number)
    compiled.apply(came(0, "a", 4), 5)
    compiled.apply(came(0, "a", 0), 6)
    assert folded(compiled) == [("a", 6)]


def test_what_a_fold_gives_back_has_the_one_schema() -> None:
    compiled = rules(BY_POD)
    compiled.apply(came(0, ALL), 0)
    result = compiled.finish().rows
    result.validate(full=True)
    assert result.schema.equals(SCHEMA)
