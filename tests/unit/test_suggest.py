"""Policies from events: which rules, for whom, and what is left out."""

from typing import Any

import pytest

from armorstack.policies import suggest as module
from armorstack.policies.crd import faults
from armorstack.policies.suggest import LeftOut, Options, Suggested, suggest
from tests.support.acts import alert, connected, on_node, opened, ran, row

BASH = [{"path": "/usr/bin/bash"}]
CAT = [{"path": "/usr/bin/cat"}]


def only(rows: list[dict[str, Any]], **options: Any) -> Suggested:
    """The one policy that follows."""
    (found,) = suggest(rows, Options(**options)).policies
    assert faults(found.policy) == []
    return found


def spec(rows: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = only(rows, **options).policy["spec"]
    return found


def left_out(rows: list[dict[str, Any]], **options: Any) -> list[tuple[str, str, int]]:
    found = suggest(rows, Options(**options)).left_out
    return [(each.what, each.reason, each.events) for each in found]


def test_a_program_becomes_a_path_with_the_one_program_that_began_it() -> None:
    found = only([ran("/usr/bin/curl"), ran("/usr/bin/curl")])
    assert found.policy == {
        "apiVersion": "security.kubearmor.com/v1",
        "kind": "KubeArmorPolicy",
        "metadata": {"name": "suggested-audit-cart", "namespace": "shop"},
        "spec": {
            "severity": 5,
            "selector": {"matchLabels": {"app": "cart"}},
            "process": {"matchPaths": [{"path": "/usr/bin/curl", "fromSource": BASH}]},
            "action": "Audit",
        },
    }
    assert (found.workload, found.events) == ("shop/Deployment/cart", 2)


def test_a_program_that_two_began_is_a_rule_for_all() -> None:
    found = spec([ran("/bin/id"), ran("/bin/id", "/bin/sh")])
    assert found["process"] == {"matchPaths": [{"path": "/bin/id"}]}


def test_the_runtime_that_starts_a_container_is_no_source() -> None:
    found = spec([ran("/bin/id", "/usr/bin/containerd-shim-runc-v2")])
    assert found["process"] == {"matchPaths": [{"path": "/bin/id"}]}
    on_host = spec([on_node(ran("/bin/id", "/usr/bin/containerd-shim-runc-v2"))])
    assert "fromSource" in on_host["process"]["matchPaths"][0]


def test_an_event_without_a_parent_makes_the_rule_one_for_all() -> None:
    found = spec([ran("/bin/id"), ran("/bin/id", parent_process_name=None)])
    assert found["process"] == {"matchPaths": [{"path": "/bin/id"}]}


def test_a_program_without_a_name_is_the_first_word_of_its_command_line() -> None:
    found = spec([row("Process", "/bin/id -u", process_name=None, parent_process_name=None)])
    assert found["process"] == {"matchPaths": [{"path": "/bin/id"}]}


@pytest.mark.parametrize(
    ("action", "expected"), [("Allow", True), ("Audit", None), ("Block", None)]
)
def test_only_a_policy_that_allows_says_read_only(action: str, expected: bool | None) -> None:
    found = spec([opened("/etc/passwd")], action=action)["file"]["matchPaths"][0]
    assert found.get("readOnly") is expected


def test_a_file_that_was_written_once_may_be_written() -> None:
    rows = [opened("/var/log/a"), opened("/var/log/a", "O_WRONLY"), opened("/var/log/a")]
    rule = {"matchPaths": [{"path": "/var/log/a", "fromSource": CAT}]}
    assert spec(rows[:2], action="Allow")["file"] == rule
    assert spec(rows[1:], action="Allow")["file"] == rule


def test_many_files_of_a_folder_become_the_folder() -> None:
    rows = [opened(f"/var/cache/{number}") for number in range(10)] + [opened("/etc/hosts")]
    assert spec(rows)["file"] == {
        "matchPaths": [{"path": "/etc/hosts", "fromSource": CAT}],
        "matchDirectories": [{"dir": "/var/cache/", "fromSource": CAT}],
    }
    assert len(spec(rows[1:])["file"]["matchPaths"]) == 10
    assert len(spec(rows, siblings=0)["file"]["matchPaths"]) == 11
    assert len(spec(rows, siblings=9)["file"]["matchDirectories"]) == 1


def test_a_policy_that_blocks_never_means_a_folder() -> None:
    rows = [opened(f"/var/cache/{number}") for number in range(30)]
    assert set(spec(rows, action="Block")["file"]) == {"matchPaths"}
    assert left_out([opened("/var/cache/")], action="Block") == [
        ("/var/cache/", "is a folder, whose files would be blocked", 1)
    ]


def test_files_of_the_root_never_become_the_root() -> None:
    rows = [opened(f"/{number}") for number in range(30)]
    assert set(spec(rows)["file"]) == {"matchPaths"}


def test_a_folder_that_was_opened_is_a_folder() -> None:
    assert spec([opened("/var/www/")])["file"] == {
        "matchDirectories": [{"dir": "/var/www/", "fromSource": CAT}]
    }


@pytest.mark.parametrize(
    ("resource", "protocol"),
    [
        ("remoteip=10.0.0.9 port=80 protocol=TCP", "tcp"),
        ("domain=AF_UNIX type=SOCK_STREAM|SOCK_CLOEXEC protocol=HOPOPT", "tcp"),
        ("domain=AF_INET type=SOCK_DGRAM protocol=HOPOPT", "udp"),
        ("protocol=UDP type=SOCK_DGRAM", "udp"),
        ("domain=AF_INET type=SOCK_RAW protocol=ICMP", "icmp"),
        ("domain=AF_PACKET type=SOCK_RAW protocol=3", "raw"),
    ],
)
def test_a_protocol_is_read_as_kubearmor_reads_it(resource: str, protocol: str) -> None:
    assert spec([connected(resource)])["network"] == {
        "matchProtocols": [{"protocol": protocol, "fromSource": CAT}]
    }


@pytest.mark.parametrize(
    ("resource", "what"),
    [("sa_family=AF_INET sin_port=53 sin_addr=10.0.0.2", "network"),
     ("type=SOCK_STREAM protocol=SCTP", "sctp")],
)  # fmt: skip
def test_a_protocol_that_not_every_version_takes_is_left_out(resource: str, what: str) -> None:
    assert left_out([connected(resource)]) == [(what, "names none of tcp, udp, icmp and raw", 1)]


def test_a_capability_is_written_as_policies_write_it() -> None:
    found = spec([row("Capabilities", "CAP_NET_RAW", data="lsm=CAPABLE")])
    assert found["capabilities"] == {
        "matchCapabilities": [{"capability": "net_raw", "fromSource": CAT}]
    }
    assert left_out([row("Capabilities", "CAP_FLY")])[0][:2] == (
        "CAP_FLY", "names no capability of policies",
    )  # fmt: skip


def test_system_calls_of_one_program_are_one_rule() -> None:
    def called(name: str, source: str) -> dict[str, Any]:
        return row("Syscall", "/tmp/a", data=f"syscall=SYS_{name} flags=", source=source)

    rows = [called("UNLINK", "/bin/rm -f /tmp/a"), called("RMDIR", "/bin/rm -r /tmp"),
            called("SETUID", "/bin/su"), called("SETUID", "/bin/sudo")]  # fmt: skip
    assert spec(rows)["syscalls"] == {
        "matchSyscalls": [
            {"syscall": ["setuid"]},
            {"syscall": ["rmdir", "unlink"], "fromSource": [{"path": "/bin/rm"}]},
        ]
    }
    assert (
        left_out(rows, action="Block")[0][1] == "is a system call, which KubeArmor can only audit"
    )
    assert left_out([called("FLY", "/bin/rm")]) == [("fly", "is no system call of policies", 1)]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("etc/passwd", "is no absolute path"),
        ("/tmp/a b", "holds a space, at which KubeArmor cuts the paths of events"),
        ("/tmp/a\n/** rw", "holds a space, at which KubeArmor cuts the paths of events"),
        ("/tmp/a\n}", "holds a character that enforcers read as more than itself"),
        ("/tmp/*", "holds a character that enforcers read as more than itself"),
        ("/tmp/a\u202eb", "holds a character that enforcers read as more than itself"),
        ("/tmp/{a,b}", "holds a character that enforcers read as more than itself"),
        ("/tmp/" + "é" * 126, "is longer than 255 bytes"),
        ("/tmp/../etc/shadow", "is no plain path"),
        ("//etc/shadow", "is no plain path"),
        ("/", "is a folder"),
    ],
)
def test_a_path_that_could_mean_more_than_itself_is_left_out(path: str, reason: str) -> None:
    assert left_out([opened(path)]) == [(path, reason, 1)]
    assert suggest([opened(path)]).policies == ()


def test_a_path_of_other_letters_is_a_path() -> None:
    path = "/tmp/" + "é" * 125
    assert spec([opened(path)])["file"]["matchPaths"][0]["path"] == path


def test_an_act_of_a_program_that_no_rule_can_name_is_left_out() -> None:
    assert left_out([ran("/bin/id", "/tmp/x *")]) == [
        ("/bin/id", "its program holds a character that enforcers read as more than itself", 1)
    ]
    assert left_out([ran("/bin/id", "/tmp/")]) == [("/bin/id", "its program is a folder", 1)]


@pytest.mark.parametrize("operation", ["Device", "AlertThreshold", "NetworkFirewall", "Create"])
def test_what_no_rule_is_about_is_left_out(operation: str) -> None:
    assert left_out([row(operation, "x")]) == [(operation, "no rule of a policy is about it", 1)]


def test_events_that_were_folded_count_as_all_of_them() -> None:
    found = suggest([ran("/bin/id", fold_count=41), ran("/bin/id"), opened("x", fold_count=7)])
    assert (found.events, found.policies[0].events, found.left_out[0].events) == (49, 42, 7)


def test_each_workload_and_each_node_gets_a_policy() -> None:
    rows = [
        ran("/bin/a"), ran("/bin/b", owner_name="pay", labels="app=pay"),
        ran("/bin/c", namespace_name="bank"), on_node(ran("/bin/d")),
        on_node(ran("/bin/e"), "node-2"),
    ]  # fmt: skip
    found = suggest(rows).policies
    assert [(each.workload, each.policy["kind"]) for each in found] == [
        ("bank/Deployment/cart", "KubeArmorPolicy"),
        ("node/node-1", "KubeArmorHostPolicy"),
        ("node/node-2", "KubeArmorHostPolicy"),
        ("shop/Deployment/cart", "KubeArmorPolicy"),
        ("shop/Deployment/pay", "KubeArmorPolicy"),
    ]
    assert "namespace" not in found[1].policy["metadata"]
    assert found[1].policy["spec"]["nodeSelector"] == {
        "matchLabels": {"kubernetes.io/hostname": "node-1"}
    }


def test_labels_are_those_that_all_pods_of_the_workload_have() -> None:
    rows = [
        ran("/bin/a", labels="app=cart,tier=web,pod-template-hash=1"),
        ran("/bin/a", labels="app=cart,tier=api,pod-template-hash=2"),
        ran("/bin/a", labels=None),
    ]  # fmt: skip
    assert spec(rows)["selector"] == {"matchLabels": {"app": "cart"}}


@pytest.mark.parametrize(
    "label",
    ["pod-template-hash=1", "statefulset.kubernetes.io/pod-name=cart-0", "kubearmor.io/x=y",
     "bad key=1", "k=bad value", f"k={'v' * 64}", f"{'k' * 64}=v", "k", "=v"],
)  # fmt: skip
def test_a_label_that_selects_no_workload_is_none_of_it(label: str) -> None:
    assert spec([ran("/bin/a", labels=f"app=cart, {label},a.b/c=")])["selector"] == {
        "matchLabels": {"a.b/c": "", "app": "cart"}
    }


def test_without_labels_the_containers_are_named() -> None:
    rows = [ran("/bin/a", labels=None), ran("/bin/a", labels=None, container_name="log")]
    found = only(rows)
    assert found.policy["spec"]["selector"] == {
        "matchLabels": {"kubearmor.io/container.name": "[cart, log]"}
    }
    assert found.notes == (
        "no label is common to its events: the selector names containers instead",
    )


def test_without_kubernetes_the_container_has_its_bare_name() -> None:
    found = only([ran("/bin/a", namespace_name="container_namespace", labels=None,
                      owner_name=None)])  # fmt: skip
    assert found.policy["spec"]["selector"] == {
        "matchLabels": {"kubearmor.io/container.name": "cart"}
    }


def test_a_workload_that_nothing_selects_is_left_out() -> None:
    found = suggest([ran("/bin/a", labels=None), ran("/bin/a", labels=None, container_name=None)])
    reason = "neither labels nor a container are known of these events"
    assert found.policies == ()
    assert found.left_out == (LeftOut("shop/Deployment/cart", "cart", reason, 2),)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"namespace_name": "a: b\n"}, "its namespace is no name that Kubernetes takes"),
        ({"namespace_name": None}, "it is of a container whose namespace is not known"),
        ({"owner_name": None, "labels": None, "container_name": "a b"},
         "neither labels nor a container are known of these events"),
    ],
)  # fmt: skip
def test_events_of_nobody_are_left_out(columns: dict[str, Any], reason: str) -> None:
    assert left_out([ran("/bin/a", **columns)]) == [("/bin/a", reason, 1)]
    assert left_out([on_node(ran("/bin/a"), "bad node")])[0][1] == (
        "neither a namespace nor a node is known of it"
    )


def test_it_is_said_whom_the_labels_select_besides() -> None:
    rows = [ran("/bin/a"), ran("/bin/b", owner_name="cart-canary", labels="app=cart,track=canary")]
    notes = [each.notes for each in suggest(rows).policies]
    assert notes == [("its labels select shop/Deployment/cart-canary, too",), ()]


def test_on_a_node_protocols_name_all_their_programs() -> None:
    rows = [on_node(connected()), on_node(connected(process_name="/usr/bin/curl"))]
    assert spec(rows)["network"] == {
        "matchProtocols": [
            {"protocol": "tcp", "fromSource": [{"path": "/usr/bin/cat"}, {"path": "/usr/bin/curl"}]}
        ]
    }
    assert left_out([on_node(connected(process_name=None))]) == [
        ("tcp", "on a node a rule must name the program, and the event does not", 1)
    ]


def test_on_a_node_a_rule_names_a_bounded_number_of_programs() -> None:
    rows = [on_node(connected(process_name=f"/bin/{number}")) for number in range(70)]
    assert len(spec(rows)["network"]["matchProtocols"][0]["fromSource"]) == 64
    assert left_out(rows) == [("tcp", "a rule names at most 64 programs", 6)]


def test_what_is_most_frequent_becomes_rules() -> None:
    rows = [opened(f"/data/{number}/x") for number in range(210)] + [opened("/data/205/x")]
    paths = [each["path"] for each in spec(rows)["file"]["matchPaths"]]
    assert (len(paths), "/data/205/x" in paths) == (200, True)
    assert left_out(rows) == [
        ("rarer acts", "a policy gets at most 200 rules, of what is most frequent", 10)
    ]


def test_different_acts_are_told_apart_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 3)
    monkeypatch.setattr(module, "MOST_LEFT_OUT", 2)
    rows = [opened(f"/a/{number}") for number in (1, 2, 3, 4, 1)]
    assert left_out(rows) == [("/a/4", "more than 3 different acts are not told apart", 1)]
    others = [*rows, ran("/bin/a", owner_name="pay"), *(row(f"x{n}", "") for n in range(5))]
    assert ("others", "too many different ones to list", 5) in left_out(others)


def test_workloads_are_told_apart_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WORKLOADS", 1)
    rows = [ran("/bin/a"), ran("/bin/a", owner_name="pay"), ran("/bin/b")]
    assert left_out(rows) == [("/bin/a", "more than 1 workloads are not told apart", 1)]


def test_names_are_names_whatever_the_workload_is_called() -> None:
    rows = [ran("/bin/a", owner_name="Über <b>\x1b[2J!"), ran("/bin/a", owner_name="über <b>!")]
    names = [each.policy["metadata"]["name"] for each in suggest(rows).policies]
    assert names == ["suggested-audit-ber-b-2j", "suggested-audit-ber-b"]
    rows.append(ran("/bin/a", owner_name="漢字"))
    assert suggest(rows, Options(name="mine")).policies[2].policy["metadata"]["name"] == "mine-3"
    assert only(rows[2:]).policy["metadata"]["name"] == "suggested-audit-workload"


def test_an_alert_is_an_act_like_a_log() -> None:
    assert spec([alert(ran("/bin/id"), "DefaultPosture")])["process"] == {
        "matchPaths": [{"path": "/bin/id", "fromSource": BASH}]
    }


@pytest.mark.parametrize("wrong", [{"action": "Deny"}, {"severity": 0}, {"severity": 11}])
def test_options_that_no_policy_has_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"an action is|a severity is"):
        Options(**wrong)
