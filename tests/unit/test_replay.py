"""Replays equal a count by hand; each kind of rule means what KubeArmor would mean."""

from typing import Any

import pytest

from armorstack.policies.acts import act_of
from armorstack.policies.matching import checks_of, is_like, matches
from armorstack.policies.policy import Policy, policy_of
from armorstack.policies.replay import Count, Replay, RuleCount, replayed, replays
from tests.support.acts import alert, batch, connected, on_node, opened, ran, row

BASH = {"fromSource": [{"path": "/usr/bin/bash"}]}


def policy(
    kind: str = "KubeArmorPolicy", selector: dict[str, Any] | None = None, **spec: Any
) -> Policy:
    name = "nodeSelector" if kind == "KubeArmorHostPolicy" else "selector"
    metadata = {"name": "mine", "namespace": "shop"}
    selected = {"matchLabels": {"app": "cart"}} if selector is None else selector
    return policy_of({
        "apiVersion": "security.kubearmor.com/v1", "kind": kind, "metadata": metadata,
        "spec": {name: selected, "action": "Audit"} | spec,
    })  # fmt: skip


def over(found: Policy, *rows: dict[str, Any]) -> Replay:
    return replayed(found, [batch(rows)])


WRITTEN = policy(
    process={"matchPaths": [{"path": "/bin/id"} | BASH, {"path": "/bin/nc", "action": "Block"}]},
    file={"matchDirectories": [{"dir": "/etc/", "recursive": True}],
          "matchPaths": [{"path": "/etc/shadow"}]},
    network={"matchProtocols": [{"protocol": "TCP,udp"}]},
)  # fmt: skip
EVENTS = (
    # Of another pod, another namespace, a node.
    ran("/bin/id", labels="app=pay"), ran("/bin/id", namespace_name="bank"),
    on_node(ran("/bin/id")),
    # /bin/id from bash: five, two of them one folded row, one reported by a policy.
    ran("/bin/id"), ran("/bin/id"), ran("/bin/id", fold_count=2), alert(ran("/bin/id"), "ksp-a"),
    # From another program; a program of no rule.
    ran("/bin/id", "/bin/sh"), ran("/bin/ls"),
    # /bin/nc: two denied, of these one reported by the posture.
    ran("/bin/nc", result="Permission denied"),
    alert(ran("/bin/nc", result="Permission denied"), "DefaultPosture"),
    # Below /etc: four; the shadow file by two rules.
    opened("/etc/passwd"), opened("/etc/ssh/sshd_config"), opened("/etc/shadow"),
    alert(opened("/etc/shadow"), "ksp-b"), opened("/srv/etc/passwd"), opened("/etcetera/x"),
    # Protocols: tcp once, udp once, one that is neither.
    connected(), connected("protocol=UDP type=SOCK_DGRAM"), connected("sa_family=AF_INET"),
    # Without labels nobody can tell.
    ran("/bin/id", labels=None, fold_count=3), row("Device", "USB"),
)  # fmt: skip


def test_a_replay_equals_a_count_by_hand() -> None:
    assert over(WRITTEN, *EVENTS) == Replay(
        policy="KubeArmorPolicy shop/mine",
        action="Audit",
        events=25,
        selected=19,
        matched=13,
        new=10,
        denied=2,
        reported=(Count("DefaultPosture", 1), Count("ksp-a", 1), Count("ksp-b", 1)),
        rules=(
            RuleCount("process /bin/id, from /usr/bin/bash", "Audit", 5, 4),
            RuleCount("process /bin/nc", "Block", 2, 1),
            RuleCount("file /etc/shadow", "Audit", 2, 1),
            RuleCount("file /etc/ recursive", "Audit", 4, 3),
            RuleCount("network tcp", "Audit", 1, 1),
            RuleCount("network udp", "Audit", 1, 1),
        ),
        remarks=(
            "3 events do not tell whether they are of its pods: they have no labels; not counted",
        ),
    )


def test_batches_and_policies_add_up() -> None:
    pieces = [batch([event]) for event in EVENTS]
    node = policy("KubeArmorHostPolicy", {"matchLabels": {"kubernetes.io/hostname": "node-1"}},
                  process={"matchPaths": [{"path": "/bin/id"}]})  # fmt: skip
    everywhere = policy(
        "KubeArmorClusterPolicy", {}, file={"matchPaths": [{"path": "/etc/shadow"}]}
    )
    found = replays([WRITTEN, node, everywhere], pieces)
    assert found[0] == over(WRITTEN, *EVENTS)
    assert [each.matched for each in found] == [13, 1, 2]
    assert [each.selected for each in found] == [19, 1, 24]


def meant(section: dict[str, Any], event: dict[str, Any], **spec: Any) -> bool:
    (check, *_) = checks_of(policy(**section, **spec))
    act = act_of(event)
    assert act is not None
    return matches(check, act)


PATH, SHELL = {"path": "/bin/id"}, {"path": "/bin/sh"}


@pytest.mark.parametrize(
    ("rule", "event", "expected"),
    [
        (PATH, ran("/bin/id"), True),
        (PATH, ran("/usr/bin/id"), False),
        (PATH, opened("/bin/id"), False),
        (PATH | {"fromSource": [SHELL]}, ran("/bin/id"), False),
        (PATH | {"fromSource": [SHELL, {"path": "/usr/bin/bash"}]}, ran("/bin/id"), True),
        (SHELL | {"fromSource": [SHELL]}, ran("/bin/sh"), True),
        ({"execname": "id"}, ran("/opt/x/id"), True),
        ({"execname": "id"}, ran("/opt/x/pid"), False),
    ],
)
def test_paths_of_programs(rule: dict[str, Any], event: dict[str, Any], expected: bool) -> None:
    assert meant({"process": {"matchPaths": [rule]}}, event) is expected


@pytest.mark.parametrize(
    ("rule", "path", "expected"),
    [
        ({"dir": "/etc/"}, "/etc/passwd", True),
        ({"dir": "/etc/"}, "/etc/ssh/config", False),
        ({"dir": "/etc/", "recursive": True}, "/etc/ssh/config", True),
        ({"dir": "/etc/", "recursive": True}, "/etcetera/config", False),
        ({"dir": "/etc/"}, "/etc", True),
        ({"dir": "/etc/"}, "/etc/", True),
        ({"dir": "/"}, "/x", True),
        ({"dir": "/"}, "/etc/x", False),
        ({"dir": "/", "recursive": True}, "/etc/x", True),
        ({"dir": "/", "recursive": True}, "etc/x", False),
    ],
)
def test_folders_of_files(rule: dict[str, Any], path: str, expected: bool) -> None:
    assert meant({"file": {"matchDirectories": [rule]}}, opened(path)) is expected


def test_a_folder_of_programs_is_not_a_program() -> None:
    rule = {"process": {"matchDirectories": [{"dir": "/bin/"}]}}
    assert meant(rule, ran("/bin/id"))
    assert not meant(rule, ran("/bin"))


READ, WRITE = opened("/a/b"), opened("/a/b", "O_RDWR")
OWN, FOREIGN = opened("/a/b", uid=7, oid=7), opened("/a/b", uid=7, oid=0)


@pytest.mark.parametrize(
    ("flags", "event", "allowed", "audited"),
    [
        ({"readOnly": True}, READ, True, False),
        ({"readOnly": True}, WRITE, False, True),
        ({"ownerOnly": True}, OWN, True, False),
        ({"ownerOnly": True}, FOREIGN, False, True),
        ({"ownerOnly": True}, READ, True, True),
        ({"ownerOnly": True, "readOnly": True}, WRITE | {"uid": 7, "oid": 7}, False, True),
        ({"ownerOnly": True, "readOnly": True}, OWN, True, False),
        ({}, WRITE, True, True),
    ],
)
def test_what_is_allowed_to_be_read_is_audited_when_it_is_written(
    flags: dict[str, Any], event: dict[str, Any], allowed: bool, audited: bool
) -> None:
    rule = {"file": {"matchPaths": [{"path": "/a/b"} | flags]}}
    assert meant(rule, event, action="Allow") is allowed
    assert meant(rule, event, action="Audit") is audited
    assert meant(rule, event, action="block") is audited


@pytest.mark.parametrize(
    ("protocol", "event", "expected"),
    [
        ("tcp", connected(), True),
        ("udp", connected(), False),
        ("ALL", connected("sa_family=AF_INET"), True),
        ("tcp", connected("sa_family=AF_INET"), False),
    ],
)
def test_protocols(protocol: str, event: dict[str, Any], expected: bool) -> None:
    assert meant({"network": {"matchProtocols": [{"protocol": protocol}]}}, event) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [("/usr/bin/cat", True), ("/usr/bin/cat -n", False), ("/usr/bin/ca", False),
     ("/bin/python3", True), ("/bin/python", False)],
)  # fmt: skip
def test_a_source_of_a_connection_is_the_program_or_begins_its_command_line(
    source: str, expected: bool
) -> None:
    rule = {"protocol": "tcp", "fromSource": [{"path": source}]}
    event = connected(source="/bin/python3 -m http.server")
    assert meant({"network": {"matchProtocols": [rule]}}, event) is expected


def test_capabilities() -> None:
    event = row("Capabilities", "CAP_NET_RAW")
    for name, expected in (("net_raw", True), ("net_admin", False)):
        assert meant({"capabilities": {"matchCapabilities": [{"capability": name}]}}, event) is (
            expected
        )


UNLINK = row("Syscall", "/data/x/b", data="syscall=SYS_UNLINK flags=", source="/usr/bin/rm -f")


@pytest.mark.parametrize(
    ("form", "rule", "expected"),
    [
        ("matchSyscalls", {"syscall": ["unlink", "rmdir"]}, True),
        ("matchSyscalls", {"syscall": ["rmdir"]}, False),
        ("matchSyscalls", {"syscall": ["unlink"], "fromSource": [{"path": "/usr/bin/rm"}]}, True),
        ("matchSyscalls", {"syscall": ["unlink"], "fromSource": [{"path": "/usr/bin/r"}]}, False),
        ("matchSyscalls", {"syscall": ["unlink"], "fromSource": [{"dir": "/usr/bin"}]}, True),
        ("matchSyscalls", {"syscall": ["unlink"], "fromSource": [{"dir": "/usr/"}]}, False),
        ("matchSyscalls",
         {"syscall": ["unlink"], "fromSource": [{"dir": "/usr/", "recursive": True}]}, True),
        ("matchPaths", {"syscall": ["unlink"], "path": "/data/x/b"}, True),
        ("matchPaths", {"syscall": ["unlink"], "path": "/data/x/"}, False),
        ("matchPaths", {"syscall": ["unlink"], "path": "/data/x/b/"}, True),
        ("matchPaths", {"syscall": ["unlink"], "path": "/data/", "recursive": True}, True),
        ("matchPaths", {"syscall": ["unlink"], "path": "/data/"}, False),
    ],
)  # fmt: skip
def test_system_calls(form: str, rule: dict[str, Any], expected: bool) -> None:
    assert meant({"syscalls": {form: [rule]}}, UNLINK, action="Block") is expected
    assert checks_of(policy(syscalls={form: [rule]}, action="Block"))[0].action == "Audit"


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/data/*.txt", "/data/a.txt", True),
        ("/data/*.txt", "/data/x/a.txt", False),
        ("/data/**.txt", "/data/x/a.txt", True),
        ("/data/**/*.txt", "/data/x/c/a.txt", True),
        ("/bin/?d", "/bin/id", True),
        ("/bin/?d", "/bin//d", False),
        ("/bin/[i-k]d", "/bin/id", True),
        ("/bin/[^i]d", "/bin/id", False),
        ("/bin/{id,ls}", "/bin/ls", True),
        ("/bin/{id,ls}", "/bin/id,ls", False),
        ("/bin/a,b", "/bin/a,b", True),
        (r"/bin/\*", "/bin/*", True),
        (r"/bin/\*", "/bin/id", False),
        ("/bin/a.c", "/bin/abc", False),
        ("/bin/[", "/bin/[", True),
        ("/bin/{id", "/bin/id", False),
        ("/bin/" + "**" * 60 + "x", "/bin/" + "y" * 4000, False),
        ("/bin/\ud800", "/bin/x", False),
    ],
)
def test_patterns_are_read_as_apparmor_reads_them(pattern: str, path: str, expected: bool) -> None:
    assert is_like(pattern, path) is expected


def test_a_pattern_means_programs_and_files() -> None:
    rule = {"matchPatterns": [{"pattern": "/bin/*"}]}
    assert meant({"process": rule}, ran("/bin/id"))
    assert meant({"file": rule}, opened("/bin/id"))


def test_what_an_allowing_policy_leaves_to_the_posture_is_told_by_section() -> None:
    found = over(
        policy(action="Allow", process={"matchPaths": [{"path": "/bin/id"}]},
               file={"matchPaths": [{"path": "/a/b", "readOnly": True}]}),
        ran("/bin/id"), ran("/bin/ls"), READ, WRITE, opened("/x"), connected(),
    )  # fmt: skip
    assert (found.matched, found.selected) == (2, 6)
    assert found.outside == (Count("file", 2), Count("process", 1))
    assert over(policy(process={"matchPaths": [{"path": "/x"}]}), ran("/bin/id")).outside == ()
    rules = [{"path": "/bin/id", "action": "Allow"}, {"path": "/bin/ls"}]
    mixed = over(policy(process={"matchPaths": rules}), ran("/bin/id"), ran("/bin/ls"))
    assert (mixed.matched, mixed.outside) == (2, (Count("process", 1),))


def test_what_events_do_not_tell_is_said() -> None:
    found = over(
        policy(file={"matchPaths": [{"path": "/a/b", "readOnly": True, "ownerOnly": True}]},
               status="Inactive"),
        opened("/a/b", data="lsm=FILE_OPEN", fold_count=1200), WRITE | {"uid": 1, "oid": 1},
    )  # fmt: skip
    assert found.matched == 1201
    assert found.remarks == (
        "1,200 events do not tell whose the file is: counted as meant by ownerOnly",
        "1,200 events do not tell how the file was opened: counted as written",
        "it is Inactive: KubeArmor would do nothing",
    )


def test_a_policy_for_containers_means_only_those() -> None:
    found = policy(selector={"matchLabels": {"kubearmor.io/container.name": "[cart, log]"}},
                   process={"matchPaths": [{"path": "/bin/id"}]})  # fmt: skip
    rows = [ran("/bin/id", labels=None), ran("/bin/id", container_name="other")]
    assert over(found, *rows).selected == 1


@pytest.mark.parametrize(
    ("labels", "selected"),
    [({"kubernetes.io/hostname": "node-1"}, 1), ({"kubearmor.io/hostname": "node-.*"}, 2),
     ({"disk": "ssd"}, 0)],
)  # fmt: skip
def test_a_policy_for_nodes_means_what_happened_outside_of_pods(
    labels: dict[str, str], selected: int
) -> None:
    host = policy("KubeArmorHostPolicy", {"matchLabels": labels},
                  process={"matchPaths": [{"path": "/bin/id"}]})  # fmt: skip
    rows = [on_node(ran("/bin/id")), on_node(ran("/bin/id"), "node-2"), ran("/bin/id"),
            ran("/bin/id", namespace_name=None)]  # fmt: skip
    found = over(host, *rows)
    assert found.selected == selected
    assert bool(found.remarks) is ("disk" in labels)


def test_an_alert_without_a_policy_is_reported_still() -> None:
    found = over(WRITTEN, alert(ran("/bin/id"), "") | {"policy_name": None})
    assert (found.matched, found.new, found.reported) == (1, 0, (Count("?", 1),))
