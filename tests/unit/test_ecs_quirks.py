"""The quirks of KubeArmor's feed that reach an ECS document, each by its number."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from armorstack.core.ecs import to_ecs
from armorstack.core.ecs.event_data import event_data
from tests.support.ecs import ALERT, LOG, RECORDED_FILES, check, event, get, recorded_rows

HOSTILE = "<script>alert(1)</script>\x00\x1b[31m=cmd|' /C calc'!A0\u202e{{7*7}} ${jndi:ldap://x}"


def test_quirk_1_events_of_one_millisecond_can_be_put_in_order() -> None:
    time = datetime(2026, 11, 23, 14, 10, 38, 891126)
    first, second = (to_ecs(event(LOG, time=time + timedelta(microseconds=i))) for i in (0, 1))
    assert second["event"]["sequence"] == first["event"]["sequence"] + 1
    assert first["@timestamp"] != second["@timestamp"]


def test_quirk_3_addresses_do_not_depend_on_the_order_of_resources_words() -> None:
    words = ["sa_family=AF_INET", "sin_port=1", "sin_addr=10.0.0.7"]
    orders = [words, words[::-1], [words[2], words[0], words[1]]]
    documents = [
        to_ecs(event(LOG, operation="Network", data="syscall=SYS_BIND", resource=" ".join(order)))
        for order in orders
    ]
    assert documents[0]["destination"] == documents[1]["destination"] == documents[2]["destination"]


DERIVED = {
    "first letters are put in upper case": (
        {"operation": "File", "data": "syscall=SYS_OPENAT fd=-100 éa=b"},
        {"Syscall": "SYS_OPENAT", "Fd": "-100", "Éa": "b"},
    ),
    "a key ends at the first sign": (
        {"operation": "Syscall", "data": "data=mode=755,size=65536k"},
        {"Data": "mode=755,size=65536k"},
    ),
    "values are cut at spaces": (
        {"operation": "Process", "data": "process=/bin/a b c=d"},
        {"Process": "/bin/a", "C": "d"},
    ),
    "words without a sign are left out": (
        {"operation": "Capabilities", "data": "lsm=CAPABLE CAP_NET_RAW"},
        {"Lsm": "CAPABLE"},
    ),
    "the later of two wins": (
        {"operation": "File", "data": "fd=1 fd=2"},
        {"Fd": "2"},
    ),
    "Resource comes after Data, for Network": (
        {"operation": "Network", "data": "domain=a fd=3", "resource": "domain=AF_INET"},
        {"Domain": "AF_INET", "Fd": "3"},
    ),
    "Resource is not read for others": (
        {"operation": "File", "data": "fd=3", "resource": "/tmp/a=b"},
        {"Fd": "3"},
    ),
    "an empty value is one": (
        {"operation": "File", "data": "syscall=SYS_UNLINKAT flags="},
        {"Syscall": "SYS_UNLINKAT", "Flags": ""},
    ),
    "nothing gives nothing": ({"operation": "Network"}, {}),
}


@pytest.mark.parametrize(("columns", "expected"), DERIVED.values(), ids=DERIVED)
def test_quirk_4_event_data_is_derived_by_kubearmors_rule(
    columns: dict[str, Any], expected: dict[str, str]
) -> None:
    assert event_data(event(LOG, columns)) == expected


@pytest.mark.parametrize("name", RECORDED_FILES)
def test_quirk_4_deriving_gives_what_every_recorded_event_carries(name: str) -> None:
    for row in recorded_rows(name):
        if row["event_data"] is not None:
            assert event_data(row | {"event_data": None}) == dict(row["event_data"])


def test_quirk_4_event_data_that_was_sent_is_taken_as_it_is() -> None:
    columns = {"operation": "Network", "data": "fd=3", "resource": "sin_addr=10.0.0.1"}
    sent = event(LOG, columns, event_data=[("Sin_addr", "10.0.0.2")])
    assert get(to_ecs(sent), "kubearmor.event_data") == {"Sin_addr": "10.0.0.2"}
    assert get(to_ecs(sent), "destination.ip") == "10.0.0.2"


@pytest.mark.parametrize("operation", ["File", "Process", "Network", "Capabilities", "Device"])
def test_quirk_5_hostile_text_stays_text(operation: str) -> None:
    resource = f"/tmp/naïve 文件 a.b.c={HOSTILE}"
    columns = {"resource": resource, "source": HOSTILE, "labels": f"a={HOSTILE}", "action": HOSTILE}
    document = to_ecs(event(ALERT, columns, operation=operation, atags=[HOSTILE]))
    check(document)
    assert get(document, "kubearmor.resource") == resource
    assert get(document, "kubearmor.source") == HOSTILE
    assert json.loads(json.dumps(document)) == document


def test_quirk_6_a_bpflsm_alert_without_flags_still_has_action_and_outcome() -> None:
    columns = {"operation": "File", "data": "lsm=FILE_OPEN", "cwd": "/", "enforcer": "BPFLSM"}
    blocked = event(ALERT, columns, action="Block", result="Permission denied")
    found = to_ecs(blocked)["event"]
    assert (found["action"], found["outcome"]) == ("file-open", "failure")
    assert found["type"] == ["access", "denied"]
    assert "code" not in found


def test_quirk_7_the_log_beside_a_blocked_act_is_no_alert_though_it_names_the_policy() -> None:
    doubles = [
        row
        for row in recorded_rows("kubearmor-file-camelcase-real.jsonl")
        if row["type"] == "HostLog" and row["policy_name"]
    ]
    assert doubles
    for row in doubles:
        document = to_ecs(row)
        assert document["event"]["kind"] == "event"
        assert "intrusion_detection" not in document["event"]["category"]
        assert "risk_score" not in document["event"]
        assert document["rule"]["name"] == row["policy_name"]
        assert document["rule"]["ruleset"] == "KubeArmorHostPolicy"
        assert document["event"]["outcome"] == "failure"


def test_quirk_8_of_an_audited_syscalls_two_events_only_one_is_a_file_event() -> None:
    columns = {"resource": "/etc/hosts", "data": "syscall=SYS_FCHOWNAT userid=0 group=-1 mode=0"}
    as_file = to_ecs(event(LOG, columns, operation="File"))
    as_syscall = to_ecs(event(LOG, columns, operation="Syscall"))
    assert as_file["event"]["category"] == ["file"]
    assert as_file["file"]["path"] == "/etc/hosts"
    assert as_syscall["event"]["category"] == ["process"]
    assert "file" not in as_syscall
    assert as_file["event"]["code"] == as_syscall["event"]["code"] == "SYS_FCHOWNAT"


def test_quirk_10_a_throttle_is_no_alert_and_says_its_limits() -> None:
    (row,) = [r for r in recorded_rows("alerts-real.jsonl") if r["type"] == "SystemEvent"]
    document = to_ecs(row)
    assert document["event"]["kind"] == "event"
    assert document["event"]["action"] == "alert-throttled"
    assert document["kubearmor"]["throttle"] == {"max_alerts_per_sec": 10, "interval_s": 30}
    assert "user" not in document
    assert "rule" not in document


def test_quirk_11_a_tag_with_a_comma_is_one_and_labels_are_split_at_the_first_sign() -> None:
    document = to_ecs(event(ALERT, tags="a,b,c", atags=["a,b", "c"], labels="x=1=2,y=3"))
    assert document["tags"] == ["a,b", "c"]
    assert document["orchestrator"]["resource"]["label"] == ["x=1=2", "y=3"]
    assert document["kubernetes"]["labels"] == {"x": "1=2", "y": "3"}


@pytest.mark.parametrize(
    ("stream", "kind", "category"),
    [("alert", "alert", ["intrusion_detection", "network"]), ("log", "event", ["network"])],
)
def test_quirk_12_a_network_policy_event_is_alert_or_log_by_its_stream(
    stream: str, kind: str, category: list[str]
) -> None:
    columns = {"type": "MatchedNetworkPolicy", "operation": "NetworkFirewall"}
    document = to_ecs(event(columns, stream=stream, result="Permission denied"))
    check(document)
    assert document["event"]["kind"] == kind
    assert document["event"]["category"] == category
    assert document["event"]["type"] == ["connection", "denied"]


def test_the_pod_that_acted_is_never_mixed_with_where_the_event_came_from() -> None:
    document = to_ecs(event(ALERT, pod_name="web-1", from_source="relay/kubearmor-relay:32767"))
    assert document["kubernetes"]["pod"]["name"] == "web-1"
    assert document["armorstack"]["source"] == "relay/kubearmor-relay:32767"
    assert "relay" not in json.dumps(document["kubernetes"] | document["orchestrator"])
