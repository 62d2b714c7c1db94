"""From groups of frequent events to filters and commands that may be worth suggesting.

Invariant: a name from an event becomes a glob that matches this name and nothing else, and goes
into a command only where it is a name that Kubernetes gives.
Must not go here: how much a candidate removes; `noise_count` finds that out.
"""

import re
from collections.abc import Iterator
from typing import get_args

from armorstack.config import (
    DropFilter,
    Filter,
    FoldFilter,
    Globs,
    Preset,
    PresetFilter,
    Select,
)
from armorstack.core.noise import ALERTS, LOGS, POSTURE, Candidate, Group, Leads

MAKERS, FOLDERS, POLICIES, VISIBLE = 8, 5, 4, 5
"""How many of each are tried."""
NUMBER = "\0"
"""Stands for a number in a folder of `Leads.folders`; no path on Linux has it."""
WATCHED = re.compile(r"/(etc|root|home|boot|run/secrets|var/run/secrets|tmp|var/tmp|dev/shm)/")
"""Folders where reads tell of an intruder: no filter is suggested for them."""

_GLOB = re.compile(r"[*?\[]")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NO_NAMESPACE = "container_namespace"
"""What KubeArmor writes where there is no Kubernetes."""
_SCOPES = ("process", "file", "network", "capabilities")

_PRESET_TITLES: dict[Preset, str] = {
    "passed-noise": "every log of what simply worked",
    "default-posture-apart": "alerts of the default posture get a tag of their own",
    "own-traffic": "connections of KubeArmor itself and to its feed",
    "known-noisy-paths": "files that every start of a process opens, /proc and /sys",
}
_POSTURE_NOTE = (
    "their origin is an Allow policy that does not name what these processes do: add it there"
)


def literal(text: str) -> str:
    """The glob that matches this text only."""
    return _GLOB.sub(lambda found: f"[{found[0]}]", text)


def candidates(leads: Leads, events: int) -> tuple[Candidate, ...]:
    """All that is worth counting, of so many events."""
    return (
        *_presets(),
        *(_maker(group) for group in leads.makers[:MAKERS]),
        *_folders(leads.folders),
        *_posture(),
        *_folds(leads.policies),
        *_visibility(leads.visible, events),
    )


def _presets() -> Iterator[Candidate]:
    for preset in get_args(Preset):
        title = f"preset {preset}: {_PRESET_TITLES.get(preset, '')}".rstrip(": ")
        yield Candidate(kind="preset", title=title, filter=PresetFilter(preset=preset))


def _maker(group: Group) -> Candidate:
    namespace, process, operation = (
        group.values[name] or "" for name in ("namespace_name", "process_name", "operation")
    )
    select = Select(
        namespaces=(literal(namespace),), processes=(literal(process),),
        operations=(literal(operation),), results=("Passed",),
    )  # fmt: skip
    where = f"in {namespace}" if namespace else "on nodes"
    return Candidate(
        kind="drop", title=f"{operation or 'other'} logs of {process or 'no process'} {where}",
        filter=DropFilter(tag=LOGS, select=select), note="logs of what worked; its alerts stay",
    )  # fmt: skip


def _folders(groups: tuple[Group, ...]) -> Iterator[Candidate]:
    open_ones = [group for group in groups if not WATCHED.match(group.values["path"] or "")]
    for group in open_ones[:FOLDERS]:
        parts = (group.values["path"] or "").split(NUMBER)
        glob = "[0-9]*".join(map(literal, parts)) + "*"
        select = Select(operations=("File",), results=("Passed",), resources=(glob,))
        yield Candidate(
            kind="drop", title=f"files opened below {'N'.join(parts)}",
            filter=DropFilter(tag=LOGS, select=select), note="logs of what worked; alerts stay",
        )  # fmt: skip


def _posture() -> Iterator[Candidate]:
    select = Select(policies=(POSTURE,), actions=("Audit",), results=("Passed",))
    yield Candidate(
        kind="drop", title="default-posture alerts that were only audited",
        filter=DropFilter(tag=ALERTS, select=select), note=_POSTURE_NOTE,
    )  # fmt: skip


def _folds(policies: tuple[Group, ...]) -> Iterator[Candidate]:
    yield _fold("equal logs within 10 s become one, with their number", LOGS, Select())
    for group in policies[:POLICIES]:
        policy = group.values["policy_name"] or ""
        select = Select(policies=(literal(policy),))
        yield _fold(f"equal alerts of {policy} within 10 s become one", ALERTS, select)


def _fold(title: str, tag: str, select: Select) -> Candidate:
    note = "the first event stays, with the number of all and the time of the last"
    fold = FoldFilter(tag=tag, select=select)
    return Candidate(kind="fold", title=title, filter=fold, note=note)


def _visibility(groups: tuple[Group, ...], events: int) -> Iterator[Candidate]:
    """Operations of namespaces that make a twentieth of everything, or more."""
    seen: dict[str, set[str]] = {}
    for group in groups:
        name = group.values["namespace_name"] or ""
        seen.setdefault(name, set()).add((group.values["operation"] or "").lower())
    frequent = [group for group in groups if group.events >= events / 20]
    for group in frequent[:VISIBLE]:
        namespace, operation = group.values["namespace_name"] or "", group.values["operation"] or ""
        known = _NAMESPACE.fullmatch(namespace) and namespace != _NO_NAMESPACE
        if known and operation.lower() in _SCOPES:
            yield _command(namespace, operation, seen[namespace])


def _command(namespace: str, operation: str, seen: set[str]) -> Candidate:
    """Visibility without the operation. It silences audits, too (KubeArmor #2090)."""
    kept = [
        scope
        for scope in _SCOPES
        if scope != operation.lower() and (scope in seen or scope in ("process", "network"))
    ]
    of_it = Select(namespaces=(namespace,), operations=(operation,), types=("ContainerLog",))
    audits = Select(
        namespaces=(namespace,), operations=(operation,), actions=("Audit",),
        policies=Globs(include=("?*",), exclude=(POSTURE,)),
    )  # fmt: skip
    annotation = f"kubearmor-visibility={','.join(kept)}"
    return Candidate(
        kind="command", title=f"KubeArmor stops reporting {operation} in namespace {namespace}",
        command=f"kubectl annotate namespace {namespace} {annotation} --overwrite",
        filter=DropFilter(tag=LOGS, select=of_it),
        note=f"stops at the origin; policies that audit {operation} there fall silent, too",
        spares=DropFilter(tag=ALERTS, select=audits),
        refusal=f"{annotation} for namespace {namespace} is not suggested: {{count}} alerts of "
        "policies that audit would stop as well",
    )  # fmt: skip


def protected() -> tuple[Filter, Filter]:
    """What must never be dropped: what was blocked, and alerts of policies."""
    return (
        DropFilter(select=Select(actions=("Block",))),
        DropFilter(
            tag=ALERTS, select=Select(policies=Globs(include=("?*",), exclude=(POSTURE,)))
        ),
    )  # fmt: skip
