"""The state of one policy as one document: what it is, whom it selects, what it did.

It is rewritten, never added to, by the policy's uid. One is made too for a policy that reports
without being deployed. Invariant: pure; the same facts and time make the same document, and its
size is bounded whatever the policy. Must not go here: where documents are kept.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
import yaml
from msgspec import Struct

from armorstack.core.text import printable
from armorstack.policies.policy import Policy, Rule
from armorstack.policies.selection import PodKey
from armorstack.policies.selector import words

State = Literal[
    "firing", "quiet", "never fired", "selects nothing", "inactive", "deleted", "not deployed"
]
STATES: tuple[State, ...] = (
    "firing", "quiet", "never fired", "selects nothing", "inactive", "deleted", "not deployed",
)  # fmt: skip
MOST_NAMES = 1_000
"""Pods or nodes that are named; all are counted."""
MOST_RULES = 200
LONGEST_YAML = 64 * 1024
LONGEST_TEXT = 400
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
NOT_DEPLOYED = "not-deployed/"
"""How the uid of a document begins that no object stands for."""


class Counts(Struct, frozen=True):
    """What a policy reported: alerts, as far as the store keeps them."""

    hour: int = 0
    day: int = 0
    week: int = 0
    all: int = 0
    blocked_day: int = 0
    audited_day: int = 0
    last_us: int = 0
    """Time of the newest; 0: there is none."""


class PolicyDocument(Struct, frozen=True, kw_only=True):
    """What is stored, and shown, of one policy. Times are microseconds since 1970, 0 for none."""

    uid: str
    kind: str
    namespace: str
    name: str
    state: State = "never fired"
    is_deployed: bool = True
    action: str = ""
    severity: int = 0
    tags: tuple[str, ...] = ()
    message: str = ""
    status: str = ""
    spec_hash: str = ""
    created_us: int = 0
    changed_us: int = 0
    deleted_us: int = 0
    manager: str = ""
    selector_text: str = ""
    rules: tuple[str, ...] = ()
    """Each in a few words; at most `MOST_RULES`."""
    rules_count: int = 0
    yaml: str = ""
    """The spec."""
    pods: tuple[str, ...] = ()
    """`NAMESPACE/NAME` of those it selects; at most `MOST_NAMES`."""
    pods_count: int = 0
    nodes: tuple[str, ...] = ()
    nodes_count: int = 0
    selection_known: bool = True
    """Whether pods and nodes could be seen; where not, it is not known to select nothing."""
    alerts_1h: int = 0
    alerts_24h: int = 0
    alerts_7d: int = 0
    alerts_all: int = 0
    blocked_24h: int = 0
    audited_24h: int = 0
    last_alert_us: int = 0
    as_of_us: int = 0


class Selected(Struct, frozen=True):
    """Whom a policy selects."""

    pods: frozenset[PodKey] = frozenset()
    nodes: frozenset[str] = frozenset()
    is_known: bool = True


def document_of(policy: Policy, selected: Selected, counts: Counts, now_us: int) -> PolicyDocument:
    """Of a policy that is deployed."""
    pods = sorted(f"{namespace}/{name}" for namespace, name in selected.pods)
    nodes = sorted(selected.nodes)
    return PolicyDocument(
        uid=policy.uid, kind=policy.kind, namespace=policy.namespace, name=policy.name,
        state=state_of(policy, selected, counts), action=policy.action, severity=policy.severity,
        tags=policy.tags[:100], message=printable(policy.message, LONGEST_TEXT),
        status=printable(policy.status, 20), spec_hash=policy.spec_hash,
        created_us=policy.created_us, changed_us=policy.changed_us, manager=policy.manager[:200],
        selector_text=printable(words(policy), 2_000),
        rules=tuple(rule_text(rule) for rule in policy.rules[:MOST_RULES]),
        rules_count=len(policy.rules), yaml=yaml_of(policy.spec),
        pods=tuple(pods[:MOST_NAMES]), pods_count=len(pods),
        nodes=tuple(nodes[:MOST_NAMES]), nodes_count=len(nodes),
        selection_known=selected.is_known, as_of_us=now_us, **_counted(counts),
    )  # fmt: skip


def not_deployed(
    kind: str, namespace: str, name: str, counts: Counts, now_us: int
) -> PolicyDocument:  # fmt: skip
    """Of one that reported, and that no object stands for."""
    return PolicyDocument(
        uid=f"{NOT_DEPLOYED}{kind}/{namespace}/{name}", kind=kind, namespace=namespace, name=name,
        state="not deployed", is_deployed=False, as_of_us=now_us, **_counted(counts),
    )  # fmt: skip


def deleted(before: PolicyDocument, counts: Counts, when_us: int, now_us: int) -> PolicyDocument:
    """Of one that was deployed: what it last was, and what it did."""
    return msgspec.structs.replace(
        before, state="deleted", is_deployed=False, deleted_us=before.deleted_us or when_us,
        pods=(), pods_count=0, nodes=(), nodes_count=0, as_of_us=now_us, **_counted(counts),
    )  # fmt: skip


def state_of(policy: Policy, selected: Selected, counts: Counts) -> State:
    """What it does now. One that fired in the last day is firing, whomever it selects since."""
    if counts.day:
        return "firing"
    if policy.status == "Inactive":
        return "inactive"
    if selected.is_known and not selected.pods and not selected.nodes:
        return "selects nothing"
    return "quiet" if counts.all else "never fired"


def rule_text(rule: Rule) -> str:
    """`process /bin/sleep from /bin/sh (Block, recursive)`."""
    sources = f" from {', '.join(rule.sources)}" if rule.sources else ""
    said = ", ".join((rule.action, *rule.flags))
    return printable(f"{rule.section} {rule.value}{sources} ({said})", LONGEST_TEXT)


def yaml_of(spec: Mapping[str, object]) -> str:
    """The spec as people write it; cut where it is long."""
    try:
        written = str(
            yaml.dump(spec, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=100)
        )
    except yaml.YAMLError:
        written = msgspec.json.format(msgspec.json.encode(spec)).decode()
    if len(written) > LONGEST_YAML:
        return written[:LONGEST_YAML] + "\n# cut here\n"
    return written


def sorted_documents(documents: Iterable[PolicyDocument]) -> tuple[PolicyDocument, ...]:
    """By kind, namespace and name."""
    return tuple(
        sorted(documents, key=lambda each: (each.kind, each.namespace, each.name, each.uid))
    )


def _counted(counts: Counts) -> dict[str, Any]:
    return {
        "alerts_1h": counts.hour, "alerts_24h": counts.day, "alerts_7d": counts.week,
        "alerts_all": counts.all, "blocked_24h": counts.blocked_day,
        "audited_24h": counts.audited_day, "last_alert_us": counts.last_us,
    }  # fmt: skip
