"""A large cluster's policies and pods, taken in at once and then changed one at a time.

`python -m bench.policies` prints one JSON object. The cluster is made from numbers alone, so all
runs see the same one: JSON as an API server sends it, in pages, of the length that real objects
have. Invariant: a change is measured from its JSON to what it leaves selected, and memory in a
process that does nothing else. Must not go here: the network, counting events.
"""

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, TypeVar

import psutil

from armorstack.policies.coverage import coverage_of
from armorstack.policies.document import Counts, PolicyDocument, Selected, document_of
from armorstack.policies.objects import node_of, pod_of
from armorstack.policies.policy import GROUP, policy_of
from armorstack.policies.selection import Selection
from bench.children import BenchError, peak_rss_mb

POLICIES, PODS, NODES, NAMESPACES = 2_000, 5_000, 100, 50
T = TypeVar("T")
PAGE = 500
"""Objects of one answer."""
CHANGES = 500
ALIKE = 4
"""Pods of one workload."""
OFTEN_NS = "kube-system"


def measure(note: Callable[[str], None]) -> dict[str, Any]:
    """All figures, of a process of its own. Raises BenchError."""
    note(f"taking in {POLICIES:,} policies and {PODS:,} pods")
    ended = subprocess.run(
        [sys.executable, "-m", "bench.policies"], stdout=subprocess.PIPE, check=False
    )
    if ended.returncode:
        raise BenchError("the process that holds policies and pods ended early")
    return dict(json.loads(ended.stdout))


def figures() -> dict[str, Any]:
    """All figures, of this process."""
    began_mb = _rss_mb()
    selection, build_s = first()
    gc.collect()
    held_mb = _rss_mb() - began_mb
    documents, documents_s = timed(lambda: documents_of(selection))
    pods_ms = sorted(pod_changes(selection))
    policies_ms = sorted(policy_changes(selection))
    return {
        "policies": len(selection.policies), "policies_pods": len(selection.pods),
        "policies_selected": sum(document.pods_count for document in documents),
        "policies_build_s": build_s, "policies_documents_s": documents_s,
        "policies_coverage_s": timed(lambda: coverage_of(selection))[1],
        "policies_pod_change_ms": median(pods_ms), "policies_pod_worst_ms": pods_ms[-1],
        "policies_change_ms": median(policies_ms), "policies_worst_ms": policies_ms[-1],
        "policies_held_mb": held_mb, "policies_rss_mb": peak_rss_mb(os.getpid()),
    }  # fmt: skip


def first() -> tuple[Selection, float]:
    """Everything, from pages of JSON, and the CPU seconds that it took."""
    selection, used_s = Selection(), 0.0
    for made, count, take in (
        (policy, POLICIES, lambda found: selection.put_policy(policy_of(found))),
        (node, NODES, lambda found: selection.put_node(node_of(found))),
        (pod, PODS, lambda found: selection.put_pod(pod_of(found))),
    ):
        used_s += sum(_taken(page, take) for page in _pages(made, count))
    return selection, used_s


def documents_of(selection: Selection) -> list[PolicyDocument]:
    """One of each policy."""
    return [
        document_of(each, Selected(selection.pods_of(uid), selection.nodes_of(uid)), Counts(), 1)
        for uid, each in selection.policies.items()
    ]


def pod_changes(selection: Selection) -> Iterator[float]:
    """CPU milliseconds of each of many pods that get other labels."""
    for number in range(0, PODS, PODS // CHANGES):
        written = json.dumps([pod(number, tier="changed")])
        yield 1000 * _taken(written, lambda found: selection.put_pod(pod_of(found)))


def policy_changes(selection: Selection) -> Iterator[float]:
    """The same of policies that are for other pods."""
    for number in range(0, POLICIES, POLICIES // CHANGES):
        written = json.dumps([policy(number, shift=1)])
        yield 1000 * _taken(written, lambda found: selection.put_policy(policy_of(found)))


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it gives, and its CPU seconds."""
    began_s = time.process_time()
    return work(), time.process_time() - began_s


def _taken(page: str, take: Callable[[dict[str, Any]], None]) -> float:
    """CPU seconds for a page."""
    return timed(lambda: [take(found) for found in json.loads(page)])[1]


def pod(number: int, tier: str = "") -> dict[str, Any]:
    """One of a Deployment's, with what a real one carries besides."""
    workload = number // ALIKE
    name, team = f"app-{workload}", f"team-{workload % NAMESPACES}"
    labels = {
        "app": name, "tier": tier or f"tier-{workload % 5}", "team": team,
        "app.kubernetes.io/managed-by": "Helm", "pod-template-hash": f"{workload:08x}",
    }  # fmt: skip
    owner = {"kind": "ReplicaSet", "name": f"{name}-{workload:08x}", "controller": True}
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-01T00:00:00Z"}
    return {
        "metadata": {
            "name": f"{name}-{workload:08x}-{number:05}", "namespace": team, "labels": labels,
            "uid": f"{number:08x}-0000-4000-8000-000000000000", "ownerReferences": [owner],
        },
        "spec": {
            "nodeName": f"node-{number % NODES}",
            "containers": [_container(each) for each in ("main", "sidecar")],
        },
        "status": {"phase": "Running", "conditions": [condition] * 5},
    }  # fmt: skip


def node(number: int) -> dict[str, Any]:
    """One in three zones."""
    labels = {"kubernetes.io/os": "linux", "zone": f"zone-{number % 3}"}
    return {"metadata": {"name": f"node-{number}", "uid": f"n{number}", "labels": labels}}


def policy(number: int, shift: int = 0) -> dict[str, Any]:
    """Of a hundred five are for nodes, five for a whole cluster, five for whole namespaces."""
    kind = {0: "KubeArmorHostPolicy", 1: "KubeArmorClusterPolicy"}.get(number % 20)
    metadata = {"name": f"policy-{number}", "uid": f"{number:08x}-0000-4000-9000-000000000000"}
    if kind is None:
        metadata["namespace"] = f"team-{(number + shift) % NAMESPACES}"
    return {
        "apiVersion": f"{GROUP}/v1", "kind": kind or "KubeArmorPolicy", "metadata": metadata,
        "spec": _selector(number + shift) | {
            "severity": number % 10 + 1, "tags": ["MITRE", "NIST"], "message": f"rule {number}",
            "action": ("Audit", "Block")[number % 2],
            "process": {"matchPaths": [_rule(number, n) for n in range(10)]},
            "file": {"matchDirectories": [{"dir": f"/etc/{number}/", "recursive": True}]},
        },
    }  # fmt: skip


def _selector(number: int) -> dict[str, Any]:
    if number % 20 == 0:
        return {"nodeSelector": {"matchLabels": {"zone": f"zone-{number % 3}"}}}
    if number % 20 == 1:
        labels = {"key": "label", "operator": "In", "values": [f"tier=tier-{number % 5}"]}
        spaces = {"key": "namespace", "operator": "NotIn", "values": [OFTEN_NS]}
        return {"selector": {"matchExpressions": [spaces, labels]}}
    return {"selector": {"matchLabels": {} if number % 20 == 2 else {"app": f"app-{number}"}}}


def _rule(number: int, place: int) -> dict[str, Any]:
    return {"path": f"/usr/bin/tool-{number % 40}-{place}", "fromSource": [{"path": "/bin/bash"}]}


def _container(name: str) -> dict[str, Any]:
    variables = [{"name": f"VARIABLE_{n}", "value": f"value of {n}"} for n in range(12)]
    return {"name": name, "image": f"docker.io/library/{name}:1.27", "env": variables}


def _pages(made: Callable[[int], dict[str, Any]], count: int) -> Iterator[str]:
    for begin in range(0, count, PAGE):
        yield json.dumps([made(number) for number in range(begin, min(begin + PAGE, count))])


def _rss_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 1e6


if __name__ == "__main__":
    print(json.dumps(figures()))
