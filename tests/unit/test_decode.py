"""Recorded events decode whole, in every spelling, and malformed neighbours harm nobody."""

import json
from typing import Any

import pytest

from armorstack.core.batch import SCHEMA
from armorstack.core.decode import Decoded, decode
from armorstack.core.fields import FIELDS, STREAMS, Stream
from armorstack.core.gap import Gap, encode_gap
from armorstack.core.rebuild import from_micros, rebuild
from tests.support.frames import RECEIVED_US, lines, protobuf, recorded, row

JSON_FILES = (
    "alerts-real.jsonl",
    "logs-real.jsonl",
    "messages-real.jsonl",
    "kubearmor-file-camelcase-real.jsonl",
    "protojson-real.jsonl",
    "relay-stdout-real.jsonl",
)


def events(decoded: Decoded) -> list[dict[str, Any]]:
    return list(decoded.batch.rows.to_pylist())


@pytest.mark.parametrize("name", JSON_FILES)
def test_every_recorded_line_decodes_without_an_unknown_field_and_is_rebuilt_equal(
    name: str,
) -> None:
    written = lines(name)
    decoded = decode([row(written)])
    assert decoded.rejected == ()
    assert decoded.unknown == 0
    assert [rebuild(e) for e in events(decoded)] == [json.loads(line) for line in written]


@pytest.mark.parametrize("name", JSON_FILES)
def test_the_columns_alone_rebuild_recorded_events_but_for_an_empty_tag_list(name: str) -> None:
    extras = {e["extra"] for e in events(decode([row(lines(name))])) if e["extra"]}
    assert extras <= {'{"set":{"atags":[]}}'}


@pytest.mark.parametrize("stream", STREAMS)
def test_protobuf_and_json_of_one_event_give_the_same_columns(stream: Stream) -> None:
    written = recorded(stream)
    from_json = decode([row([json.dumps(e).encode() for e in written], stream)])
    frames = [protobuf(e, stream) for e in written]
    from_protobuf = decode([row(frames, stream, "protobuf")])
    differing = {
        name
        for left, right in zip(events(from_json), events(from_protobuf), strict=True)
        for name in SCHEMA.names
        if _plain(left[name]) != _plain(right[name])
    }
    assert differing == {"spelling"}
    assert [rebuild(e) for e in events(from_protobuf)] == written


def _plain(value: Any) -> Any:
    pairs = isinstance(value, list) and value and isinstance(value[0], tuple)
    return dict(value) if pairs else value


def test_the_relays_own_log_lines_are_told_apart_and_only_counted() -> None:
    own = lines("relay-stderr-own-log.jsonl")
    decoded = decode([row([*own, lines("alerts-real.jsonl")[0]])])
    assert decoded.skipped == {"relay_log": len(own)}
    assert decoded.rejected == ()
    assert len(decoded.batch.rows) == 1


MALFORMED = {
    b"{": "malformed_json",
    b"\xff\xfe": "malformed_json",
    b'{"a":1} trailing': "malformed_json",
    b"[" * 100_000: "malformed_json",
    b"[1,2]": "not_an_event",
    b'"text"': "not_an_event",
    b'{"log":"else"}': "not_an_event",
    b'{"Timestamp":1,"UpdatedTime":"x","PID":"twelve"}': "wrong_type",
    b'{"Timestamp":1,"UpdatedTime":"x","PID":9999999999}': "wrong_type",
    b'{"Timestamp":1,"UpdatedTime":"x","PID":true}': "wrong_type",
    b'{"Timestamp":1,"UpdatedTime":7}': "wrong_type",
    b'{"Timestamp":1,"UpdatedTime":"x","Owner":"me"}': "wrong_type",
    b'{"Timestamp":1,"UpdatedTime":"x","ATags":"a,b"}': "wrong_type",
    b'{"Timestamp":1,"UpdatedTime":"x","EventData":{"Fd":3}}': "wrong_type",
    b'{"Timestamp":1e400,"UpdatedTime":"x"}': "malformed_json",
    b'{"Timestamp":1.5,"UpdatedTime":"x"}': "wrong_type",
}


@pytest.mark.parametrize(("line", "error_type"), MALFORMED.items(), ids=repr)
def test_a_malformed_line_is_rejected_whole_and_its_neighbours_are_kept(
    line: bytes, error_type: str
) -> None:
    before, after = lines("alerts-real.jsonl")[:2]
    decoded = decode([row([before, line, after], seq=7)])
    (fault,) = decoded.rejected
    assert (fault.frame, fault.error_type, fault.seq) == (line, error_type, 7)
    assert fault.reason
    assert [rebuild(e) for e in events(decoded)] == [json.loads(before), json.loads(after)]


@pytest.mark.parametrize(
    "frame",
    [b"\xff", b"\x0a", b"\x22\x02\xff\xfe", b"\x12\xff\xff\xff\xff\x0f", b"{}", b"\x00" * 9],
    ids=repr,
)
def test_a_malformed_message_is_rejected_and_its_neighbours_are_kept(frame: bytes) -> None:
    sound = [protobuf(e, "alert") for e in recorded("alert")[:5]]
    decoded = decode([row([*sound[:2], frame, *sound[2:]], "alert", "protobuf")])
    assert [(r.frame, r.error_type) for r in decoded.rejected] == [(frame, "malformed_protobuf")]
    assert [rebuild(e) for e in events(decoded)] == recorded("alert")[:5]


def test_several_malformed_messages_in_one_batch_each_become_one_rejection() -> None:
    sound = [protobuf(e, "log") for e in recorded("log")]
    bad_utf8 = b"\x22\x02\xff\xfe"
    frames = [f for s in sound for f in (s, b"\xff", bad_utf8)]
    decoded = decode([row(frames, "log", "protobuf")])
    assert len(decoded.rejected) == 2 * len(sound)
    assert [rebuild(e) for e in events(decoded)] == recorded("log")


def test_a_message_that_only_the_next_ones_bytes_would_complete_is_rejected_alone() -> None:
    cut = bytes.fromhex("ba0106") + b"Pass"  # Result, six bytes long
    whole = bytes.fromhex("0858 6005")  # Timestamp 88, UID 5
    decoded = decode([row([cut, whole], "alert", "protobuf")])
    assert [r.frame for r in decoded.rejected] == [cut]
    assert [(e["timestamp"], e["uid"], e["result"]) for e in events(decoded)] == [(88, 5, None)]


@pytest.mark.parametrize("place", [0, 499, 500, 1_100])
def test_an_unknown_field_is_found_in_whichever_of_many_messages_it_is(place: int) -> None:
    frames = [protobuf(e, "log") for e in recorded("log")[:1]] * 1_101
    frames[place] += bytes.fromhex("c03e07")  # field 1000: 7
    decoded = decode([row(frames, "log", "protobuf")])
    assert (decoded.rejected, decoded.unknown) == ((), 1)
    assert [at for at, e in enumerate(events(decoded)) if e["extra"]] == [place]


def test_unknown_protobuf_fields_are_kept_with_number_and_value() -> None:
    sound = protobuf(recorded("alert")[0], "alert")
    newer = sound + b"\xa2\x06\x03abc" + b"\xa8\x06\x2a"
    decoded = decode([row([sound, newer], "alert", "protobuf")])
    assert decoded.unknown == 1
    first, second = events(decoded)
    assert first["extra"] is None
    assert json.loads(second["extra"]) == {
        "protobuf": [
            {"in": "", "number": 100, "wire": 2, "value": "YWJj"},
            {"in": "", "number": 101, "wire": 0, "value": 42},
        ]
    }
    assert rebuild(second) == recorded("alert")[0]


def test_unknown_fields_inside_a_nested_message_are_kept() -> None:
    exec_event = b"\x0a\x011" + b"\x5a\x01z"
    frame = b"\xa2\x02" + bytes([len(exec_event)]) + exec_event
    (event,) = events(decode([row([frame], "alert", "protobuf")]))
    assert event["exec_id"] == "1"
    assert json.loads(event["extra"])["protobuf"] == [
        {"in": "ExecEvent", "number": 11, "wire": 2, "value": "eg=="}
    ]


def test_unknown_json_members_are_kept_and_come_back() -> None:
    written = recorded("alert")[0] | {"Novel": {"deep": [1, None, 2.5]}, "Empty": ""}
    decoded = decode([row([json.dumps(written).encode()])])
    assert decoded.unknown == 1
    assert rebuild(events(decoded)[0]) == written


def test_members_that_are_present_but_empty_come_back_as_they_were() -> None:
    written = recorded("log")[0] | {"PodName": "", "HostPID": 0, "ATags": [], "TTY": None}
    decoded = decode([row([json.dumps(written).encode()])])
    assert decoded.unknown == 0
    assert rebuild(events(decoded)[0]) == written


def test_rows_of_many_sources_and_streams_decode_in_one_call() -> None:
    frames = {stream: [protobuf(e, stream) for e in recorded(stream)] for stream in STREAMS}
    rows = [
        row(frames[stream], stream, "protobuf", seq=n, source=f"relay-{n % 2}")
        for n, stream in enumerate((*STREAMS, *STREAMS), start=1)
    ]
    decoded = decode(rows)
    assert len(decoded.batch.rows) == 2 * sum(map(len, frames.values()))
    assert decoded.batch.last == 6
    assert decoded.batch.rows.schema.equals(SCHEMA)
    assert set(decoded.batch.rows.column("from_source").to_pylist()) == {"relay-0", "relay-1"}


def test_a_set_cluster_name_takes_the_place_of_the_useless_default_and_changes_no_id() -> None:
    frames = [protobuf(e, "alert") for e in recorded("alert")[:3]]
    own = protobuf(recorded("alert")[3] | {"ClusterName": "prod"}, "alert")
    named = decode([row([*frames, own], "alert", "protobuf", cluster="edge")])
    plain = decode([row([*frames, own], "alert", "protobuf")])
    assert [e["cluster_name"] for e in events(named)] == ["edge"] * 3 + ["prod"]
    assert named.batch.rows.column("id").equals(plain.batch.rows.column("id"))


def test_gaps_pass_through_and_a_malformed_one_is_rejected() -> None:
    gap = Gap(reason="disconnect", source="relay", start_us=1, end_us=2, stream="alert")
    decoded = decode([row([encode_gap(gap), b"{}"], "gap")])
    assert decoded.batch.gaps == (gap,)
    assert [r.error_type for r in decoded.rejected] == ["malformed_gap"]
    assert len(decoded.batch.rows) == 0


def test_a_stream_or_encoding_that_nobody_knows_is_rejected_not_lost() -> None:
    decoded = decode([row([b"a", b"b"], "alert", "xml"), row([b"c"], "other", "protobuf")])
    assert [r.frame for r in decoded.rejected] == [b"a", b"b", b"c"]


def test_originals_are_kept_byte_for_byte_only_when_asked_for() -> None:
    line = lines("alerts-real.jsonl")[0]
    frame = protobuf(recorded("alert")[0], "alert")
    rows = [row([line]), row([b"\xff", frame], "alert", "protobuf", seq=2)]
    kept = decode(rows, keep_original=True).batch.rows.column("original").to_pylist()
    assert kept == [line, frame]
    assert decode(rows).batch.rows.column("original").null_count == 2


def test_absent_values_are_null_but_uid_and_ppid_are_zero_as_kubearmor_says_them() -> None:
    frame = protobuf({"UpdatedTime": "2026-11-23T14:10:38.891126Z"}, "log")
    (event,) = events(decode([row([frame], "log", "protobuf")]))
    present = {f.column for f in FIELDS if event[f.column] is not None}
    assert present == {"uid", "ppid"}
    assert (event["uid"], event["ppid"]) == (0, 0)


def test_an_event_without_any_time_takes_the_time_of_arrival_and_says_no_updated_time() -> None:
    (event,) = events(decode([row([b"\x22\x01n"], "alert", "protobuf")]))
    assert event["time"] == event["received"] == from_micros(RECEIVED_US)
    assert "UpdatedTime" not in rebuild(event)
