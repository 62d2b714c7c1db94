"""Whatever an event says, its stored document gives it back exactly, also after JSON."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from armorstack.core.ecs.exact import LONGEST
from armorstack.core.ecs.stored import LONGEST_PAIR, from_stored, to_stored
from armorstack.core.fields import FIELDS
from armorstack.core.ids import text as stored_id
from tests.property.test_ecs import rows
from tests.support.ecs import RECORDED_FILES, event, recorded_rows

TIMES = ("time", "received", "fold_first", "fold_last")
MICROSECOND = timedelta(microseconds=1)


def as_read(row: dict[str, Any]) -> dict[str, Any]:
    """The row as a store gives it: what has a value, times as numbers, maps as dicts."""
    found = {name: value for name, value in row.items() if value is not None}
    for name in TIMES:
        if name in found:
            found[name] = (found[name] - datetime(1970, 1, 1)) // MICROSECOND
    if "event_data" in found:
        found["event_data"] = dict(found["event_data"])
    return found


def back(row: dict[str, Any]) -> dict[str, Any]:
    id_ = stored_id(row["id"]) if row.get("id") else ""
    return from_stored(msgspec.json.decode(msgspec.json.encode(to_stored(row))), id_)


@given(rows())
@example(event(original=b"\xff", spelling="pascal"))
@example(event(original=b"", id=b""))
@example(event(type="MatchedPolicy"))
@example(event(stream="alert", severity="07"))
@example(event(stream="alert", severity="\u0661", fold_count=0))
@example(event(atags=[], event_data={}))
@example(event(atags=["a", "", "a"]))
@example(event(data="Syscall=SYS_OPENAT", event_data={"Flags": ""}))
@example(event(operation="Process", event_data={"a.b": "1", "a_b": "2"}))
@example(event(action="Audit (Block)"))
@example(event(labels="app=a,app.kubernetes.io/name=b, c"))
@example(event(host_ip="fe80::1%eth0", container_image="a@sha256:00"))
def test_every_row_comes_back_as_it_was(row: dict[str, Any]) -> None:
    assert back(row) == as_read(row)


@given(st.sampled_from([field.column for field in FIELDS if field.kind == "text"]))
def test_an_empty_text_is_not_the_same_as_none(column: str) -> None:
    row = event(stream="alert", time=datetime(2026, 11, 23), **{column: ""})
    assert back(row) == as_read(row)


@pytest.mark.parametrize("name", RECORDED_FILES)
def test_recorded_events_come_back_as_they_were(name: str) -> None:
    for row in recorded_rows(name):
        assert back(row) == as_read(row)


@pytest.mark.parametrize("name", RECORDED_FILES)
def test_recorded_events_hardly_ever_need_columns_of_their_own(name: str) -> None:
    stored = [to_stored(row) for row in recorded_rows(name)]
    own = [document["armorstack"].get("columns", {}) for document in stored]
    names = {column for each in own for column in each}
    assert names <= {"event_data", "updated_time", "severity", "atags"}, names


@given(
    st.dictionaries(
        st.integers(LONGEST_PAIR - 2, LONGEST + 2).map(lambda n: "k" * n) | st.just("key"),
        st.integers(LONGEST_PAIR - 2, 2 * LONGEST).map(lambda n: "\u20ac" * n) | st.just("v"),
    )
)
def test_no_flattened_path_holds_more_than_an_engine_takes(pairs: dict[str, str]) -> None:
    labels = ",".join(f"{key}={value}" for key, value in pairs.items())
    row = event(stream="log", event_data=pairs, labels=labels)
    document = to_stored(row)
    for parent, leaf in (("kubearmor", "event_data"), ("kubernetes", "labels")):
        for key, value in document.get(parent, {}).get(leaf, {}).items():
            assert len(f"{parent}.{leaf}.{key}={value}".encode()) < 32_766
    assert back(row) == as_read(row)


def test_a_row_may_leave_absent_columns_out() -> None:
    row = {"stream": "alert", "type": "MatchedPolicy", "resource": "/bin/sh"}
    assert back(row) == row
