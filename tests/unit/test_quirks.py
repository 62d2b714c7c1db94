"""The thirteen quirks of KubeArmor's feed, one test (or more) each, named after it."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from armorstack.core import ids
from armorstack.core.decode import decode
from armorstack.core.ecs import to_ecs
from armorstack.core.fields import STREAMS, Stream
from armorstack.core.rebuild import from_micros, rebuild
from tests.support.frames import lines, protobuf, recorded, row


def _events(frames: Sequence[bytes], stream: str = "auto", encoding: str = "json") -> Any:
    return decode([row(list(frames), stream, encoding)]).batch.rows.to_pylist()


def _one(**members: Any) -> dict[str, Any]:
    base = {"Timestamp": 1795443038, "UpdatedTime": "2026-11-23T14:10:38.891126Z"}
    (event,) = _events([json.dumps(base | {"Type": "HostLog"} | members).encode()])
    return dict(event)


def test_quirk_1_updated_time_has_six_digits_and_is_kept_as_a_time_alone() -> None:
    event = _one()
    assert event["time"] == from_micros(1_795_443_038_891_126)
    assert event["updated_time"] is None


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("2026-11-23T14:10:38.891126789Z", 1_795_443_038_891_126),
        ("2026-11-23T16:10:38.891126+02:00", 1_795_443_038_891_126),
        ("2026-11-23 14:10:38.891126Z", 1_795_443_038_891_126),
        ("2026-11-23T14:10:38Z", 1_795_443_038_000_000),
        ("yesterday, or so", 1_795_443_038_000_000),
        ("0000-01-01T00:00:00.000000Z", 1_795_443_038_000_000),
        ("9999-99-99T99:99:99.999999Z", 1_795_443_038_000_000),
    ],
)
def test_quirk_1_another_spelling_of_the_time_is_read_and_its_text_kept(
    written: str, micros: int
) -> None:
    for event in (
        _one(UpdatedTime=written),
        *_events([protobuf(_members(written), "log")], "log", "protobuf"),
    ):
        assert event["time"] == from_micros(micros)
        assert event["updated_time"] == written
        assert rebuild(event)["UpdatedTime"] == written


def _members(written: str) -> dict[str, Any]:
    return {"Timestamp": 1795443038, "UpdatedTime": written, "Type": "HostLog"}


def test_quirk_1_usb_events_without_any_time_are_kept() -> None:
    (event,) = _events([b'{"Type":"MatchedHostPolicy","HostName":"n","Operation":"Device"}'])
    assert event["stream"] == "alert"
    assert event["time"] == event["received"]


def test_quirk_2_no_event_id_so_one_is_made_and_no_two_recorded_events_share_it() -> None:
    for stream in STREAMS:
        frames = [protobuf(e, stream) for e in recorded(stream)]
        found = [event["id"] for event in _events(frames, stream, "protobuf")]
        assert len(set(found)) == len(found)


def test_quirk_3_resource_keys_come_in_any_order_and_mean_the_same() -> None:
    orders = [
        "sa_family=AF_INET sin_port=443 sin_addr=10.0.0.7",
        "sin_addr=10.0.0.7 sa_family=AF_INET sin_port=443",
        "sin_port=443 sin_addr=10.0.0.7 sa_family=AF_INET",
    ]
    found = [
        to_ecs(_one(Operation="Network", Resource=r, Data="syscall=SYS_CONNECT fd=3"))[
            "destination"
        ]
        for r in orders
    ]
    assert found == [found[0]] * 3
    assert found[0]["ip"] == "10.0.0.7"
    assert found[0]["port"] == 443


def test_quirk_4_event_data_is_derived_where_an_old_node_sends_none() -> None:
    for written in (e for e in recorded("log") if e["Operation"] != "Process"):
        without = {k: v for k, v in written.items() if k != "EventData"}
        (event,) = _events([json.dumps(without).encode()])
        assert to_ecs(event)["kubearmor"]["event_data"] == written["EventData"]


def test_quirk_5_resources_with_spaces_marks_and_utf8_stay_as_they_are() -> None:
    resource = "/tmp/naïve 文件 <script>alert(1)</script>\t\u202e" + "x" * 20_000
    for event in (
        _one(Operation="File", Resource=resource),
        *_events([protobuf({"Resource": resource}, "log")], "log", "protobuf"),
    ):
        assert event["resource"] == resource


def test_quirk_6_a_bpflsm_alert_has_no_flags_and_still_says_what_was_done() -> None:
    alerts = [e for e in recorded("alert") if e["Enforcer"] == "BPFLSM"]
    blocked = [e for e in alerts if e["Result"] == "Permission denied"]
    assert blocked
    for event in _events([json.dumps(e).encode() for e in blocked]):
        document = to_ecs(event)
        assert event["cwd"] == "/"
        assert document["event"]["action"]
        assert document["event"]["outcome"] == "failure"


def test_quirk_7_the_log_beside_a_blocked_act_stays_a_log_though_it_names_the_policy() -> None:
    doubles = [
        line
        for line in lines("kubearmor-file-camelcase-real.jsonl")
        if json.loads(line)["type"] == "HostLog" and "policyName" in json.loads(line)
    ]
    assert doubles
    assert {e["stream"] for e in _events(doubles)} == {"log"}
    assert all(e["policy_name"] for e in _events(doubles))


def test_quirk_8_an_audited_syscall_comes_twice_and_both_are_kept() -> None:
    syscalls = [e for e in recorded("log") if e["Operation"] == "Syscall"]
    assert syscalls
    twins = [e | {"Operation": "File"} for e in syscalls]
    frames = [protobuf(e, "log") for e in (*syscalls, *twins)]
    found = {event["id"] for event in _events(frames, "log", "protobuf")}
    assert len(found) == len(frames)


def test_quirk_9_events_of_a_reader_of_the_feed_itself_are_recognisable() -> None:
    event = _one(
        Operation="Network",
        ProcessName="/usr/bin/python3",
        Resource="remoteip=127.0.0.1 port=32767 protocol=TCP",
        Data="kprobe=tcp_connect domain=AF_INET",
    )
    document = to_ecs(event)
    assert document["destination"]["port"] == 32767
    assert document["process"]["executable"] == "/usr/bin/python3"


def test_quirk_10_the_one_event_that_marks_a_throttle_carries_its_limits() -> None:
    (throttle,) = [e for e in recorded("alert") if e["Type"] == "SystemEvent"]
    (event,) = _events([protobuf(throttle, "alert")], "alert", "protobuf")
    assert (event["max_alerts_per_sec"], event["dropping_alerts_interval"]) == (
        throttle["MaxAlertsPerSec"],
        throttle["DroppingAlertsInterval"],
    )
    assert to_ecs(event)["event"]["kind"] == "event"
    assert rebuild(event) == throttle


def test_quirk_11_a_tag_with_a_comma_is_one_tag() -> None:
    event = _one(Type="MatchedPolicy", Tags="a,b,c", ATags=["a,b", "c"])
    assert event["atags"] == ["a,b", "c"]
    assert to_ecs(event)["tags"] == ["a,b", "c"]


@pytest.mark.parametrize(
    ("encoding", "stream", "expected"),
    [("protobuf", "log", "log"), ("protobuf", "alert", "alert"), ("json", "auto", "log")],
)
def test_quirk_12_a_network_policy_event_is_alert_or_log_by_its_stream_or_its_fields(
    encoding: str, stream: str, expected: str
) -> None:
    members = {
        "Timestamp": 1795443038,
        "Type": "MatchedNetworkPolicy",
        "Operation": "NetworkFirewall",
        "Resource": "SourceIP=10.0.0.1",
    }
    made: dict[str, Stream] = {"alert": "alert", "log": "log"}
    as_json = json.dumps(members).encode()
    frame = as_json if encoding == "json" else protobuf(members, made[stream])
    (event,) = _events([frame], stream, encoding)
    assert event["stream"] == expected
    if encoding == "json":
        with_policy = json.dumps(members | {"PolicyName": "deny-egress"}).encode()
        assert _events([with_policy])[0]["stream"] == "alert"


def test_quirk_13_a_full_queue_drops_unseen_so_ids_let_a_second_reader_fill_the_hole() -> None:
    frames = [protobuf(e, "alert") for e in recorded("alert")]
    first = {e["id"] for e in _events(frames[::2], "alert", "protobuf")}
    second = {e["id"] for e in _events(frames, "alert", "protobuf")}
    assert first < second
    assert len(second) == len(frames)
    assert len(ids.text(next(iter(first)))) == 44
