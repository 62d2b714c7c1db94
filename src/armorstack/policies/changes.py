"""What changed since the documents were made that are known, as events of the stream.

The events go by a file that the receiver follows, so they are spooled as all others. Invariant: a
change is on disk there before a document says that it was seen, so a crash between the two tells it
again. Its id makes that harmless, but for a deletion, whose time is that of being seen. Must not go
here: what an event of a change looks like.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from armorstack.core.policy_change import PolicyChange, Verb, line_of
from armorstack.policies.diff import lines_of, spec_diff
from armorstack.policies.document import LONGEST_YAML, PolicyDocument
from armorstack.policies.policy import Policy

MOST_BYTES = 16 * 1024 * 1024
"""Of the file; it is then renamed, which its follower understands."""


def changes_of(
    known: Mapping[str, PolicyDocument], policies: Mapping[str, Policy], cluster: str, now_us: int
) -> Iterator[PolicyChange]:  # fmt: skip
    """What was made, changed or deleted, in no order."""
    for uid, policy in policies.items():
        before = known.get(uid)
        if before is None or not before.is_deployed:
            yield _change("Create", policy, policy.changed_us or now_us, cluster)
        elif before.spec_hash != policy.spec_hash:
            told = _difference(before, policy)
            yield _change("Update", policy, policy.changed_us or now_us, cluster, told)
    for uid, document in known.items():
        if document.is_deployed and uid not in policies:
            yield PolicyChange(
                verb="Delete", time_us=now_us, cluster=cluster, kind=document.kind,
                namespace=document.namespace, name=document.name, uid=uid,
                action=document.action, severity=document.severity, tags=document.tags,
            )  # fmt: skip


def write_changes(file: Path, changes: Sequence[PolicyChange]) -> None:
    """Add them to the file, durably; it is made where it is missing. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if file.exists() and file.stat().st_size > MOST_BYTES:
        file.rename(file.with_name(f"{file.name}.1"))
    with file.open("ab") as out:
        for change in changes:
            out.write(line_of(change) + b"\n")
        out.flush()
        os.fsync(out.fileno())


def _change(
    verb: Verb, policy: Policy, time_us: int, cluster: str, difference: str = ""
) -> PolicyChange:  # fmt: skip
    return PolicyChange(
        verb=verb, time_us=time_us, cluster=cluster, kind=policy.kind, namespace=policy.namespace,
        name=policy.name, uid=policy.uid, generation=policy.generation, who=policy.manager,
        difference=difference, action=policy.action, severity=policy.severity, tags=policy.tags,
    )  # fmt: skip


def _difference(before: PolicyDocument, policy: Policy) -> str:
    if len(before.yaml) > LONGEST_YAML:
        return "the spec before is too long to be compared"
    try:
        old: Any = yaml.safe_load(before.yaml)
    except yaml.YAMLError:
        return "the spec before cannot be read any more"
    return lines_of(list(spec_diff(old, policy.spec)))
