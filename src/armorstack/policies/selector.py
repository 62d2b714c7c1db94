"""Whom a policy selects, by plain evaluation, just as KubeArmor's daemon decides it.

The rules are those of KubeArmor's `core/kubeUpdate.go` and `common/common.go` (MatchIdentities,
MatchExpIdentities). Two are not what Kubernetes does: of expressions over one key all `In` are one
set of which any will do, and a `NotIn` that stands behind an `In` is not looked at; where labels
have both, `NotIn` alone decides. Must not go here: remembering anything.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from armorstack.policies.objects import Node, Pod
from armorstack.policies.policy import Policy, Selector

CONTAINER_KEY = "kubearmor.io/container.name"
"""Among the labels of a policy: no label, but a list of containers, `[a, b]`."""
HOST_KEY = "kubearmor.io/hostname"
"""Among the labels of a host policy: a pattern of the node's name."""


_Pair: TypeAlias = tuple[str, ...]
_NO_PAIR: frozenset[_Pair] = frozenset()


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


class Asked(Struct, frozen=True):
    """What a policy asks of a pod, taken apart once for many pods."""

    namespaces: Wanted
    labels: frozenset[_Pair]
    """All of them."""
    any_of: frozenset[_Pair]
    none_of: frozenset[_Pair]
    host: str | None
    """A pattern, see `is_host`."""


def asked_of(policy: Policy) -> Asked | None:
    """None: it is for no pod at all."""
    if policy.kind == "KubeArmorHostPolicy":
        return None
    labels = wanted(policy.selector, "label")
    any_of, none_of = _pairs(labels.included), _pairs(labels.excluded)
    if policy.kind == "KubeArmorClusterPolicy":
        return Asked(wanted(policy.selector, "namespace"), _NO_PAIR, any_of, none_of, None)
    own = Wanted(frozenset({policy.namespace}), frozenset())
    plain, host = frozenset(plain_labels(policy).items()), policy.selector.labels.get(HOST_KEY)
    return Asked(own, plain, any_of, none_of, host)


def is_meant(asked: Asked, pod: Pod) -> bool:
    """Whether a pod is as it is asked."""
    where, labels = asked.namespaces, pod.labels.items()
    if where.included:
        if pod.namespace not in where.included:
            return False
    elif pod.namespace in where.excluded:
        return False
    if not (asked.labels <= labels and _is_at_host(asked, pod)):
        return False
    if asked.none_of:
        return asked.none_of.isdisjoint(labels)
    return not asked.any_of or not asked.any_of.isdisjoint(labels)


def selects(policy: Policy, pod: Pod) -> bool:
    """Whether the policy is for this pod, or for containers of it."""
    asked = asked_of(policy)
    return asked is not None and is_meant(asked, pod)


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


def _is_at_host(asked: Asked, pod: Pod) -> bool:
    """Where a pod has no such label, nothing is held against the pattern."""
    host = pod.labels.get(HOST_KEY)
    return asked.host is None or host is None or is_host(asked.host, host)


def _pairs(values: Iterable[str]) -> frozenset[_Pair]:
    """Each as a label's key and value. One without `=` is no label's, and stays for itself."""
    return frozenset(tuple(value.split("=", 1)) for value in values)


def _equal(key: str, value: str) -> str:
    return f"{key}={value}"


def _told(asked: Wanted, included: str, excluded: str) -> list[str]:
    found = [f"{included} {_listed(asked.included)}"] if asked.included else []
    return found + ([f"{excluded} {_listed(asked.excluded)}"] if asked.excluded else [])


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted(values))
