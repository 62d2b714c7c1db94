"""Events and gaps as lines of JSON."""

import json
from typing import Any

import pytest
from msgspec.structs import asdict

from armorstack.config import Form
from armorstack.core.decode import decode
from armorstack.core.gap import Gap
from armorstack.sinks.lines import event_lines, gap_lines
from tests.support.frames import lines, protobuf, recorded, row
from tests.support.stores import NOW_US, SECOND_US, rows

FORMS: tuple[Form, ...] = ("ecs", "kubearmor")
GAP = Gap(reason="spool_overflow", source="relay/a", start_us=NOW_US, end_us=NOW_US + 1, lost=0)
HOSTILE = 'a\nb\r\x00\x1b[2J\x7f\x85\u2028\u2029\u202e\ufeff\U000e0041é日🙂"\\'


def events(frames: list[bytes], form: Form) -> list[dict[str, Any]]:
    return [json.loads(line) for line in event_lines(decode([row(frames)]).batch.rows, form)]


def test_an_event_is_one_line_of_ecs_without_the_time_of_ingestion() -> None:
    [event] = events(lines("alerts-real.jsonl")[:1], "ecs")
    assert event["event"]["module"] == "kubearmor"
    assert event["event"]["id"]
    assert "ingested" not in event["event"]


@pytest.mark.parametrize(
    "name",
    ["alerts-real.jsonl", "logs-real.jsonl", "messages-real.jsonl", "relay-stdout-real.jsonl"],
)
def test_what_the_relay_printed_is_printed_again(name: str) -> None:
    frames = [line for line in lines(name) if line.startswith(b"{")]
    assert events(frames, "kubearmor") == [json.loads(frame) for frame in frames]


def test_an_event_that_came_as_protobuf_is_what_the_relay_prints() -> None:
    frames = [protobuf(event, "alert") for event in recorded("alert")]
    batch = decode([row(frames, "alert", "protobuf")]).batch
    printed = [json.loads(line) for line in event_lines(batch.rows, "kubearmor")]
    assert printed == recorded("alert")


@pytest.mark.parametrize("name", ["kubearmor-file-camelcase-real.jsonl", "protojson-real.jsonl"])
def test_events_of_other_spellings_are_printed_in_kubearmors_own(name: str) -> None:
    for frame, event in zip(lines(name), events(lines(name), "kubearmor"), strict=True):
        came = json.loads(frame)
        assert event["Operation"] == came.get("operation", came.get("Operation"))
        assert "operation" not in event
        assert isinstance(event.get("Timestamp", 0), int)


@pytest.mark.parametrize(
    "line", [b'{"operation":"File","New":[1]}', b'{"Operation":"File","New":[1]}']
)
def test_members_beyond_the_table_are_printed(line: bytes) -> None:
    event = json.loads(lines("kubearmor-file-camelcase-real.jsonl")[0])
    if b'"Operation"' in line:
        event = recorded("log")[0]
    [printed] = events([json.dumps(event | json.loads(line)).encode()], "kubearmor")
    assert (printed["New"], printed["Operation"]) == ([1], "File")


def test_a_folded_event_says_how_many_it_is() -> None:
    first, last = NOW_US - SECOND_US, NOW_US
    folded = rows([("a", NOW_US)], fold_count=7, fold_first=first, fold_last=last)
    [ecs], [kubearmor] = ([json.loads(line) for line in event_lines(folded, f)] for f in FORMS)
    assert ecs["armorstack"]["count"] == kubearmor["ArmorstackCount"] == 7
    assert ecs["event"]["start"] == kubearmor["ArmorstackFirst"] == "2026-11-23T14:59:59.000000Z"
    assert ecs["event"]["end"] == kubearmor["ArmorstackLast"] == "2026-11-23T15:00:00.000000Z"


def test_an_event_that_was_not_folded_has_no_member_of_ours() -> None:
    [line] = event_lines(rows([("a", NOW_US)]), "kubearmor")
    assert b"Armorstack" not in line


def test_a_gap_is_a_document_of_its_own_dataset() -> None:
    [line] = gap_lines([GAP], "ecs")
    assert json.loads(line) == {
        "@timestamp": "2026-11-23T15:00:00.000001Z",
        "event": {
            "id": json.loads(line)["event"]["id"],
            "kind": "event",
            "module": "armorstack",
            "dataset": "armorstack.gaps",
            "reason": "spool_overflow",
            "start": "2026-11-23T15:00:00.000000Z",
            "end": "2026-11-23T15:00:00.000001Z",
        },
        "armorstack": {"gap": {"source": "relay/a", "lost": 0}},
        "ecs": {"version": "8.11.0"},
    }


def test_a_gap_tells_all_that_is_known_of_it() -> None:
    gap = Gap(**asdict(GAP) | {"stream": "log", "node": "n1", "detail": HOSTILE, "lost": None})
    [line] = gap_lines([gap], "ecs")
    assert json.loads(line)["armorstack"]["gap"] == {
        "source": "relay/a", "stream": "log", "node": "n1", "detail": HOSTILE,
    }  # fmt: skip
    assert b"\n" not in line[:-1]


def test_who_reads_kubearmors_lines_meets_no_gap() -> None:
    assert gap_lines([GAP], "kubearmor") == []


@pytest.mark.parametrize("form", FORMS)
def test_hostile_text_neither_ends_a_line_nor_reaches_a_terminal(form: Form) -> None:
    [line] = event_lines(rows([("a", NOW_US)], resource=HOSTILE, process_name=HOSTILE), form)
    assert line.endswith(b"\n")
    shown = line[:-1].decode()
    assert len(shown.splitlines()) == 1
    assert shown.isprintable()
    assert "é日🙂" in shown
    event = json.loads(line)
    assert (event.get("Resource") or event["kubearmor"]["resource"]) == HOSTILE


def test_delete_alone_is_escaped_too() -> None:
    [line] = event_lines(rows([("a", NOW_US)], resource="a\x7fb"), "ecs")
    assert b'"a\\u007fb"' in line


def test_no_events_are_no_lines() -> None:
    assert event_lines(rows([]), "ecs") == []
