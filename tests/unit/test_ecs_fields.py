"""Every row of the mapping from KubeArmor to ECS, one test each, named after the row."""

import base64
from datetime import datetime
from typing import Any

import pytest

from armorstack.core.ecs import to_ecs
from armorstack.core.ecs.values import severity
from tests.support.ecs import ALERT, LOG, check, event, get

TIME = datetime(2026, 11, 23, 14, 10, 38, 891126)
RECEIVED = datetime(2026, 11, 23, 14, 10, 39)
DIGEST = bytes(range(32))
SHA256 = "ab" * 32
IMAGE = "registry.local:5000/team/app:1.2@sha256:" + "c" * 64
CONNECT = {"operation": "Network", "data": "syscall=SYS_CONNECT fd=3"}
TAGS = ["MITRE_TA0008_lateral_movement", "MITRE_T1552_unsecured_credentials", "MITRE_execution",
        "MITRE_T1562.001_disable_or_modify_tools", "PCI_DSS"]  # fmt: skip

Columns = dict[str, Any]
Expected = dict[str, Any]

# Row of the mapping → columns of an event → paths and values; None: the path must be absent.
ROWS: dict[str, tuple[Columns, Expected]] = {
    "UpdatedTime": (
        {"time": TIME},
        {"@timestamp": "2026-11-23T14:10:38.891126Z", "event.sequence": 1_795_443_038_891_126},
    ),
    "UpdatedTime without a fraction": (
        {"time": RECEIVED},
        {"@timestamp": "2026-11-23T14:10:39.000000Z"},
    ),
    "arrival": ({"received": RECEIVED}, {"event.created": "2026-11-23T14:10:39.000000Z"}),
    "ecs version": ({}, {"ecs.version": "8.11.0"}),
    "Type: a matched policy is an alert": (ALERT, {"event.kind": "alert"}),
    "Type: a log is an event": (LOG, {"event.kind": "event"}),
    "Type: a system event is an event": (
        {"stream": "alert", "type": "SystemEvent"},
        {"event.kind": "event"},
    ),
    "Type: neither stream nor type is a pipeline error": (
        {"type": "Nonsense"},
        {"event.kind": "pipeline_error", "event.dataset": None},
    ),
    "Type to dataset, module, provider of an alert": (
        ALERT | {"enforcer": "BPFLSM"},
        {
            "event.dataset": "kubearmor.alerts",
            "event.module": "kubearmor",
            "event.provider": "BPFLSM",
        },
    ),
    "Type to dataset of a log": (LOG, {"event.dataset": "kubearmor.logs", "event.provider": None}),
    "Type to dataset of a message": (
        {"stream": "message", "type": "Message"},
        {"event.dataset": "kubearmor.messages"},
    ),
    "Type itself": (ALERT, {"kubearmor.type": "MatchedPolicy"}),
    "Operation itself": (
        LOG | {"operation": "File"},
        {"kubearmor.operation": "File", "event.category": ["file"]},
    ),
    "Severity": (ALERT | {"severity": "7"}, {"event.severity": 7, "event.risk_score": 70}),
    "Severity: the highest": (
        ALERT | {"severity": "10"},
        {"event.severity": 10, "event.risk_score": 100},
    ),
    "Severity: risk is of alerts only": (
        LOG | {"severity": "7"},
        {"event.severity": 7, "event.risk_score": None},
    ),
    "Severity: empty is absent": (ALERT, {"event.severity": None, "event.risk_score": None}),
    "Severity: a word is none": (ALERT | {"severity": "High"}, {"event.severity": None}),
    "Severity: 0 is none": (ALERT | {"severity": "0"}, {"event.severity": None}),
    "Severity: 11 is none": (ALERT | {"severity": "11"}, {"event.severity": None}),
    "Severity: digits of another script are none": (
        ALERT | {"severity": "\u0663"},
        {"event.severity": None},
    ),
    "Result text": (LOG | {"result": "Is a directory"}, {"event.reason": "Is a directory"}),
    "Data syscall": (
        LOG | {"operation": "File", "data": "syscall=SYS_OPENAT fd=-100 flags=O_RDONLY"},
        {"event.code": "SYS_OPENAT"},
    ),
    "Data without a syscall": (
        LOG | {"operation": "File", "data": "lsm=FILE_OPEN"},
        {"event.code": None},
    ),
    "stable hash": ({"id": DIGEST}, {"event.id": base64.b64encode(DIGEST).decode()}),
    "raw, off by default": (LOG, {"event.original": None}),
    "raw of JSON": (
        LOG | {"original": b'{"Type":"HostLog"}', "spelling": "pascal"},
        {"event.original": '{"Type":"HostLog"}', "armorstack.spelling": "pascal"},
    ),
    "raw of protobuf": (
        LOG | {"original": b"\x0a\x01a", "spelling": "protobuf"},
        {"event.original": "CgFh"},
    ),
    "raw that is no text": (
        LOG | {"original": b"\xff", "spelling": "pascal"},
        {"event.original": "/w=="},
    ),
    "Message": (
        ALERT | {"policy_name": "p", "message": "read"},
        {"message": "read", "rule.description": "read"},
    ),
    "Message of a message is no rule": (
        {"stream": "message", "type": "Message", "message": "up", "level": "INFO"},
        {"message": "up", "rule.description": None, "log.level": "INFO"},
    ),
    "Tags and ATags": (
        ALERT | {"tags": "a, b", "atags": [" b", "c", "a", ""]},
        {"tags": ["b", "c", "a"]},
    ),
    "Tags alone, from an old node": (ALERT | {"tags": "a,b, a ,"}, {"tags": ["a", "b"]}),
    "PolicyName": (ALERT | {"policy_name": "ksp"}, {"rule.name": "ksp"}),
    "NamespaceName and PolicyName": (
        ALERT | {"namespace_name": "shop", "policy_name": "ksp"},
        {"rule.id": "shop/ksp"},
    ),
    "PolicyName of a node": (
        ALERT | {"type": "MatchedHostPolicy", "policy_name": "hsp"},
        {"rule.id": "hsp", "rule.ruleset": "KubeArmorHostPolicy"},
    ),
    "Type to ruleset": (
        ALERT | {"policy_name": "ksp", "operation": "File"},
        {"rule.ruleset": "KubeArmorPolicy", "rule.category": "File"},
    ),
    "Type to ruleset of a cluster policy": (
        ALERT | {"type": "MatchedClusterPolicy", "policy_name": "csp"},
        {"rule.ruleset": "KubeArmorClusterPolicy"},
    ),
    "Type to ruleset of the default posture": (
        ALERT | {"policy_name": "DefaultPosture"},
        {"rule.name": "DefaultPosture", "rule.ruleset": "DefaultPosture"},
    ),
    "no policy, no rule": (LOG | {"operation": "File", "message": "x"}, {"rule": None}),
    "tags to threat": (
        ALERT | {"atags": TAGS},
        {
            "threat.framework": "MITRE ATT&CK",
            "threat.tactic.id": ["TA0008", "TA0002"],
            "threat.tactic.name": ["Lateral Movement", "Execution"],
            "threat.technique.id": ["T1552", "T1562"],
            "threat.technique.name": ["Unsecured Credentials"],
            "threat.technique.subtechnique.id": ["T1562.001"],
            "threat.technique.subtechnique.name": ["Disable or Modify Tools"],
        },
    ),
    "tags without MITRE are no threat": (ALERT | {"atags": ["NIST", "SI-4"]}, {"threat": None}),
    "ProcessName": (
        LOG | {"process_name": "/usr/bin/curl"},
        {"process.executable": "/usr/bin/curl", "process.name": "curl"},
    ),
    "Resource of a process": (
        LOG | {"operation": "Process", "resource": "/usr/bin/curl -s http://x/"},
        {
            "process.command_line": "/usr/bin/curl -s http://x/",
            "process.args": ["/usr/bin/curl", "-s", "http://x/"],
            "process.args_count": 3,
            "kubearmor.resource": "/usr/bin/curl -s http://x/",
        },
    ),
    "Resource of another operation is no command line": (
        LOG | {"operation": "File", "resource": "/etc/a b"},
        {"process.command_line": None, "process.args": None},
    ),
    "PID and PPID": (
        LOG | {"pid": 7, "ppid": 1},
        {"process.vpid": 7, "process.parent.vpid": 1},
    ),
    "HostPID and HostPPID": (
        LOG | {"host_pid": 700, "host_ppid": 600},
        {"process.pid": 700, "process.parent.pid": 600},
    ),
    "ParentProcessName": (
        LOG | {"parent_process_name": "/usr/bin/bash"},
        {"process.parent.executable": "/usr/bin/bash", "process.parent.name": "bash"},
    ),
    "Cwd": (LOG | {"cwd": "/srv/"}, {"process.working_directory": "/srv/"}),
    "TTY": (LOG | {"tty": "pts0"}, {"kubearmor.tty": "pts0", "process.tty": None}),
    "UID and UserName": (
        LOG | {"uid": 33, "user_name": "www-data"},
        {
            "user.id": "33",
            "user.name": "www-data",
            "process.user.id": "33",
            "related.user": ["33", "www-data"],
        },
    ),
    "UID of root": (LOG | {"uid": 0}, {"user.id": "0", "process.user.id": "0"}),
    "UID and PPID of no process": (
        {"stream": "alert", "type": "SystemEvent", "uid": 0, "ppid": 0},
        {"user": None, "process": None, "related": None},
    ),
    "ExecEvent": (
        LOG | {"exec_id": "24", "exec_executable": "curl"},
        {"process.entity_id": "24", "kubearmor.exec.executable": "curl"},
    ),
    "ProcessHash, ParentHash, ResourceHash": (
        LOG
        | {
            "process_hash": SHA256,
            "parent_hash": "p" * 64,
            "resource_hash": "r" * 64,
            "hash_algo": "SHA-256",
        },
        {
            "process.hash.sha256": SHA256,
            "process.parent.hash.sha256": "p" * 64,
            "file.hash.sha256": "r" * 64,
            "related.hash": [SHA256, "p" * 64, "r" * 64],
        },
    ),
    "HashAlgo sha1": (
        LOG | {"process_hash": "d" * 40, "hash_algo": "sha1"},
        {"process.hash.sha1": "d" * 40},
    ),
    "HashAlgo absent: by length": (
        LOG | {"process_hash": "d" * 32},
        {"process.hash.md5": "d" * 32},
    ),
    "HashAlgo unknown is no path": (
        LOG | {"process_hash": SHA256, "hash_algo": "sm3"},
        {"process.hash": None, "related.hash": [SHA256]},
    ),
    "Resource of a file": (
        LOG | {"operation": "File", "resource": "/srv/www/a.tar.gz"},
        {
            "file.path": "/srv/www/a.tar.gz",
            "file.name": "a.tar.gz",
            "file.directory": "/srv/www",
            "file.extension": "gz",
        },
    ),
    "Resource of a hidden file has no extension": (
        LOG | {"operation": "File", "resource": "/srv/www/.bashrc"},
        {"file.name": ".bashrc", "file.extension": None},
    ),
    "Resource of a folder": (
        LOG | {"operation": "File", "resource": "/tmp/d1/"},
        {"file.path": "/tmp/d1/", "file.name": "d1", "file.directory": "/tmp"},
    ),
    "Resource in the root": (
        LOG | {"operation": "File", "resource": "/etc"},
        {"file.name": "etc", "file.directory": "/", "file.extension": None},
    ),
    "Resource is the root": (
        LOG | {"operation": "File", "resource": "/"},
        {"file.path": "/", "file.name": None, "file.directory": "/"},
    ),
    "Resource is a relative path": (
        LOG | {"operation": "File", "resource": "runc"},
        {"file.path": "runc", "file.name": "runc", "file.directory": None},
    ),
    "OID, the file's owner": (LOG | {"operation": "File", "oid": 0}, {"file.uid": "0"}),
    "OID of no file": (LOG | {"operation": "Network", "oid": 0}, {"file": None}),
    "Resource of the network": (
        LOG | CONNECT | {"resource": "sin_addr=10.0.0.7 sa_family=AF_INET sin_port=443"},
        {
            "destination.address": "10.0.0.7",
            "destination.ip": "10.0.0.7",
            "destination.port": 443,
            "related.ip": ["10.0.0.7"],
        },
    ),
    "Resource and Data to transport, type, direction": (
        LOG | CONNECT | {"resource": "sa_family=AF_INET type=SOCK_STREAM|SOCK_CLOEXEC"},
        {"network.transport": "tcp", "network.type": "ipv4", "network.direction": "egress"},
    ),
    "Resource of capabilities": (
        ALERT | {"operation": "Capabilities", "resource": "CAP_NET_RAW"},
        {"process.thread.capabilities.effective": ["CAP_NET_RAW"]},
    ),
    "Resource of capabilities, AppArmor's spelling": (
        ALERT | {"operation": "Capabilities", "resource": "net_raw"},
        {"process.thread.capabilities.effective": ["CAP_NET_RAW"]},
    ),
    "Data and EventData": (
        LOG | {"data": "syscall=SYS_OPEN", "event_data": [("Syscall", "SYS_OPEN"), ("a.b", "1")]},
        {
            "kubearmor.data": "syscall=SYS_OPEN",
            "kubearmor.event_data": {"Syscall": "SYS_OPEN", "a_b": "1"},
        },
    ),
    "EventData as a dict": (
        LOG | {"event_data": {"Fd": "3"}},
        {"kubearmor.event_data": {"Fd": "3"}},
    ),
    "EventData of which no key can be kept": (
        LOG | {"event_data": {"": "3", "\0": "4"}},
        {"kubearmor.event_data": None},
    ),
    "ClusterName": ({"cluster_name": "prod"}, {"orchestrator.cluster.name": "prod"}),
    "NamespaceName": (
        {"namespace_name": "shop"},
        {
            "orchestrator.type": "kubernetes",
            "orchestrator.namespace": "shop",
            "kubernetes.namespace": "shop",
        },
    ),
    "NamespaceName absent": ({}, {"orchestrator": None, "kubernetes": None}),
    "PodName": (
        {"pod_name": "web-1"},
        {
            "orchestrator.resource.name": "web-1",
            "orchestrator.resource.type": "pod",
            "kubernetes.pod.name": "web-1",
        },
    ),
    "Owner": (
        {"owner_ref": "Deployment", "owner_name": "web", "owner_namespace": "shop"},
        {
            "orchestrator.resource.parent.type": "Deployment",
            "kubearmor.owner.name": "web",
            "kubearmor.owner.namespace": "shop",
        },
    ),
    "Labels": (
        {"labels": "app=web,app.kubernetes.io/name=a=b, bare,empty="},
        {
            "orchestrator.resource.label": [
                "app=web", "app.kubernetes.io/name=a=b", "bare", "empty=",
            ],
            "kubernetes.labels": {"app": "web", "app_kubernetes_io/name": "a=b", "empty": ""},
        },
    ),
    "ContainerID and ContainerName": (
        {"container_id": "f00", "container_name": "web"},
        {"container.id": "f00", "container.name": "web"},
    ),
    "ContainerImage": (
        {"container_image": IMAGE},
        {
            "container.image.name": "registry.local:5000/team/app",
            "container.image.tag": ["1.2"],
            "container.image.hash.all": ["sha256:" + "c" * 64],
        },
    ),
    "ContainerImage with a port and no tag": (
        {"container_image": "registry.local:5000/app"},
        {"container.image.name": "registry.local:5000/app", "container.image.tag": None},
    ),
    "ContainerImage with a digest and no tag": (
        {"container_image": "app@sha256:00"},
        {
            "container.image.name": "app",
            "container.image.tag": None,
            "container.image.hash.all": ["sha256:00"],
        },
    ),
    "ContainerImage is a bare digest": (
        {"container_image": "sha256:00"},
        {"container.image.name": None, "container.image.hash.all": ["sha256:00"]},
    ),
    "HostName and NodeID": (
        {"host_name": "node-1", "node_id": "0123"},
        {
            "host.name": "node-1",
            "host.hostname": "node-1",
            "host.id": "0123",
            "related.hosts": ["node-1"],
        },
    ),
    "HostIP": ({"host_ip": "10.0.0.1"}, {"host.ip": "10.0.0.1", "related.ip": ["10.0.0.1"]}),
    "HostIP that is none": ({"host_ip": "unknown"}, {"host": None, "related": None}),
    "Enforcer": (ALERT | {"enforcer": "BPFLSM"}, {"kubearmor.enforcer": "BPFLSM"}),
    "Action": (
        ALERT | {"action": "Block"},
        {"kubearmor.action": "Block", "kubearmor.intended_action": None},
    ),
    "Action of a policy in audited mode": (
        ALERT | {"action": "Audit (Block)"},
        {"kubearmor.action": "Audit", "kubearmor.intended_action": "Block"},
    ),
    "Source": (LOG | {"source": "/bin/sh -c x"}, {"kubearmor.source": "/bin/sh -c x"}),
    "MaxAlertsPerSec and DroppingAlertsInterval": (
        {"max_alerts_per_sec": 10, "dropping_alerts_interval": 30},
        {"kubearmor.throttle.max_alerts_per_sec": 10, "kubearmor.throttle.interval_s": 30},
    ),
    "observer": (
        {"kubearmor_version": "v1.7.4"},
        {
            "observer.product": "KubeArmor",
            "observer.vendor": "KubeArmor",
            "observer.type": "sensor",
            "observer.version": "v1.7.4",
        },
    ),
    "how it came": (
        {"from_source": "relay/a:1", "extra": '{"set":{}}'},
        {"armorstack.source": "relay/a:1", "armorstack.extra": '{"set":{}}'},
    ),
    "streams are no data streams": (ALERT, {"data_stream": None}),
}  # fmt: skip


@pytest.mark.parametrize(("columns", "expected"), ROWS.values(), ids=ROWS)
def test_the_row_of_the_mapping_holds(columns: Columns, expected: Expected) -> None:
    document = to_ecs(event(columns))
    check(document)
    assert {path: get(document, path) for path in expected} == expected


@pytest.mark.parametrize(
    ("written", "number"),
    [("1", 1), ("10", 10), ("0", None), ("11", None), ("x", None), ("", None)],
)
def test_a_severity_is_a_number_from_1_to_10(written: str, number: int | None) -> None:
    assert severity(written) == number


def test_the_stores_clock_becomes_event_ingested_when_it_is_given() -> None:
    document = to_ecs(event(LOG), ingested=TIME)
    assert get(document, "event.ingested") == "2026-11-23T14:10:38.891126Z"
    assert get(to_ecs(event(LOG)), "event.ingested") is None


def test_columns_that_are_missing_are_absent() -> None:
    assert to_ecs({"host_name": "n"}) == to_ecs(event(host_name="n"))


def test_a_long_command_line_is_kept_whole_and_its_first_parts_one_by_one() -> None:
    line = " ".join(["/bin/echo", *map(str, range(2_000))])
    found = to_ecs(event(LOG, operation="Process", resource=line))["process"]
    assert found["command_line"] == line
    assert found["args_count"] == 2_001
    assert len(found["args"]) == 1_024


def test_two_documents_share_nothing_that_could_be_changed() -> None:
    columns = {"atags": ["MITRE_T1105_a"], "container_image": IMAGE, "labels": "a=b"}
    first, second = to_ecs(event(ALERT, columns)), to_ecs(event(ALERT, columns))
    for document in (first, second):
        document["tags"].append("x")
        document["threat"]["technique"]["id"].append("x")
        document["container"]["image"]["tag"].append("x")
        document["event"]["category"].append("x")
    assert second["tags"] == ["MITRE_T1105_a", "x"]
    assert second["threat"]["technique"]["id"] == ["T1105", "x"]
    assert second["container"]["image"]["tag"] == ["1.2", "x"]
    assert second["event"]["category"] == ["intrusion_detection", "x"]


def test_a_row_is_never_changed() -> None:
    columns = event(ALERT, atags=["a"], event_data={"a.b": "c"}, resource="/x", operation="File")
    before = {**columns, "atags": ["a"], "event_data": {"a.b": "c"}}
    to_ecs(columns)["tags"].append("x")
    assert columns == before
