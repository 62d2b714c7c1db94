"""By what a rule could name an act and who did it, or why none can.

A policy is written into the profiles of enforcers and compared with events; whoever runs in a pod
chooses what files are called. Invariant: a value without a reason is one that KubeArmor's
definitions take, that its event matching finds again, and that no enforcer reads as more than
itself. Must not go here: counting, rules.
"""

import re

from armorstack.core.text import UNSAFE
from armorstack.policies.acts import Act, capability_of, first_word
from armorstack.policies.kernel_names import OLD_PROTOCOLS, SYSCALLS

LONGEST = 255
"""Bytes of a path that KubeArmor's maps hold."""
NAMED = ("network", "capabilities")
"""Sections whose rules must name the program on a node."""
_SPECIAL = re.compile(r"[\s*?\[\]{}\"\\,]")
_SHIMS = ("containerd-shim", "runc", "crun", "conmon", "docker-init", "youki", "runsc")
"""Programs of container runtimes: outside of the container that they start a program in."""


def unfit(path: str) -> str:
    """Why no rule can name the path, as the end of a sentence; empty: one can."""
    if not path.startswith("/"):
        return "is no absolute path"
    if UNSAFE.search(path) or _SPECIAL.search(path):
        return "holds a character that enforcers read as more than itself"
    if len(path.encode()) > LONGEST:
        return f"is longer than {LONGEST} bytes"
    parts = path.removesuffix("/").split("/")[1:]
    if path != "/" and any(part in ("", ".", "..") for part in parts):
        return "is no plain path"
    return ""


def value_of(act: Act, action: str) -> tuple[str, str]:
    """What a rule of a policy with this action would name, and why none can; the reason is empty
    where one can."""
    if act.section == "file" and " " in act.resource:
        return act.resource, "holds a space, at which KubeArmor cuts the paths of events"
    if act.section in ("process", "file"):
        return act.value, unfit(act.value) or _is_folder(act, action)
    if act.section == "network":
        known = act.value in OLD_PROTOCOLS
        return act.value or "network", "" if known else "names none of tcp, udp, icmp and raw"
    if act.section == "capabilities":
        found = capability_of(act.resource)
        return found or act.resource, "" if found else "names no capability of policies"
    if action != "Audit":
        return act.value, "is a system call, which KubeArmor can only audit"
    return act.value, "" if act.value in SYSCALLS else "is no system call of policies"


def _is_folder(act: Act, action: str) -> str:
    """Why a folder cannot stand for itself."""
    if not act.value.endswith("/"):
        return ""
    if act.section == "process" or act.value == "/":
        return "is a folder"
    return "is a folder, whose files would be blocked" if action == "Block" else ""


def source_of(act: Act, *, on_node: bool) -> tuple[str, str]:
    """The program by which KubeArmor would compare `fromSource`, and why no rule can name it. An
    empty one is not known, or is the runtime that started the container."""
    source = _source(act, on_node)
    if source and (reason := unfit(source)):
        return source, f"its program {reason}"
    if source.endswith("/"):
        return source, "its program is a folder"
    if on_node and not source and act.section in NAMED:
        return "", "on a node a rule must name the program, and the event does not"
    return source, ""


def _source(act: Act, on_node: bool) -> str:
    if act.section == "process":
        outside = not on_node and act.parent.rpartition("/")[2].startswith(_SHIMS)
        return "" if outside else act.parent
    return first_word(act.source) if act.section == "syscalls" else act.process
