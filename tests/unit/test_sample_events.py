"""The sample's events: recorded ones as they were, invented ones marked as such."""

import re
from collections.abc import Mapping
from itertools import islice
from statistics import mean
from typing import Any

import pytest
from google.protobuf.unknown_fields import UnknownFieldSet

from armorstack.core.fields import FIELDS, NESTED, STREAMS, Stream
from armorstack.core.proto import message_class
from armorstack.sample import cast, incident, recorded, replay

STEPS = incident.steps(0)
MEMBERS: dict[Stream, set[str]] = {
    stream: {field.name for field in FIELDS if field.number(stream) and not field.parent}
    | {parent for parent, (_, numbers) in NESTED.items() if stream in numbers}
    for stream in STREAMS
}


def holds(values: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(values.get(name) == value for name, value in wanted.items())


def has(stream: Stream, **wanted: Any) -> bool:
    return any(step.stream == stream and holds(step.values, wanted) for step in STEPS)


def words(values: Mapping[str, Any]) -> set[str]:
    return set(values.get("Tags", "").split(","))


def test_as_many_events_were_recorded_as_the_package_says() -> None:
    assert {stream: len(recorded.events(stream)) for stream in STREAMS} == {
        "alert": 229,
        "log": 493,
        "message": 60,
    }


@pytest.mark.parametrize("stream", STREAMS)
def test_a_recorded_event_says_the_same_as_protobuf(stream: Stream) -> None:
    for values in recorded.events(stream):
        message = message_class(stream).FromString(recorded.encode(stream, values))
        assert len(UnknownFieldSet(message)) == 0
        for name, value in values.items():
            if name in NESTED:
                member = getattr(message, name)
                assert {leaf: getattr(member, leaf) for leaf in value} == value
            elif name == "ATags":
                assert list(message.ATags) == value
            else:
                assert getattr(message, name) == value


@pytest.mark.parametrize("stream", STREAMS)
def test_zeros_stay_off_the_wire_as_in_proto3(stream: Stream) -> None:
    for values in recorded.events(stream):
        message = message_class(stream).FromString(recorded.encode(stream, values))
        assert all(value not in (0, "") for _, value in message.ListFields())


def test_an_unknown_member_is_refused() -> None:
    with pytest.raises(ValueError, match="Severty"):
        recorded.encode("alert", {"Severty": "5"})


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_an_invented_event_cannot_be_taken_for_a_real_one(number: int) -> None:
    values = STEPS[number].values
    assert values["HostName"].startswith("synthetic-")
    assert values["ClusterName"] == "synthetic"
    assert ("PodName" in values) == ("armorstack.io/synthetic=true" in values.get("Labels", ""))


def test_no_recorded_event_carries_the_marks_of_an_invented_one() -> None:
    for stream in STREAMS:
        for values in recorded.events(stream):
            assert cast.CLUSTER not in values["ClusterName"]
            assert not values["HostName"].startswith(cast.HOST_PREFIX)


@pytest.mark.parametrize("step", STEPS)
def test_an_invented_event_has_only_members_that_its_stream_knows(step: incident.Step) -> None:
    assert set(step.values) <= MEMBERS[step.stream]
    recorded.encode(step.stream, step.values)


def test_the_incident_goes_from_the_web_shell_to_the_database() -> None:
    story = [step.values["Resource"] for step in STEPS if "Resource" in step.values]
    stations = ("avatar.php", "dash -c", "bash -i", "token", "curl", "apt-get", "xmrig", "3306")
    found = [next(i for i, text in enumerate(story) if mark in text) for mark in stations]
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        ("alert", {"Action": "Audit (Block)", "Result": "Passed"}),
        ("alert", {"Action": "Block", "Enforcer": "BPFLSM", "KubeArmorVersion": "v1.6.8"}),
        ("alert", {"Operation": "Capabilities", "Resource": "CAP_NET_RAW"}),
        ("alert", {"Operation": "Device", "Action": "Block", "Type": "MatchedHostPolicy"}),
        ("alert", {"Operation": "Device", "Action": "Remove", "Result": "Removed"}),
        ("alert", {"Type": "MatchedNetworkPolicy", "Operation": "NetworkFirewall"}),
        ("alert", {"PolicyName": "DefaultPosture"}),
        ("alert", {"HashAlgo": "sha256", "PolicyName": "harden-wordpress-crypto-miners"}),
        ("alert", {"TTY": "pts0"}),
        ("alert", {"Enforcer": "PRESET-filelessExec"}),
        ("log", {"Type": "MatchedNetworkPolicy", "Operation": "NetworkFirewall"}),
        ("log", {"Operation": "Network", "Result": "Passed"}),
        ("log", {"Operation": "Process", "Result": "Permission denied"}),
        ("message", {"Level": "WARN", "HostIP": "198.51.100.2"}),
        (
            "alert",
            {
                "Type": "SystemEvent",
                "Operation": "AlertThreshold",
                "MaxAlertsPerSec": 10,
                "DroppingAlertsInterval": 30,
            },
        ),
    ],
)
def test_the_incident_shows_what_no_recording_has(stream: Stream, wanted: dict[str, Any]) -> None:
    assert has(stream, **wanted)


def test_a_firewall_event_on_the_log_stream_has_no_policy() -> None:
    logged = [s.values for s in STEPS if s.stream == "log"]
    firewall = next(v for v in logged if v["Type"] == "MatchedNetworkPolicy")
    assert not {"PolicyName", "Action", "Enforcer"} & set(firewall)


def test_an_audited_syscall_comes_twice() -> None:
    unlinks = [s.values for s in STEPS if "UNLINKAT" in s.values.get("Data", "")]
    assert [values["Operation"] for values in unlinks] == ["File", "Syscall"]


def test_the_throttle_event_says_nothing_of_a_process_or_a_policy() -> None:
    throttle = next(s.values for s in STEPS if s.values["Type"] == "SystemEvent")
    assert not {"Source", "Resource", "PolicyName", "HostPID", "Action"} & set(throttle)


def test_pods_of_several_namespaces_with_owners_of_several_kinds_take_part() -> None:
    pods = [step.values for step in STEPS if "PodName" in step.values]
    assert {values["NamespaceName"] for values in pods} == {"shop", "data", "batch", "monitoring"}
    assert {values["Owner"]["Ref"] for values in pods} == {
        "Deployment",
        "StatefulSet",
        "Job",
        "DaemonSet",
    }


def test_tactics_techniques_and_a_subtechnique_of_mitre_are_named_as_kubearmor_does() -> None:
    tags = {tag for step in STEPS for tag in words(step.values)}
    assert "MITRE_TA0008_lateral_movement" in tags
    assert "MITRE_T1552_unsecured_credentials" in tags
    assert "MITRE_T1059.004_unix_shell" in tags
    assert all(
        re.fullmatch(r"MITRE(_(TA\d{4}|T\d{4}(\.\d{3})?)_[a-z_]+)?", tag)
        for tag in tags
        if tag.startswith("MITRE")
    )


def test_tags_are_the_comma_string_of_atags() -> None:
    for step in STEPS:
        assert step.values.get("Tags", "") == ",".join(step.values.get("ATags", []))


def test_event_data_takes_pairs_of_a_network_resource_and_later_ones_win() -> None:
    made = incident.event_data("Network", "type=SOCK_RAW remoteip=192.0.2.1", "type=x flags=A|B")
    assert made == {"Type": "SOCK_RAW", "Remoteip": "192.0.2.1", "Flags": "A|B"}
    assert incident.event_data("File", "a=b", "syscall=SYS_OPEN") == {"Syscall": "SYS_OPEN"}


def test_two_performances_differ_in_their_processes() -> None:
    first, second = incident.steps(1), incident.steps(2)
    assert len(first) == len(second)
    both = [
        (a.values["HostPID"], b.values["HostPID"])
        for a, b in zip(first, second, strict=True)
        if "HostPID" in a.values
    ]
    assert both
    assert all(one != other for one, other in both)


def test_the_same_seed_gives_the_same_events_after_the_same_waits() -> None:
    first, again = (list(islice(replay.plan(20, 5), 2_000)) for _ in range(2))
    other = list(islice(replay.plan(20, 6), 2_000))
    assert first == again
    assert first != other


def test_the_whole_incident_is_shown_early_and_again_a_minute_later() -> None:
    events = list(islice(replay.plan(20, 1), replay.TURN_EVENTS + 500))
    early = events[: len(STEPS) * replay.STEP_EVENTS + replay.STEP_EVENTS]
    invented = [event for event in early if event.values["ClusterName"] == "synthetic"]
    assert [event.values for event in invented] == [step.values for step in STEPS]
    later = [e.values for e in events[replay.TURN_EVENTS :] if e.values["ClusterName"] != "default"]
    assert later == [step.values for step in incident.steps(1)]


def test_every_recorded_event_is_replayed() -> None:
    seen = {id(event.values) for event in islice(replay.plan(20, 1), 3_000)}
    assert all(id(values) in seen for stream in STREAMS for values in recorded.events(stream))


def test_the_mean_rate_is_the_one_asked_for_and_bursts_are_much_faster() -> None:
    pauses = [event.wait_s for event in islice(replay.plan(20, 1), 40_000)]
    assert 1 / mean(pauses) == pytest.approx(20, rel=0.1)
    fastest = min(sum(pauses[at : at + 15]) for at in range(0, len(pauses), 15))
    assert 15 / fastest > 150


def test_a_stamped_event_has_the_time_of_now_as_kubearmor_writes_it() -> None:
    now_us = 1_795_443_038_000_126
    event = replay.stamped(recorded.events("alert")[0], now_us)
    assert event["UpdatedTime"] == "2026-11-23T14:10:38.000126Z"
    assert event["Timestamp"] == 1_795_443_038
