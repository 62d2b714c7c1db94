"""Filters that work row by row: what passes, what is changed, and what is counted."""

import msgspec
import pyarrow as pa
import pytest

from armorstack.config import (
    DropFilter,
    KeepFilter,
    RemoveFilter,
    RenameFilter,
    SampleFilter,
    Select,
    SetFilter,
)
from armorstack.core.batch import SCHEMA
from armorstack.core.decode import decode
from armorstack.core.filters.contract import Flow
from armorstack.core.rebuild import rebuild
from tests.support.frames import lines, row
from tests.support.rules import event_id, events, rules, serialized

SHELLS = Select(processes=("*/sh", "*/bash"))
MIXED = (
    {"stream": "alert", "process_name": "/bin/sh"},
    {"stream": "alert", "process_name": "/bin/ls"},
    {"stream": "log", "process_name": "/bin/bash"},
    {"stream": "log", "process_name": None},
    {"stream": "message"},
)


def passed(filter_: object, rows: pa.RecordBatch) -> list[int]:
    """The places of the rows that pass; counts must tell the others."""
    compiled = rules(filter_)
    result = compiled.apply(rows, 0)
    (counts,) = compiled.counts()
    assert counts.dropped == len(rows) - len(result.rows)
    assert counts.changed == 0
    assert result.own.equals(result.rows)
    assert result.rows.schema.equals(SCHEMA)
    return [rows.column("id").to_pylist().index(id_) for id_ in result.rows["id"].to_pylist()]


@pytest.mark.parametrize(
    ("filter_", "wanted"),
    [
        (DropFilter(select=SHELLS), [1, 3, 4]),
        (DropFilter(select=SHELLS, tag="kubearmor.log"), [0, 1, 3, 4]),
        (DropFilter(tag="kubearmor.{log,message}"), [0, 1]),
        (DropFilter(), []),
        (DropFilter(select=Select(pods=("x",))), [0, 1, 2, 3, 4]),
        (KeepFilter(select=SHELLS), [0, 2]),
        (KeepFilter(select=SHELLS, tag="kubearmor.log"), [0, 1, 2, 4]),
        (KeepFilter(select=Select(pods=("x",)), tag="kubearmor.alert"), [2, 3, 4]),
        (KeepFilter(), [0, 1, 2, 3, 4]),
        (SampleFilter(one_in=1), [0, 1, 2, 3, 4]),
        (SampleFilter(one_in=2**62, select=SHELLS), [1, 3, 4]),
        (SampleFilter(one_in=2**62, tag="kubearmor.alert"), [2, 3, 4]),
    ],
)
def test_drop_keep_and_sample_let_these_pass(filter_: object, wanted: list[int]) -> None:
    assert passed(filter_, events(MIXED)) == wanted
    doubled = pa.concat_batches([events([{}]), events(MIXED)])
    assert passed(filter_, doubled.slice(1)) == wanted


def test_a_batch_without_rows_passes_every_filter() -> None:
    filters = (DropFilter(), KeepFilter(select=SHELLS), SampleFilter(one_in=3))
    assert len(rules(*filters).apply(events([]), 0).rows) == 0
    assert len(rules(*filters).apply_alone(events([])).rows) == 0


def test_a_sample_is_about_one_in_so_many_and_the_same_for_everyone() -> None:
    rows = events({} for _ in range(4000))
    chosen = passed(SampleFilter(one_in=10), rows)
    assert 320 < len(chosen) < 480
    assert passed(SampleFilter(one_in=10, name="elsewhere"), rows) == chosen
    assert passed(SampleFilter(one_in=2), rows) != chosen


def changed(filter_: object, rows: pa.RecordBatch, count: int) -> pa.RecordBatch:
    compiled = rules(filter_)
    result = compiled.apply(rows, 0).rows
    (counts,) = compiled.counts()
    assert (counts.dropped, counts.changed) == (0, count)
    assert result.schema.equals(SCHEMA)
    assert result.column("id").equals(rows.column("id"))
    result.validate(full=True)
    return result


def test_set_gives_the_selected_events_the_text() -> None:
    rows = events([{"pod_name": "a", "original": b"x"}, {"pod_name": "b"}, {}])
    filter_ = SetFilter(fields={"cluster": "prod", "PodName": ""}, select=Select(pods=("a", "")))
    result = changed(filter_, rows, 2)
    assert result["cluster_name"].to_pylist() == ["prod", None, "prod"]
    assert result["pod_name"].to_pylist() == [None, "b", None]
    assert result["original"].to_pylist() == [b"x", None, None]


def test_set_moves_events_to_a_tag_that_later_filters_and_only_they_see() -> None:
    retag = SetFilter(fields={"tag": "kubearmor.alert.shell"}, select=SHELLS)
    later = DropFilter(tag="*.*.shell")
    earlier = DropFilter(tag="kubearmor.alert.shell")
    rows = events(MIXED)
    assert len(rules(retag, later).apply(rows, 0).rows) == 3
    assert len(rules(earlier, retag).apply(rows, 0).rows) == 5
    assert len(rules(retag, DropFilter(tag="kubearmor.alert")).apply(rows, 0).rows) == 4
    assert rules(retag).apply(rows, 0).rows.equals(rows)


def test_the_tag_of_an_event_is_its_streams_until_it_is_set() -> None:
    flow = Flow(events(MIXED))
    assert flow.tags().to_pylist() == [f"kubearmor.{each['stream']}" for each in MIXED]


def test_remove_empties_fields_of_every_kind() -> None:
    full = {
        "pod_name": "p", "host_pid": 7, "atags": ["a"], "event_data": [("k", "v")], "uid": 0,
        "owner_name": "o", "original": b"all of it", "timestamp": 5,
    }  # fmt: skip
    rows = events([full, full | {"stream": "log"}, {}])
    names = ("pod", "HostPID", "tag", "event_data", "UID", "Owner.Name", "timestamp")
    result = changed(RemoveFilter(fields=names, tag="kubearmor.alert"), rows, 2).to_pylist()
    assert [key for key in full if result[0][key] is not None] == []
    assert {key: result[1][key] for key in full} == full


def test_what_is_removed_is_gone_from_what_is_kept_of_the_original_too() -> None:
    written = {
        "Timestamp": 1795443026, "Type": "HostLog", "HostName": "n", "Resource": "secret",
        "resource": "secret", "Owner": {"Ref": "Pod", "Novel": "secret"}, "Novel": {"a": [1]},
        "": "nameless",
    }  # fmt: skip
    decoded = decode([row([msgspec.json.encode(written)])], keep_original=True).batch.rows
    result = changed(RemoveFilter(fields=("resource", "Owner.Ref")), decoded, 1)
    assert b"secret" not in serialized(result)
    (event,) = result.to_pylist()
    assert rebuild(event)["Novel"] == {"a": [1]}
    assert rebuild(event)[""] == "nameless"


def test_remove_leaves_no_extra_where_nothing_else_is_in_it() -> None:
    rows = events([{"extra": '{"set":{"Data":"x"}}', "spelling": "pascal"}, {"extra": None}])
    assert changed(RemoveFilter(fields=("data",)), rows, 2)["extra"].to_pylist() == [None, None]


def test_rename_moves_what_is_there_and_nothing_else() -> None:
    rows = events([
        {"data": "d", "cwd": "c"}, {"data": None, "cwd": "c"}, {"data": "d", "stream": "log"},
    ])  # fmt: skip
    result = changed(RenameFilter(fields={"data": "cwd"}, tag="kubearmor.alert"), rows, 1)
    assert result["cwd"].to_pylist() == ["d", "c", None]
    assert result["data"].to_pylist() == [None, None, "d"]


def test_rename_moves_all_at_once_so_that_fields_can_change_places() -> None:
    rows = events([{"data": "d", "cwd": "c"}, {"data": "d"}, {"cwd": "c"}, {}])
    result = changed(RenameFilter(fields={"data": "cwd", "cwd": "data"}), rows, 3)
    assert result["data"].to_pylist() == ["c", None, "c", None]
    assert result["cwd"].to_pylist() == ["d", "d", None, None]


def test_rename_of_two_to_one_keeps_the_last_that_is_there() -> None:
    rows = events([{"data": "d", "tty": "t"}, {"data": "d"}, {"tty": "t"}, {"cwd": "c"}])
    result = changed(RenameFilter(fields={"data": "cwd", "tty": "cwd"}), rows, 3)
    assert result["cwd"].to_pylist() == ["t", "d", "t", "c"]
    assert result["data"].null_count == result["tty"].null_count == 4


def test_filters_leave_recorded_events_readable() -> None:
    rows = decode([row(lines("relay-stdout-real.jsonl"))], keep_original=True).batch.rows
    filters = (
        SetFilter(fields={"cluster": "prod"}), RemoveFilter(fields=("user", "event_data")),
        RenameFilter(fields={"data": "cwd"}),
    )  # fmt: skip
    result = rules(*filters).apply(rows, 0).rows
    result.validate(full=True)
    assert result["id"].equals(rows["id"])
    for event in result.to_pylist():
        told = rebuild(event)
        assert told["ClusterName"] == "prod"
        assert not told.keys() & {"UserName", "EventData", "Data"}


def test_ids_in_tests_are_those_of_their_numbers() -> None:
    assert events([{}, {}])["id"].to_pylist() == [event_id(0), event_id(1)]
