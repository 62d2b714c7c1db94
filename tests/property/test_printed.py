"""Documents by moulds are those that are made one by one."""

import json
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armorstack.core.batch import SCHEMA
from armorstack.core.ecs import moulds, printed
from armorstack.core.ecs.document import OPERATIONS
from armorstack.core.ecs.exact import order_of
from armorstack.core.ecs.moulds import NUMBERS, TEXTS, WORKLOAD
from armorstack.core.ecs.printed import Printer
from armorstack.core.ecs.stored import to_stored
from bench import corpus
from tests.property.test_ecs import OWN, PAIRS, rows
from tests.support.ecs import RECORDED_FILES, event, recorded_rows

OFTEN = (*WORKLOAD, *NUMBERS, *TEXTS, "id", "time", "received", "original", "resource")
"""Columns in which events of one kind differ."""

USUAL: dict[str, st.SearchStrategy[Any]] = {
    **{name: OWN[name] for name in ("id", "time", "received", "stream")},
    **dict.fromkeys(("extra", "fold_count", "fold_first", "fold_last"), st.none()),
    "operation": st.sampled_from([*OPERATIONS]),
    "event_data": st.one_of(st.none(), PAIRS),
}


def batch_of(events: list[dict[str, Any]]) -> pa.RecordBatch:
    columns = []
    for field in SCHEMA:
        values = [each.get(field.name) for each in events]
        if pa.types.is_map(field.type):
            values = [None if value is None else list(dict(value).items()) for value in values]
        columns.append(pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def one_by_one(batch: pa.RecordBatch) -> list[Any]:
    return [msgspec.json.decode(msgspec.json.encode(to_stored(row))) for row in batch.to_pylist()]


def by_moulds(batch: pa.RecordBatch, printer: Printer | None = None) -> list[Any]:
    heads = [b"%d " % at for at in range(len(batch))]
    lines = [line for some in (printer or Printer()).lines(batch, heads) for line in some]
    assert all(line.startswith(head) for line, head in zip(lines, heads, strict=True))
    assert all(line.index(b"\n") == len(line) - 1 for line in lines)
    return [json.loads(line.partition(b" ")[2], object_pairs_hook=each_once) for line in lines]


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Engines refuse a document that names a member twice."""
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


@st.composite
def alike(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A few kinds of events, each several times with other values in what differs."""
    kinds = draw(st.lists(rows(**USUAL), min_size=1, max_size=3))
    others = draw(st.lists(st.one_of(rows(), rows(**USUAL)), min_size=1, max_size=3))
    events = []
    for _ in range(draw(st.integers(1, 8))):
        made = dict(draw(st.sampled_from(kinds)))
        other = draw(st.sampled_from(others))
        for name in draw(st.sets(st.sampled_from(OFTEN))):
            made[name] = other[name]
        events.append(made)
    return events


@given(alike())
def test_a_document_by_a_mould_is_the_one_that_is_made_alone(events: list[dict[str, Any]]) -> None:
    batch = batch_of(events)
    assert by_moulds(batch) == one_by_one(batch)


def test_what_one_event_has_and_the_next_one_not_is_left_out_with_its_comma() -> None:
    known = {"id": bytes(32), "time": datetime(2026, 11, 23), "received": datetime(2026, 11, 23)}
    events = [
        event(known, stream="alert", operation=operation, resource=resource, labels=labels,
              data=data, owner_ref="Deployment", owner_name=owner, host_ip=ip)
        for operation, data in (
            ("File", None), ("Process", None), ("Process", "Syscall=SYS_PTRACE"), ("Network", None),
            (None, None),
        )
        for resource in (None, "/a/b.c")
        for labels in ("a=b", ",", None)
        for owner in ("web", None)
        for ip in ("10.0.0.1", "nowhere", None)
    ]  # fmt: skip
    batch = batch_of(events)
    assert by_moulds(batch) == one_by_one(batch)


def test_events_that_no_mould_is_for_are_made_alone() -> None:
    known = {"id": bytes(32), "time": datetime(2026, 11, 23), "received": datetime(2026, 11, 23)}
    plain = {**known, "stream": "alert", "operation": "File", "resource": "/a", "exec_id": "7"}
    odd: list[dict[str, Any]] = [
        {}, {"stream": "message"}, {"stream": None, "type": "HostLog"}, {"stream": "other"},
        {"extra": "{}"}, {"fold_count": 3}, {"pod_name": ""}, {"resource": ""}, {"exec_id": ""},
        {"exec_id": 'a"b\\c\n'}, {"namespace_name": 'a"b\n'}, {"resource": 'a"b\\c\n'},
        {"pod_name": "x" * 9_000}, {"original": b""}, {"original": b"\xff", "spelling": "pascal"},
        {"original": b'{"a": 1}', "spelling": "pascal"},
        {"original": b"\0", "spelling": "protobuf"},
    ]  # fmt: skip
    batch = batch_of([event(plain, **each) for each in (*odd, {}, *odd)])
    assert by_moulds(batch) == one_by_one(batch)


def test_what_is_forgotten_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printed, "MOST_BYTES", 10_000)
    events = recorded_rows("alerts-real.jsonl")
    events = [each | {"pod_name": f"pod-{at % 40}"} for at, each in enumerate(events)]
    batch, printer = batch_of(events), Printer()
    wanted = one_by_one(batch)
    for _ in range(2):
        assert by_moulds(batch, printer) == wanted
    assert 0 < len(printer._moulds) < 10
    assert 0 < len(printer._workloads) < 10


@pytest.mark.parametrize("marks", moulds._MARKS)
def test_text_that_looks_like_a_mark_stays_what_it_is(marks: Any) -> None:
    known = {"id": bytes(32), "time": datetime(2026, 11, 23), "received": datetime(2026, 11, 23)}
    looks = [str(marks.at(name)) for name in (*NUMBERS, *TEXTS, "namespace", "root", "order")]
    looks.append(str(order_of(marks.at("order").encode().ljust(32))))
    events = [
        event(known, stream="alert", operation="File", resource="/a", source=f"{look}:0",
              host_pid=pid, pid=pid, exec_id="7", namespace_name="shop")
        for look in looks
        for pid in (7, 8)
    ]  # fmt: skip
    batch = batch_of(events)
    assert by_moulds(batch) == one_by_one(batch)


@pytest.mark.parametrize("name", RECORDED_FILES)
def test_so_are_those_of_recorded_events(name: str) -> None:
    batch = batch_of(recorded_rows(name))
    printer = Printer()
    wanted = one_by_one(batch)
    assert by_moulds(batch, printer) == wanted
    assert by_moulds(batch, printer) == wanted


def test_most_events_of_a_cluster_are_made_by_moulds(monkeypatch: pytest.MonkeyPatch) -> None:
    from armorstack.core.decode import decode
    from tests.support.frames import row

    frames = corpus.frames("alert", 400)
    batch = decode([row(frames, "alert", "protobuf")]).batch.rows
    assert len(batch) == len(frames)
    wanted = one_by_one(batch)
    alone = 0

    def counted(event: dict[str, Any]) -> dict[str, Any]:
        nonlocal alone
        alone += 1
        return to_stored(event)

    monkeypatch.setattr(printed, "to_stored", counted)
    assert by_moulds(batch) == wanted
    assert alone == 0


def test_a_batch_of_several_portions_is_whole_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printed, "PORTION", 7)
    events = [row for name in RECORDED_FILES for row in recorded_rows(name)[:9]]
    odd = events[0] | {"extra": "{}"}
    for each in (events, [*events, odd, *events]):
        batch = batch_of(each)
        portions = list(Printer().lines(batch, [b""] * len(each)))
        assert [len(some) for some in portions[:-1]] == [7] * (len(portions) - 1)
        assert by_moulds(batch) == one_by_one(batch)
