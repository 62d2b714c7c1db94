"""One event in one sentence: "Blocked: /bin/cat tried to read /etc/shadow in pod web-1".

Invariant: plain text, made of what the event says and words of ours; escaping it for a page or a
terminal is for whoever shows it. Must not go here: what is only in ECS.
"""

from typing import Any

from armorstack.core.ecs.event_data import event_data
from armorstack.core.ecs.operations import call_of
from armorstack.core.ecs.verdict import actions
from armorstack.core.policy_change import TYPE

Row = dict[str, Any]

_VERDICTS = {"Block": "Blocked", "Audit": "Audited", "Allow": "Allowed", "Remove": "Removed"}
_RIGHTS, _OWNER = "change the rights of", "change the owner of"
_FILE_WORDS = {
    "CREAT": "create", "MKDIR": "make the folder", "MKNOD": "make the device", "LINK": "link",
    "SYMLINK": "link to", "UNLINK": "delete", "RMDIR": "delete the folder", "RENAME": "rename",
    "CHMOD": _RIGHTS, "FCHMOD": _RIGHTS, "CHOWN": _OWNER, "FCHOWN": _OWNER, "LCHOWN": _OWNER,
    "TRUNCATE": "cut", "FTRUNCATE": "cut", "CLOSE": "close",
}  # fmt: skip
"""What a call does to a file, by its name without SYS_, FILE_ and an ending AT."""
_NOTHING = {"event_data": None, "data": None, "resource": None, "operation": None}
_WRITING = ("O_WRONLY", "O_RDWR", "O_APPEND", "O_TRUNC", "O_CREAT")
_PAST = {
    "run": "ran", "read": "read", "open": "opened", "write": "wrote", "create": "created",
    "make the folder": "made the folder", "make the device": "made the device", "link": "linked",
    "link to": "linked to", "delete": "deleted", "delete the folder": "deleted the folder",
    "rename": "renamed", _RIGHTS: "changed the rights of", _OWNER: "changed the owner of",
    "cut": "cut", "close": "closed",
    "connect:": "connected:", "use": "used", "call": "called", "attach": "attached",
    "trace": "traced", "act on": "acted on",
}  # fmt: skip


def sentence(row: Row) -> str:
    """What happened. `row` has columns of `SCHEMA`, absent ones missing or None."""
    if row.get("stream") == "message":
        if row.get("type") == TYPE:
            return f"Policy: {row.get('message') or '-'}"
        return (
            f"{row.get('level') or 'Message'} from node {_node(row)}: {row.get('message') or '-'}"
        )
    if row.get("operation") == "AlertThreshold":
        seconds = row.get("dropping_alerts_interval")
        until = f" for {seconds} s" if seconds else ""
        return f"Throttled: KubeArmor drops alerts{_where(row)}{until}"
    return f"{_verdict(row)}: {act(row)}{_where(row)}"


def act(row: Row) -> str:
    """Who did what, without what came of it and where: `/bin/cat tried to read /etc/shadow`."""
    if row.get("stream") == "message":
        return str(row.get("message") or "-")
    if row.get("operation") == "AlertThreshold":
        return "KubeArmor drops alerts"
    return f"{_who(row)} {_did(row)}"


def verdict_of(row: Row) -> str:
    """`blocked`, `audited`, `allowed`, `failed` or `passed`: a word for a mark on a page."""
    done, _ = actions(row.get("action") or "")
    if done in _VERDICTS:
        return {"Remove": "blocked"}.get(done, _VERDICTS[done].lower())
    return "passed" if row.get("result") in ("Passed", None) else "failed"


def _verdict(row: Row) -> str:
    done, intended = actions(row.get("action") or "")
    if not done:
        return "Seen" if row.get("result") in ("Passed", None) else f"Failed ({row['result']})"
    word = _VERDICTS.get(done, done)
    would = {"Block": "would have been blocked", "Allow": "would have been allowed"}
    return f"{word} ({would.get(intended, intended)})" if intended else word


def _who(row: Row) -> str:
    """Of a program that was started: who started it."""
    starts = row.get("operation") == "Process"
    names = ("parent_process_name", "source") if starts else ("process_name", "source")
    for name in names:
        if value := (row.get(name) or ""):
            return str(value.split(" ", 1)[0])
    return "a process"


def _did(row: Row) -> str:
    word = _word(row)
    happened = row.get("result") == "Passed"
    what = row.get("resource") or row.get("operation") or "something"
    return f"{_PAST[word]} {what}" if happened else f"tried to {word} {what}"


def _word(row: Row) -> str:
    pairs = event_data(
        {"event_data": None, "data": None, "resource": None, "operation": None, **row}
    )
    match row.get("operation"):
        case "Process":
            return "trace" if pairs.get("Syscall") == "SYS_PTRACE" else "run"
        case "File":
            return _file_word(call_of(pairs), pairs.get("Flags") or "")
        case "Network" | "NetworkFirewall":
            return "connect:"
        case "Capabilities":
            return "use"
        case "Syscall":
            return "call"
        case "Device":
            return "attach"
    return "act on"


def _file_word(call: str, flags: str) -> str:
    name = call.removeprefix("SYS_").removeprefix("FILE_").removesuffix("2").removesuffix("AT")
    if word := _FILE_WORDS.get(name) or _FILE_WORDS.get(name + "AT"):
        return word
    if any(flag in flags for flag in _WRITING):
        return "write"
    return "read" if "O_RDONLY" in flags else "open"


def _where(row: Row) -> str:
    if pod := row.get("pod_name"):
        return f" in pod {pod}"
    return f" on node {_node(row)}" if row.get("host_name") else ""


def _node(row: Row) -> str:
    return str(row.get("host_name") or "-")
