"""Whom a policy selects, by plain evaluation, just as KubeArmor's daemon decides it.

The rules are those of KubeArmor's `core/kubeUpdate.go` and `common/common.go` (MatchIdentities,
MatchExpIdentities). Two are not what Kubernetes does: of expressions over one key all `In` are one
set of which any will do, and a `NotIn` that stands behind an `In` is not looked at; where labels
have both, `NotIn` alone decides. Must not go here: remembering anything.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from armorstack.policies.objects import Node, Pod
from armorstack.policies.policy import Policy, Selector

CONTAINER_KEY = "kubearmor.io/container.name"
"""Among the labels of a policy: no label, but a list of containers, `[a, b]`."""
HOST_KEY = "kubearmor.io/hostname"
"""Among the labels of a host policy: a pattern of the node's name."""


class Wanted(Struct, frozen=True):
    """What the expressions of a selector ask of one key."""

    included: frozenset[str]
    excluded: frozenset[str]


def wanted(selector: Selector, key: str) -> Wanted:
    """Of `label` or `namespace`."""
    included: set[str] = set()
    excluded: set[str] = set()
    for each in selector.expressions:
        if each.key == key and each.operator == "In":
            included |= set(each.values)
        elif each.key == key and each.operator == "NotIn" and not included:
            excluded |= set(each.values)
    return Wanted(frozenset(included), frozenset(excluded))


def selects(policy: Policy, pod: Pod) -> bool:
    """Whether the policy is for this pod, or for containers of it."""
    if policy.kind == "KubeArmorHostPolicy" or not _is_in_namespace(policy, pod.namespace):
        return False
    if policy.kind == "KubeArmorPolicy" and not _has_all(policy, pod.labels):
        return False
    return _fits(wanted(policy.selector, "label"), pod.labels)


def selects_node(policy: Policy, node: Node) -> bool:
    """Whether a host policy is for this node. One that names no label is for none."""
    labels = policy.selector.labels
    if policy.kind != "KubeArmorHostPolicy" or not labels:
        return False
    pattern = labels.get(HOST_KEY)
    if pattern is not None and not is_host(pattern, node.name):
        return False
    return all(node.labels.get(key) == value for key, value in plain_labels(policy).items())


def plain_labels(policy: Policy) -> dict[str, str]:
    """The labels that have to be there just so."""
    labels = policy.selector.labels
    return {key: labels[key] for key in labels if key not in (CONTAINER_KEY, HOST_KEY)}


def containers_of(policy: Policy) -> tuple[str, ...]:
    """The containers that it is for; none named: all of a pod."""
    written = policy.selector.labels.get(CONTAINER_KEY, "")
    if policy.kind != "KubeArmorPolicy" or len(written) <= 2:
        return ()
    return tuple(name for each in written[1:-1].split(",") if (name := each.strip()))


def words(policy: Policy) -> str:
    """Whom it is for, in one line for people."""
    selector = policy.selector
    if policy.kind == "KubeArmorHostPolicy":
        told = [_equal(key, value) for key, value in sorted(selector.labels.items())]
        return f"nodes with {', '.join(told)}" if told else "no node: it names no label"
    told = [_equal(k, v) for k, v in sorted(selector.labels.items()) if k != CONTAINER_KEY]
    told += _told(wanted(selector, "label"), "a label of", "no label of")
    where = _told(wanted(selector, "namespace"), "in namespaces", "in all namespaces but")
    where = where[:1] or ["in all namespaces"]
    if policy.kind == "KubeArmorPolicy":
        where = [f"in namespace {policy.namespace}"]
    names = containers_of(policy)
    what = f"containers {', '.join(names)} of " if names else ""
    which = f"pods with {' and '.join(told)}" if told else "all pods"
    return f"{what}{which} {' '.join(where)}"


def is_host(pattern: str, name: str) -> bool:
    """Whether a node of that name is meant: as KubeArmor does, the pattern goes on from the key and
    `=`, and may end before the name does, so that `*` is every node and `node-1` is `node-10` too.
    One that is no expression means none. Never slow, whatever the pattern (RE2)."""
    return _is_found(f"{HOST_KEY}={pattern}", f"{HOST_KEY}={name}")


@lru_cache(4_096)
def _is_found(pattern: str, text: str) -> bool:
    try:
        return bool(pc.match_substring_regex(pa.scalar(text), pattern).as_py())
    except (pa.ArrowInvalid, UnicodeEncodeError):
        return False


def _is_in_namespace(policy: Policy, namespace: str) -> bool:
    if policy.kind == "KubeArmorPolicy":
        return namespace == policy.namespace
    asked = wanted(policy.selector, "namespace")
    return namespace in asked.included if asked.included else namespace not in asked.excluded


def _has_all(policy: Policy, found: Mapping[str, str]) -> bool:
    """A host's name is a pattern here too, which nothing is held against where a pod has none."""
    pattern, host = policy.selector.labels.get(HOST_KEY), found.get(HOST_KEY)
    if pattern is not None and host is not None and not is_host(pattern, host):
        return False
    return all(found.get(key) == value for key, value in plain_labels(policy).items())


def _fits(asked: Wanted, labels: Mapping[str, str]) -> bool:
    if asked.excluded:
        return not any(_has(labels, pair) for pair in asked.excluded)
    return not asked.included or any(_has(labels, pair) for pair in asked.included)


def _has(labels: Mapping[str, str], pair: str) -> bool:
    key, _, value = pair.partition("=")
    return "=" in pair and labels.get(key) == value


def _equal(key: str, value: str) -> str:
    return f"{key}={value}"


def _told(asked: Wanted, included: str, excluded: str) -> list[str]:
    found = [f"{included} {_listed(asked.included)}"] if asked.included else []
    return found + ([f"{excluded} {_listed(asked.excluded)}"] if asked.excluded else [])


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted(values))
