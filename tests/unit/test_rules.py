"""Filters in their order, presets on recorded events, and which sink takes what."""

from typing import Any

import pyarrow as pa
import pytest

from armorstack.config import (
    DropFilter,
    FoldFilter,
    KeepFilter,
    Match,
    Preset,
    PresetFilter,
    RedactFilter,
    RenameFilter,
    SampleFilter,
    Select,
    SetFilter,
    ThrottleFilter,
)
from armorstack.core.batch import SCHEMA
from armorstack.core.decode import NOTHING, decode
from armorstack.core.filters import BUILDERS
from armorstack.core.presets import PRESETS, expand
from tests.support.frames import protobuf, recorded, row
from tests.support.rules import at, event_id, events, micros, rules

ALERTS, LOGS = (
    decode([row([protobuf(event, stream) for event in recorded(stream)], stream, "protobuf")])
    .batch.rows
    for stream in ("alert", "log")
)  # fmt: skip
RECORDED = pa.concat_batches([ALERTS, LOGS])


def pods(rows: pa.RecordBatch) -> list[Any]:
    return list(rows["pod_name"].to_pylist())


def test_filters_work_in_the_order_of_the_file() -> None:
    rows = events([{"pod_name": "a"}, {"pod_name": "b"}])
    rename = SetFilter(fields={"pod": "b"}, select=Select(pods=("a",)))
    drop = DropFilter(select=Select(pods=("b",)))
    assert len(rules(rename, drop).apply(rows, 0).rows) == 0
    assert pods(rules(drop, rename).apply(rows, 0).rows) == ["b"]


def test_counts_tell_what_each_filter_did_by_its_name() -> None:
    compiled = rules(
        DropFilter(select=Select(pods=("a",))), SetFilter(name="mark", fields={"tag": "x"}),
        PresetFilter(preset="own-traffic"), PresetFilter(preset="passed-noise", name="quiet"),
    )  # fmt: skip
    compiled.apply(events([{"pod_name": "a"}, {"pod_name": "b"}, {"pod_name": "a"}]), 0)
    compiled.apply(events([{"pod_name": "a"}]), 1)
    told = [(each.name, each.type, each.dropped, each.changed) for each in compiled.counts()]
    assert told == [
        ("drop-1", "drop", 3, 0), ("mark", "set", 0, 1), ("own-traffic/1", "drop", 0, 0),
        ("own-traffic/2", "drop", 0, 0), ("quiet", "drop", 0, 0),
    ]  # fmt: skip


def test_every_filter_that_settings_know_can_be_built_or_stands_for_others() -> None:
    for ready in PRESETS.values():
        assert all(type(each) in BUILDERS for each in ready)


# --- routing ---

TO_BOTH = (
    Match(select=Select(pods=("a*",)), sink="one"),
    Match(select=Select(pods=("*b",)), sink=("one", "two")),
)
NAMED = events([{"pod_name": name} for name in ("a", "b", "ab", "c")])


@pytest.mark.parametrize(
    ("sink", "match", "wanted", "unmatched"),
    [
        ("one", (), ["a", "b", "ab", "c"], 0),
        ("", (), ["a", "b", "ab", "c"], 0),
        ("one", TO_BOTH, ["a", "b", "ab"], 1),
        ("two", TO_BOTH, ["b", "ab"], 1),
        ("", TO_BOTH, ["a", "b", "ab", "c"], 1),
        ("one", TO_BOTH[:1], ["a", "ab"], 0),
        ("two", TO_BOTH[:1], ["a", "b", "ab", "c"], 0),
        ("one", (Match(tag="kubearmor.log", sink=("one", "two")),), [], 4),
        ("one", (Match(sink="one"), Match(tag="*.log", sink="two")), ["a", "b", "ab", "c"], 0),
        ("two", (Match(sink="one"), Match(tag="*.log", sink="two")), [], 0),
    ],
)
def test_a_sink_takes_what_its_matches_take_and_all_where_none_names_it(
    sink: str, match: tuple[Match, ...], wanted: list[str], unmatched: int
) -> None:
    compiled = rules(match=match, sink=sink)
    result = compiled.apply(NAMED, 0)
    assert pods(result.own) == wanted
    assert pods(result.rows) == ["a", "b", "ab", "c"]
    assert (result.unmatched, result.held_from, result.gaps) == (unmatched, None, ())
    alone = compiled.apply_alone(NAMED)
    assert (pods(alone.own), pods(alone.rows)) == (wanted, ["a", "b", "ab", "c"])


def test_matches_see_the_tag_that_a_filter_has_set() -> None:
    compiled = rules(
        SetFilter(fields={"tag": "kubearmor.apart"}, select=Select(pods=("a",))),
        match=[Match(tag="kubearmor.apart", sink="one"), Match(tag="kubearmor.*", sink="two")],
    )
    assert pods(compiled.apply(NAMED, 0).own) == ["a"]
    assert pods(compiled.apply_alone(NAMED).own) == ["a"]


def test_only_what_is_still_there_is_routed_or_counted_as_unmatched() -> None:
    compiled = rules(DropFilter(select=Select(pods=("c",))), match=TO_BOTH)
    assert compiled.apply(NAMED, 0).unmatched == 0


def test_without_rows_nothing_comes_and_nothing_is_counted() -> None:
    compiled = rules(DropFilter(), FoldFilter(), ThrottleFilter(events=1), match=TO_BOTH)
    for result in (compiled.apply(NOTHING, 5), compiled.finish(), compiled.apply_alone(NOTHING)):
        assert (len(result.rows), len(result.own), result.unmatched, result.gaps) == (0, 0, 0, ())
        assert result.own.schema.equals(SCHEMA)
        assert result.held_from is None


# --- presets, on the 229 alerts and 493 logs that were recorded ---


@pytest.mark.parametrize(
    ("preset", "dropped"),
    [
        ("passed-noise", [417]),  # grep -c '"Result":"Passed"' logs-real.jsonl
        ("own-traffic", [36, 0]),  # … '"Operation":"Network"' … 'port=32767'
        ("known-noisy-paths", [13]),  # 7 of /sys, 3 of /proc, libc, ld.so.cache, zoneinfo
        ("default-posture-apart", [0]),
    ],
)
def test_a_preset_lets_so_many_recorded_events_go(preset: Preset, dropped: list[int]) -> None:
    compiled = rules(PresetFilter(preset=preset))
    result = compiled.apply(RECORDED, 0).rows
    assert [each.dropped for each in compiled.counts()] == dropped
    assert len(result) == 229 + 493 - sum(dropped)
    assert result.filter(pa.compute.equal(result["stream"], "alert")).equals(ALERTS)


def test_own_traffic_knows_kubearmor_and_the_relay_by_their_executables() -> None:
    rows = events(
        {"stream": "log", "operation": operation, "process_name": name}
        for operation in ("Network", "File")
        for name in ("/opt/kubearmor/kubearmor", "/x/kubearmor-relay-server", "/usr/bin/curl")
    )
    compiled = rules(PresetFilter(preset="own-traffic"))
    assert len(compiled.apply(rows, 0).rows) == 4
    assert [each.dropped for each in compiled.counts()] == [0, 2]


def test_default_posture_gets_a_tag_of_its_own() -> None:
    compiled = rules(
        PresetFilter(preset="default-posture-apart"),
        match=[Match(tag="kubearmor.alert.posture", sink="one"), Match(tag="*.*", sink="two")],
    )
    result = compiled.apply(RECORDED, 0)
    assert set(result.own["policy_name"].to_pylist()) == {"DefaultPosture"}
    assert (len(result.own), len(result.rows), result.unmatched) == (67, 722, 0)
    assert compiled.counts()[0].changed == 67


def test_a_select_beside_a_preset_narrows_it() -> None:
    select = Select(pods=("",))
    compiled = rules(PresetFilter(preset="passed-noise", select=select))
    on_node = [e for e in recorded("log") if e.get("Result") == "Passed" and "PodName" not in e]
    assert 0 < len(on_node) < 417
    assert len(compiled.apply(RECORDED, 0).rows) == 722 - len(on_node)
    both = expand((PresetFilter(preset="own-traffic", select=select),))
    assert [each.select.pods for each in both] == [("",), ("",)]
    assert [each.name for each in both] == ["own-traffic/1", "own-traffic/2"]


# --- filters that remember ---

SAME = {"pod_name": "a"}


def test_what_a_fold_releases_passes_later_filters_and_routing() -> None:
    compiled = rules(
        DropFilter(select=Select(pods=("never",))), FoldFilter(interval_s=10),
        SetFilter(fields={"cluster": "late"}), RenameFilter(fields={"data": "cwd"}),
        match=[Match(select=Select(clusters=("late",), pods=("a",)), sink="one")],
    )  # fmt: skip
    rows = events([SAME, SAME, {"pod_name": "b"}])
    first = compiled.apply(rows, 40)
    assert (len(first.rows), first.held_from) == (0, 40)
    second = compiled.apply(NOTHING, 50, micros(at(11)))
    assert pods(second.rows) == ["a", "b"]
    assert pods(second.own) == ["a"]
    assert second.own.to_pylist()[0]["fold_count"] == 2
    assert second.held_from is None


def test_what_a_fold_releases_comes_before_the_rows_at_hand() -> None:
    compiled = rules(FoldFilter(select=Select(pods=("a",))))
    compiled.apply(events([SAME]), 0)
    late = events([{"pod_name": "b", "received": at(60)}])
    assert pods(compiled.apply(late, 1).rows) == ["a", "b"]


def test_a_fold_holds_the_tag_that_was_set_before_it() -> None:
    compiled = rules(
        SetFilter(fields={"tag": "kubearmor.x"}, select=Select(pods=("a",))), FoldFilter(),
        match=[Match(tag="kubearmor.x", sink="one")],
    )  # fmt: skip
    compiled.apply(events([SAME, SAME, {"pod_name": "b"}]), 0)
    result = compiled.finish()
    assert (pods(result.own), pods(result.rows)) == (["a"], ["a", "b"])


def test_a_fold_behind_a_fold_holds_the_place_of_the_older_rows() -> None:
    compiled = rules(
        FoldFilter(interval_s=10, by=("pod",), select=Select(clusters=("x",))),
        FoldFilter(interval_s=100, by=("pod",)),
    )
    old = compiled.apply(events([{"cluster_name": "x", "pod_name": "a"}]), 5)
    young = events([{"id": event_id(9), "pod_name": "b", "received": at(8)}])
    middle = compiled.apply(young, 6)
    last = compiled.apply(NOTHING, 7, micros(at(11)))
    assert [each.held_from for each in (old, middle, last)] == [5, 5, 5]
    assert pods(compiled.finish().rows) in (["a", "b"], ["b", "a"])


def test_time_goes_on_with_the_clock_and_never_back() -> None:
    compiled = rules(FoldFilter(interval_s=10))
    compiled.apply(events([SAME]), 0)
    assert len(compiled.apply(NOTHING, 1, micros(at(9))).rows) == 0
    assert len(compiled.apply(NOTHING, 1, micros(at(-100))).rows) == 0
    assert len(compiled.apply(NOTHING, 1, micros(at(10))).rows) == 1


def test_the_end_gives_back_all_that_was_kept_and_tells_the_gap() -> None:
    compiled = rules(ThrottleFilter(events=1, name="slow", interval_s=60), FoldFilter())
    assert compiled.apply(events([{}, {}, {}]), 3).gaps == ()
    last = compiled.finish()
    assert len(last.rows) == 1
    (gap,) = last.gaps
    assert (gap.reason, gap.source, gap.lost) == ("filter_throttle", "slow", 2)
    assert compiled.finish().gaps == ()


def test_rows_out_of_their_order_pass_by_the_filters_that_remember() -> None:
    compiled = rules(
        FoldFilter(), ThrottleFilter(events=1), DropFilter(select=Select(pods=("b",))),
        RedactFilter(patterns=("a",)), SampleFilter(one_in=1), KeepFilter(),
    )  # fmt: skip
    rows = events([SAME, SAME, {"pod_name": "b"}])
    result = compiled.apply_alone(rows)
    assert pods(result.own) == ["[redacted]", "[redacted]"]
    assert (result.held_from, result.gaps) == (None, ())
    assert len(compiled.finish().rows) == 0


def test_a_filter_without_a_tag_works_also_on_events_that_were_given_another() -> None:
    apart = SetFilter(fields={"tag": "posture"})
    secrets = RedactFilter(patterns=("hunter2",))
    passed = rules(apart, secrets).apply(events([{"resource": "--password=hunter2"}]), 0)
    assert passed.rows.column("resource").to_pylist() == ["--password=[redacted]"]
