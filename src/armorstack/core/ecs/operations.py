"""What each KubeArmor operation but the network's two adds to a document, and what it is called.

Every function takes the event and its details, writes the objects that are its own (process, file,
capabilities) and returns the `Act`: category, action and types as ECS allows them together.

Must not go here: whether the act was allowed (`verdict`), and what every event has (`document`).
"""

from typing import Any

from msgspec import Struct

from armorstack.core.ecs.draft import Draft, Row
from armorstack.core.ecs.event_data import Pairs
from armorstack.core.policy_change import DONE, TYPE

LONGEST_ARGS = 1024
"""Parts of a command line that are kept one by one; the line itself is kept whole."""


class Act(Struct, frozen=True):
    """One kind of event. Without a category ECS has none for it."""

    category: str | None
    action: str | None
    types: tuple[str, ...] = ()


def call_of(pairs: Pairs) -> str:
    """The system call or kernel hook that saw the event, such as SYS_OPENAT or FILE_OPEN."""
    get = pairs.get
    return get("Syscall") or get("Lsm") or get("Kprobe") or get("Kfunc") or ""


EXEC = Act("process", "process-exec", ("start",))
PTRACE = Act("process", "process-ptrace", ("access",))


def process(row: Row, pairs: Pairs, draft: Draft) -> Act:
    """A program was started (Resource is its command line), or another process traced."""
    if pairs.get("Syscall") == "SYS_PTRACE":
        return PTRACE
    if line := row["resource"]:
        split_line(line, draft["process"])
    return EXEC


def split_line(line: str, process: dict[str, Any]) -> None:
    """Add a command line, and its words."""
    args = line.split()
    process["command_line"] = line
    process["args_count"] = len(args)
    if args:
        process["args"] = args[:LONGEST_ARGS]


def _file_calls() -> dict[str, Act]:
    calls = {
        ("open", "access"): "SYS_OPEN SYS_OPENAT SYS_OPENAT2 FILE_OPEN",
        ("access", "access"): "FILE_PERMISSION",
        ("close", "info"): "SYS_CLOSE",
        ("create", "creation"): "SYS_CREAT",
        ("mkdir", "creation"): "SYS_MKDIR SYS_MKDIRAT FILE_MKDIR",
        ("mknod", "creation"): "SYS_MKNOD SYS_MKNODAT FILE_MKNOD",
        ("link", "creation"): "SYS_LINK SYS_LINKAT FILE_LINK",
        ("symlink", "creation"): "SYS_SYMLINK SYS_SYMLINKAT FILE_SYMLINK",
        ("unlink", "deletion"): "SYS_UNLINK SYS_UNLINKAT FILE_UNLINK",
        ("rmdir", "deletion"): "SYS_RMDIR FILE_RMDIR",
        ("rename", "change"): "SYS_RENAME SYS_RENAMEAT SYS_RENAMEAT2 FILE_RENAME",
        ("chmod", "change"): "SYS_CHMOD SYS_FCHMOD SYS_FCHMODAT FILE_CHMOD",
        ("chown", "change"): "SYS_CHOWN SYS_FCHOWN SYS_LCHOWN SYS_FCHOWNAT FILE_CHOWN",
        ("truncate", "change"): "SYS_TRUNCATE SYS_FTRUNCATE FILE_TRUNCATE",
    }
    return {
        call: Act("file", f"file-{word}", (type_,))
        for (word, type_), names in calls.items()
        for call in names.split()
    }


FILE_CALLS = _file_calls()
FILE_ACCESS = Act("file", "file-access", ("access",))
OPEN_TO_CREATE = Act("file", "file-open", ("creation",))
OPEN_TO_CHANGE = Act("file", "file-open", ("change",))
_CHANGING = ("O_WRONLY", "O_RDWR", "O_TRUNC", "O_APPEND")


def _file_act(pairs: Pairs) -> Act:
    act = FILE_CALLS.get(call_of(pairs), FILE_ACCESS)
    flags = pairs.get("Flags")
    if not flags:
        return act
    if act.action == "file-open":
        if "O_CREAT" in flags:
            return OPEN_TO_CREATE
        return OPEN_TO_CHANGE if any(flag in flags for flag in _CHANGING) else act
    return FILE_CALLS["SYS_RMDIR"] if flags == "AT_REMOVEDIR" else act


def split_path(path: str, file: dict[str, Any]) -> None:
    """Add a path, and its parts."""
    file["path"] = path
    directory, slash, name = path.rstrip("/").rpartition("/")
    if slash or path.startswith("/"):
        file["directory"] = directory or "/"
    if name:
        file["name"] = name
        stem, _, extension = name.rpartition(".")
        if stem.strip(".") and extension:
            file["extension"] = extension


def file(row: Row, pairs: Pairs, draft: Draft) -> Act:
    """A file was opened, made, changed or removed; Resource is its path."""
    if path := row["resource"]:
        split_path(path, draft["file"])
    return _file_act(pairs)


CAPABILITY = Act("process", "capability-use", ("info",))


def capabilities(row: Row, pairs: Pairs, draft: Draft) -> Act:
    """A capability was asked for; Resource is its name, AppArmor's without the `CAP_`."""
    names = [
        name if name.startswith("CAP_") else f"CAP_{name}"
        for name in (row["resource"] or "").upper().split()
    ]
    if names:
        draft["process"]["thread"] = {"capabilities": {"effective": names}}
    return CAPABILITY


SYSCALL = Act("process", "syscall", ("info",))


def syscall(row: Row, pairs: Pairs, draft: Draft) -> Act:
    """An audited system call. File acts come a second time as this (quirk 8): no file here."""
    return SYSCALL


DEVICE = Act("host", "device-access", ("access",))


def device(row: Row, pairs: Pairs, draft: Draft) -> Act:
    """A USB device was attached; its class and ids stay in kubearmor.event_data."""
    return DEVICE


THROTTLED = Act("host", "alert-throttled", ("info",))


def alert_threshold(row: Row, pairs: Pairs, draft: Draft) -> Act:
    """From now on the node drops this container's alerts for kubearmor.throttle.interval_s."""
    return THROTTLED


MESSAGE = Act(None, "message")


def message(row: Row, pairs: Pairs, draft: Draft) -> Act:
    """KubeArmor's own log line, for which ECS has no category, or a change of a policy."""
    if row["type"] == TYPE and row["operation"] in DONE:
        action, type_ = DONE[row["operation"]]
        return Act("configuration", action, (type_,))
    return MESSAGE


UNKNOWN = Act(None, None)


def unknown(row: Row, pairs: Pairs, draft: Draft) -> Act:
    """An operation that is not in the vocabulary yet; its name stays in kubearmor.operation."""
    return UNKNOWN
