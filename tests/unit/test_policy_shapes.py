"""Which objects an API server with KubeArmor's definitions takes for a policy, and what it says."""

from typing import Any

import pytest
import yaml

from armorstack.policies.crd import faults
from armorstack.policies.shapes import Fault


def policy(kind: str = "KubeArmorPolicy", **spec: Any) -> dict[str, Any]:
    selector = {"nodeSelector": {}} if kind == "KubeArmorHostPolicy" else {}
    return {
        "apiVersion": "security.kubearmor.com/v1", "kind": kind,
        "metadata": {"name": "a", "namespace": "b"}, "spec": selector | spec,
    }  # fmt: skip


WHOLE = yaml.safe_load("""
selector:
  matchLabels: {app: cart, kubearmor.io/container.name: "[a, b]"}
  matchExpressions: [{key: label, operator: NotIn, values: [tier=web]}]
severity: 10
tags: [MITRE]
message: why
action: Audit
status: Active
apparmor: "profile x {}"
presets: [{name: protectEnv}]
process:
  severity: 1
  matchPaths:
  - {path: /bin/id, ownerOnly: true, fromSource: [{path: /bin/sh}], action: Block, tags: [a]}
  - {execname: id}
  matchDirectories: [{dir: /bin/, recursive: true}, {dir: /}]
  matchPatterns: [{pattern: "/bin/*"}]
file:
  matchPaths: [{path: /a/b, readOnly: true}]
  matchDirectories: [{dir: /a/, readOnly: true}]
  matchPatterns: [{pattern: "**", readOnly: true}]
network: {matchProtocols: [{protocol: "tcp,UDP"}, {protocol: all}]}
capabilities: {matchCapabilities: [{capability: net_raw}]}
syscalls:
  severity: 3
  matchSyscalls: [{syscall: [unlink], fromSource: [{dir: /bin, recursive: true}]}]
  matchPaths: [{syscall: [unlink], path: /a/, recursive: true}, {path: /a/b, syscall: [open]}]
""")


def test_a_policy_that_says_everything_has_no_faults() -> None:
    assert faults(policy(**WHOLE)) == []
    without = {name: each for name, each in WHOLE.items() if name not in ("selector", "status")}
    expressions = [{"key": "namespace", "operator": "In", "values": ["shop"]}]
    selector = {"selector": {"matchExpressions": expressions}}
    assert faults(policy("KubeArmorClusterPolicy", **without, **selector)) == []


def test_a_null_is_a_member_that_is_not_there() -> None:
    assert faults(policy(process=None, severity=None)) == []


SOURCE = {"fromSource": [{"path": "/bin/sh"}]}


def test_on_a_node_protocols_and_capabilities_name_their_programs() -> None:
    spec = {"network": {"matchProtocols": [{"protocol": "tcp"}]}}
    place = "spec.network.matchProtocols[0].fromSource"
    assert faults(policy(**spec)) == []
    assert faults(policy("KubeArmorHostPolicy", **spec)) == [(place, "is missing")]
    spec["network"]["matchProtocols"][0] |= SOURCE
    assert faults(policy("KubeArmorHostPolicy", **spec, device={"matchDevice": []})) == []


def paths(section: str = "process", **rule: Any) -> dict[str, Any]:
    return {section: {"matchPaths": [rule]}}


AT = "spec.process.matchPaths[0]"
NO_PATH = "is not an absolute path that does not end in /"


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        (paths(path="bin/id"), (f"{AT}.path", f"{NO_PATH}: bin/id")),
        (paths(path="/bin/"), (f"{AT}.path", f"{NO_PATH}: /bin/")),
        (paths(path="/"), (f"{AT}.path", f"{NO_PATH}: /")),
        (paths(path="/a\nb"), (f"{AT}.path", f"{NO_PATH}: /a\\x0ab")),
        (paths(path=7), (f"{AT}.path", "is no text")),
        (paths(path="/a", ownerOnly="yes"), (f"{AT}.ownerOnly", "is neither true nor false")),
        (paths(path="/a", readOnly=True), (f"{AT}.readOnly", "is no field of it")),
        (paths(path="/a", fromSource=[{"path": "a"}]),
         (f"{AT}.fromSource[0].path", f"{NO_PATH}: a")),
        (paths(path="/a", action="Deny"), (f"{AT}.action", "is not Allow, Audit or Block: Deny")),
        (paths(execname="/bin/id"), (f"{AT}.execname", "is not a file's name without /: /bin/id")),
        (paths("file"), ("spec.file.matchPaths[0].path", "is missing")),
        ({"process": {"matchDirectories": [{"dir": "/bin"}]}},
         ("spec.process.matchDirectories[0].dir", "is not an absolute path that ends in /: /bin")),
        ({"network": {"matchProtocols": [{"protocol": "ftp"}]}},
         ("spec.network.matchProtocols[0].protocol", "is not a protocol, such as tcp: ftp")),
        ({"network": {"matchProtocols": [{"protocol": "tcp\n"}]}},
         ("spec.network.matchProtocols[0].protocol", "is not a protocol, such as tcp: tcp\\x0a")),
        ({"capabilities": {"matchCapabilities": [{"capability": "NET_RAW"}]}},
         ("spec.capabilities.matchCapabilities[0].capability",
          "is not a capability, such as net_raw: NET_RAW")),
        ({"syscalls": {"matchSyscalls": [{"syscall": ["fly"]}]}},
         ("spec.syscalls.matchSyscalls[0].syscall[0]", "is not a system call: fly")),
        ({"syscalls": {"matchPaths": [{"path": "a"}]}},
         ("spec.syscalls.matchPaths[0].path", "is not a path: a")),
        ({"syscalls": {"action": "Audit"}}, ("spec.syscalls.action", "is no field of it")),
        ({"severity": 11}, ("spec.severity", "is no whole number from 1 to 10")),
        ({"severity": True}, ("spec.severity", "is no whole number from 1 to 10")),
        ({"severity": "5"}, ("spec.severity", "is no whole number from 1 to 10")),
        ({"tags": "a"}, ("spec.tags", "is no list")),
        ({"process": []}, ("spec.process", "is no object")),
        ({"selector": {"matchLabels": {"a": 1}}},
         ("spec.selector.matchLabels", "is not texts by name")),
        ({"selector": {"matchExpressions": [{"key": "namespace"}]}},
         ("spec.selector.matchExpressions[0].key", "is not label: namespace")),
        ({"status": "On"}, ("spec.status", "is not Active or Inactive: On")),
        ({"procces": {}}, ("spec.procces", "is no field of it")),
        ({"x" * 99: {}}, (f"spec.{'x' * 59}…", "is no field of it")),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(spec: dict[str, Any], fault: Fault) -> None:
    assert faults(policy(**spec)) == [fault]


def test_what_is_no_policy_at_all_is_told() -> None:
    assert faults([]) == [("", "is no object")]
    kinds = "KubeArmorPolicy, KubeArmorClusterPolicy, KubeArmorHostPolicy"
    name = ("metadata.name", "is no name: lower case letters, digits, - and .")
    version = ("apiVersion", "is not security.kubearmor.com/v1")
    assert faults({"kind": ["Pod"]}) == [version, name, ("kind", f"is none of {kinds}")]
    assert faults(policy() | {"metadata": {"name": "A"}}) == [name]
    assert faults(policy() | {"spec": 1}) == [("spec", "is no object")]
    host = policy("KubeArmorHostPolicy") | {"spec": {}}
    assert faults(host) == [("spec.nodeSelector", "is missing")]
    assert faults(policy() | {"spec": {1: 10**5000}}) == [("spec.int", "is no field of it")]


def test_a_document_that_holds_itself_is_no_harm() -> None:
    endless = yaml.safe_load("&a {selector: {matchLabels: *a}, process: {matchPaths: [*a]}}")
    assert [place for place, _ in faults(policy(**endless))] == [
        "spec.selector.matchLabels",
        "spec.process.matchPaths[0].selector",
        "spec.process.matchPaths[0].process",
    ]
