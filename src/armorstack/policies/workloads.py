"""Whose acts events tell of, and the selector by which a suggested policy would mean the same.

A workload is a pod's owner in its namespace; where no owner is known, what has the same labels, or
containers of one name. What happened outside of pods belongs to its node.

Invariant: a label, a name or a namespace that Kubernetes would refuse reaches no policy. Labels
that differ from one pod of a workload to the next are none of the workload's. Must not go here:
rules.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from armorstack.policies.crd import API_VERSION, HOST_POLICY, POLICY

OF_PODS = frozenset(
    """
    pod-template-hash controller-revision-hash pod-template-generation rollouts-pod-template-hash
    statefulset.kubernetes.io/pod-name apps.kubernetes.io/pod-index job-name controller-uid
    batch.kubernetes.io/job-name batch.kubernetes.io/controller-uid
    batch.kubernetes.io/job-completion-index
    """.split()
)
"""Labels that controllers give to a single pod, revision or run."""
CONTAINERS = "kubearmor.io/container.name"
"""The key under which a selector names containers; it is no label."""
NODE = "kubernetes.io/hostname"
NO_NAMESPACE = "container_namespace"
"""What KubeArmor calls the namespace where there is no Kubernetes; there it selects containers by
their bare names."""
BY_CONTAINER = "no label is common to its events: the selector names containers instead"
BY_NOTHING = "neither labels nor a container are known of these events"

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_HOST = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
_CONTAINER = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,127}")
_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


class Workload(Struct, frozen=True):
    """Whose acts they are. On a node `namespace` is empty and `name` is the node's."""

    namespace: str
    kind: str
    """Such as Deployment, `labels`, `container` or `node`."""
    name: str

    @property
    def text(self) -> str:
        """For people: `shop/Deployment/cart`."""
        return "/".join(part for part in (self.namespace, self.kind, self.name) if part)

    @property
    def is_node(self) -> bool:
        """Whether this happened outside of pods."""
        return not self.namespace


def pairs_of(text: str | None) -> dict[str, str]:
    """The labels of an event, `k=v,k=v`."""
    pairs = (label.strip().partition("=") for label in (text or "").split(","))
    return {key: value for key, equals, value in pairs if equals}


def labels_of(text: str | None) -> dict[str, str]:
    """Those of the labels that may select: not those of single pods."""
    return {
        key: value
        for key, value in pairs_of(text).items()
        if _is_of_workload(key) and _VALUE.fullmatch(value)
    }


def _is_of_workload(key: str) -> bool:
    if key in OF_PODS or key.startswith("kubearmor.io/"):
        return False
    return _KEY.fullmatch(key) is not None


def workload_of(row: Mapping[str, Any], labels: Mapping[str, str]) -> Workload | str:
    """Whose event this is; `labels` are those of `labels_of`. A text says why nobody's."""
    namespace = row.get("namespace_name") or ""
    if not namespace:
        return _node(row)
    if namespace != NO_NAMESPACE and not _NAMESPACE.fullmatch(namespace):
        return "its namespace is no name that Kubernetes takes"
    if name := row.get("owner_name"):
        return Workload(namespace, row.get("owner_ref") or "owner", name)
    if labels:
        return Workload(namespace, "labels", ",".join(f"{k}={labels[k]}" for k in sorted(labels)))
    if container := container_of(row):
        return Workload(namespace, "container", container)
    return BY_NOTHING


def _node(row: Mapping[str, Any]) -> Workload | str:
    if row.get("pod_name") or row.get("container_id"):
        return "it is of a container whose namespace is not known"
    host = row.get("host_name") or ""
    if not _HOST.fullmatch(host):
        return "neither a namespace nor a node is known of it"
    return Workload("", "node", host)


def container_of(row: Mapping[str, Any]) -> str:
    """The container's name, where a selector can say it; else empty."""
    name = row.get("container_name") or ""
    return name if _CONTAINER.fullmatch(name) else ""


def selector(
    workload: Workload, labels: Mapping[str, str], containers: frozenset[str]
) -> dict[str, str] | None:
    """The `matchLabels` that select the workload: by the labels that are common to its events, or
    by the names of its containers. None: nothing would."""
    if workload.is_node:
        return {NODE: workload.name}
    if labels:
        return {key: labels[key] for key in sorted(labels)}
    if workload.namespace == NO_NAMESPACE:
        return {CONTAINERS: min(containers)} if len(containers) == 1 else None
    return {CONTAINERS: f"[{', '.join(sorted(containers))}]"} if containers else None


def heading(workload: Workload, name: str) -> dict[str, Any]:
    """The members of the policy's object that come before its spec."""
    kind = HOST_POLICY if workload.is_node else POLICY
    place = {} if workload.is_node else {"namespace": workload.namespace}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name} | place}


def short_name(workload: Workload, labels: Mapping[str, str]) -> str:
    """A name for people, made of letters, digits and -: the app's, the owner's, the node's."""
    if workload.kind == "labels":
        text = next((labels[k] for k in ("app.kubernetes.io/name", "app") if k in labels), "")
        text = text or next(iter(labels.values()), "")
    else:
        text = workload.name
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:40].strip("-") or "workload"
