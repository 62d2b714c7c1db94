"""Pods, nodes and namespaces as far as policies ask for them, out of the API server's objects.

Five thousand pods are kept, so each is a few texts, and texts that come again are one. Invariant:
what the server sends is taken as it is meant, and what is missing is empty; nothing here raises
for an odd object. Must not go here: policies.
"""

import sys
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

Labels = Mapping[str, str]
_TEMPLATE_HASH = "pod-template-hash"


class Pod(Struct, frozen=True):
    """One pod, and what it belongs to."""

    namespace: str
    name: str
    uid: str = ""
    labels: Labels = {}
    owner_kind: str = ""
    """`Deployment`, `StatefulSet`, `DaemonSet`, `Job`…; empty: nobody owns it."""
    owner_name: str = ""
    node: str = ""
    """Empty while it has none."""
    containers: tuple[str, ...] = ()


class Node(Struct, frozen=True):
    """One node."""

    name: str
    uid: str = ""
    labels: Labels = {}


class Namespace(Struct, frozen=True):
    """One namespace."""

    name: str
    labels: Labels = {}


def pod_of(found: Mapping[str, Any]) -> Pod:
    """Of a `v1` Pod."""
    about, spec = mapping(found.get("metadata")), mapping(found.get("spec"))
    labels = labels_of(about.get("labels"))
    kind, name = _owner(about.get("ownerReferences"), labels)
    return Pod(
        namespace=_once(about.get("namespace")), name=text(about.get("name")),
        uid=text(about.get("uid")), labels=labels, owner_kind=kind, owner_name=name,
        node=_once(spec.get("nodeName")),
        containers=tuple(
            _once(each.get("name")) for each in map(mapping, items(spec.get("containers")))
        ),
    )  # fmt: skip


def node_of(found: Mapping[str, Any]) -> Node:
    """Of a `v1` Node."""
    about = mapping(found.get("metadata"))
    return Node(
        _once(about.get("name")), text(about.get("uid")), labels_of(about.get("labels"))
    )  # fmt: skip


def namespace_of(found: Mapping[str, Any]) -> Namespace:
    """Of a `v1` Namespace."""
    about = mapping(found.get("metadata"))
    return Namespace(_once(about.get("name")), labels_of(about.get("labels")))


def labels_of(found: Any) -> dict[str, str]:
    """Keys and values that are texts; each text is kept once, since pods share them."""
    return {
        sys.intern(key): sys.intern(value)
        for key, value in mapping(found).items()
        if type(key) is str and type(value) is str
    }


def text(value: Any) -> str:
    """The text; of anything else none."""
    return value if isinstance(value, str) else ""


def _once(value: Any) -> str:
    found = text(value)
    return sys.intern(found) if type(found) is str else found


def mapping(value: Any) -> Mapping[str, Any]:
    """The object; of anything else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The list; of anything else an empty one."""
    return value if isinstance(value, list) else []


def _owner(references: Any, labels: Labels) -> tuple[str, str]:
    """Kind and name of who manages the pod, as KubeArmor says it in `Owner`.

    A ReplicaSet is named after its Deployment and the template's hash; a bare one has no such
    label and stays what it is.
    """
    for each in map(mapping, items(references)):
        if not each.get("controller"):
            continue
        kind, name = text(each.get("kind")), text(each.get("name"))
        end = f"-{labels.get(_TEMPLATE_HASH, '')}"
        if kind == "ReplicaSet" and len(end) > 1 and name.endswith(end):
            return "Deployment", sys.intern(str(name.removesuffix(end)))
        return _once(kind), _once(name)
    return "", ""
