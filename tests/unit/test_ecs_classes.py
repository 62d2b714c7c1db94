"""event.category, event.type, event.action, event.outcome: every row, one test each."""

from typing import Any

import pytest

from armorstack.core.ecs import to_ecs
from armorstack.core.ecs.network import CALLS
from armorstack.core.ecs.operations import FILE_CALLS
from tests.support.ecs import ALERT, LOG, check, event, get

AUDIT = ALERT | {"action": "Audit", "result": "Passed"}
BLOCK = ALERT | {"action": "Block", "result": "Permission denied"}
EXEC = {"operation": "Process", "data": "syscall=SYS_EXECVE", "resource": "/bin/ls -l"}
CONNECT = {"operation": "Network", "data": "syscall=SYS_CONNECT fd=3"}
FIREWALL = {"operation": "NetworkFirewall", "type": "MatchedNetworkPolicy"}

Columns = dict[str, Any]


def opened(flags: str) -> Columns:
    return {"operation": "File", "data": f"syscall=SYS_OPENAT fd=-100 flags={flags}"}


def called(call: str, operation: str = "File") -> Columns:
    kind = "syscall" if call.startswith("SYS_") else "lsm"
    return {"operation": operation, "data": f"{kind}={call}"}


# Row → columns, event.category, event.type, event.action.
ROWS: dict[str, tuple[Columns, list[str] | None, list[str] | None, str | None]] = {
    "exec seen": (LOG | EXEC, ["process"], ["start"], "process-exec"),
    "exec audited": (
        AUDIT | EXEC,
        ["intrusion_detection", "process"],
        ["start", "allowed"],
        "process-exec",
    ),
    "exec blocked": (
        BLOCK | called("SECURITY_BPRM_CHECK", "Process"),
        ["intrusion_detection", "process"],
        ["start", "denied"],
        "process-exec",
    ),
    "exec by a policy in audited mode is allowed": (
        AUDIT | EXEC | {"action": "Audit (Block)"},
        ["intrusion_detection", "process"],
        ["start", "allowed"],
        "process-exec",
    ),
    "another process traced": (
        LOG | called("SYS_PTRACE", "Process") | {"resource": "/bin/ls"},
        ["process"],
        ["access"],
        "process-ptrace",
    ),
    "file read": (LOG | opened("O_RDONLY|O_CLOEXEC"), ["file"], ["access"], "file-open"),
    "file opened, says the kernel's hook": (
        LOG | called("FILE_OPEN"),
        ["file"],
        ["access"],
        "file-open",
    ),
    "file written": (LOG | opened("O_WRONLY|O_CLOEXEC"), ["file"], ["change"], "file-open"),
    "file read and written": (LOG | opened("O_RDWR"), ["file"], ["change"], "file-open"),
    "file created": (LOG | opened("O_WRONLY|O_CREAT|O_EXCL"), ["file"], ["creation"], "file-open"),
    "file unlinked": (LOG | called("SYS_UNLINK"), ["file"], ["deletion"], "file-unlink"),
    "file unlinked at": (
        LOG | {"operation": "File", "data": "syscall=SYS_UNLINKAT flags="},
        ["file"],
        ["deletion"],
        "file-unlink",
    ),
    "folder removed": (LOG | called("SYS_RMDIR"), ["file"], ["deletion"], "file-rmdir"),
    "folder removed at": (
        LOG | {"operation": "File", "data": "syscall=SYS_UNLINKAT flags=AT_REMOVEDIR"},
        ["file"],
        ["deletion"],
        "file-rmdir",
    ),
    "chmod": (LOG | called("SYS_FCHMODAT"), ["file"], ["change"], "file-chmod"),
    "chown": (LOG | called("SYS_FCHOWNAT"), ["file"], ["change"], "file-chown"),
    "rename": (LOG | called("SYS_RENAMEAT2"), ["file"], ["change"], "file-rename"),
    "mkdir": (LOG | called("FILE_MKDIR"), ["file"], ["creation"], "file-mkdir"),
    "file, by a call nobody knows": (
        LOG | called("SYS_NEW"),
        ["file"],
        ["access"],
        "file-access",
    ),
    "file audited": (
        AUDIT | opened("O_RDONLY"),
        ["intrusion_detection", "file"],
        ["access", "allowed"],
        "file-open",
    ),
    "file blocked": (
        BLOCK | called("FILE_UNLINK"),
        ["intrusion_detection", "file"],
        ["deletion", "denied"],
        "file-unlink",
    ),
    "connect": (LOG | CONNECT, ["network"], ["connection", "start"], "network-connect"),
    "connect, says the probe": (
        LOG | {"operation": "Network", "data": "kprobe=tcp_connect domain=AF_INET"},
        ["network"],
        ["connection", "start"],
        "network-connect",
    ),
    "accept": (
        LOG | {"operation": "Network", "data": "kprobe=tcp_accept domain=AF_INET"},
        ["network"],
        ["connection", "start"],
        "network-accept",
    ),
    "bind": (LOG | called("SYS_BIND", "Network"), ["network"], ["connection"], "network-bind"),
    "listen": (LOG | called("SYS_LISTEN", "Network"), ["network"], ["info"], "network-listen"),
    "socket": (LOG | called("SYS_SOCKET", "Network"), ["network"], ["info"], "network-socket"),
    "DNS query": (
        LOG | {"operation": "Network", "data": "kfunc=UDP_SENDSKB domain=a.b daddr=::1 qtype=A"},
        ["network"],
        ["connection", "protocol"],
        "network-dns",
    ),
    "network, by a call nobody knows": (
        LOG | called("SYS_NEW", "Network"),
        ["network"],
        ["access"],
        "network-access",
    ),
    "audited network": (
        AUDIT | CONNECT,
        ["intrusion_detection", "network"],
        ["connection", "start", "allowed"],
        "network-connect",
    ),
    "blocked network": (
        BLOCK | called("SOCKET_CREATE", "Network"),
        ["intrusion_detection", "network"],
        ["connection", "denied"],
        "network-socket",
    ),
    "network firewall blocked": (
        BLOCK | FIREWALL,
        ["intrusion_detection", "network"],
        ["connection", "denied"],
        "network-firewall",
    ),
    "capability": (
        LOG | {"operation": "Capabilities", "resource": "CAP_KILL"},
        ["process"],
        ["info"],
        "capability-use",
    ),
    "capability blocked": (
        BLOCK | {"operation": "Capabilities", "resource": "CAP_KILL"},
        ["intrusion_detection", "process"],
        ["info", "denied"],
        "capability-use",
    ),
    "syscall": (LOG | called("SYS_SETUID", "Syscall"), ["process"], ["info"], "syscall"),
    "syscall audited": (
        AUDIT | called("SYS_SETUID", "Syscall"),
        ["intrusion_detection", "process"],
        ["info", "allowed"],
        "syscall",
    ),
    "device": (LOG | {"operation": "Device"}, ["host"], ["access"], "device-access"),
    "device removed": (
        ALERT | {"operation": "Device", "action": "Remove", "result": "Removed"},
        ["intrusion_detection", "host"],
        ["access", "denied"],
        "device-access",
    ),
    "AlertThreshold": (
        {"stream": "alert", "type": "SystemEvent", "operation": "AlertThreshold"},
        ["host"],
        ["info"],
        "alert-throttled",
    ),
    "message": ({"stream": "message", "type": "Message"}, None, None, "message"),
    "message that names an operation": (
        {"stream": "message", "operation": "NetworkFirewall", "result": "Passed"},
        None,
        None,
        "message",
    ),
    "operation nobody knows": (LOG | {"operation": "New"}, None, None, None),
    "alert of an operation nobody knows": (
        BLOCK | {"operation": "New"},
        ["intrusion_detection"],
        ["info", "denied"],
        None,
    ),
}


@pytest.mark.parametrize(("columns", "category", "types", "action"), ROWS.values(), ids=ROWS)
def test_the_row_of_categories_and_types_holds(
    columns: Columns, category: list[str] | None, types: list[str] | None, action: str | None
) -> None:
    document = to_ecs(event(columns))
    check(document)
    found = document["event"]
    assert (found.get("category"), found.get("type")) == (category, types)
    assert found.get("action") == action


OUTCOMES = {
    "Passed": "success",
    "Permission denied": "failure",
    "Read-only file system": "failure",
    "No such device or address": "failure",
    "Is a directory": "failure",
    "Connection refused": "failure",
    "Unknown (-515)": "failure",
    "Removed": "unknown",
    None: "unknown",
}


@pytest.mark.parametrize(("result", "outcome"), OUTCOMES.items(), ids=str)
def test_result_has_more_than_two_values_and_each_its_outcome(
    result: str | None, outcome: str
) -> None:
    document = to_ecs(event(LOG, operation="File", result=result))
    assert get(document, "event.outcome") == outcome
    assert get(document, "event.reason") == result


def test_a_message_has_no_outcome() -> None:
    assert get(to_ecs(event(stream="message", type="Message")), "event.outcome") is None


VERDICTS = {
    ("Audit", "Passed"): "allowed",
    ("Audit", "Read-only file system"): "allowed",
    ("Allow", "Permission denied"): "allowed",
    ("Audit (Block)", "Passed"): "allowed",
    ("Audit (Allow)", "Passed"): "allowed",
    ("Block", "Permission denied"): "denied",
    ("Block", "Operation not permitted"): "denied",
    ("Remove", "Removed"): "denied",
    (None, "Passed"): "allowed",
    (None, "Permission denied"): "denied",
    ("Quarantine", "Passed"): "allowed",
}


@pytest.mark.parametrize(("columns", "verdict"), VERDICTS.items(), ids=str)
def test_allowed_or_denied_is_told_by_what_was_done(
    columns: tuple[str | None, str], verdict: str
) -> None:
    action, result = columns
    document = to_ecs(event(ALERT, operation="File", action=action, result=result))
    assert get(document, "event.type") == ["access", verdict]


def test_an_alert_without_action_and_result_is_neither_allowed_nor_denied() -> None:
    assert get(to_ecs(event(ALERT, operation="File")), "event.type") == ["access"]


ACTIONS = {
    "Audit (Block)": ("Audit", "Block"),
    "Audit (Allow)": ("Audit", "Allow"),
    "Block": ("Block", None),
    "Audit ()": ("Audit ()", None),
    " (Block)": (" (Block)", None),
    "Audit (Block": ("Audit (Block", None),
    "Audit(Block)": ("Audit(Block)", None),
}


@pytest.mark.parametrize(("written", "parts"), ACTIONS.items())
def test_action_is_split_into_what_was_done_and_what_was_meant(
    written: str, parts: tuple[str, str | None]
) -> None:
    found = to_ecs(event(ALERT, action=written))["kubearmor"]
    assert (found["action"], found.get("intended_action")) == parts


@pytest.mark.parametrize("operation", ["File", "Network"])
def test_every_known_call_gives_types_that_ecs_allows_seen_audited_and_blocked(
    operation: str,
) -> None:
    for call in {"File": FILE_CALLS, "Network": CALLS}[operation]:
        for kind in (LOG, AUDIT, BLOCK):
            check(to_ecs(event(kind, operation=operation, data=f"syscall={call}")))


def test_an_event_that_lost_its_stream_is_told_by_its_type() -> None:
    kinds = {
        "MatchedPolicy": ("alert", "kubearmor.alerts"),
        "MatchedNativePolicy": ("alert", "kubearmor.alerts"),
        "SystemEvent": ("event", "kubearmor.alerts"),
        "HostLog": ("event", "kubearmor.logs"),
        "Message": ("event", "kubearmor.messages"),
    }
    for type_, expected in kinds.items():
        found = to_ecs(event(type=type_))["event"]
        assert (found["kind"], found["dataset"]) == expected
