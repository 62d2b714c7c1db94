"""A large cluster's policies and pods, taken in at once and changed one at a time.

The cluster is made from numbers alone, so all runs see the same one: JSON objects as an API server
sends them, of the length that real ones have. Invariant: of each change all is counted that the
watch does for it before somebody can ask. Must not go here: the network, counting events.
"""

import gc
import json
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from armorstack.policies.coverage import coverage_of
from armorstack.policies.document import Counts, Selected, document_of
from armorstack.policies.objects import Pod, node_of, pod_of
from armorstack.policies.policy import Policy, policy_of
from armorstack.policies.selection import Selection
from bench.children import current_rss_mb, peak_rss_mb

POLICIES, PODS, NODES, NAMESPACES = 2_000, 5_000, 100, 50
CHANGES = 200
Note = Callable[[str], None]


def measure(note: Note) -> dict[str, Any]:
    """All figures."""
    gc.collect()
    before_mb = current_rss_mb()
    note(f"taking in {POLICIES:,} policies and {PODS:,} pods")
    began_s = time.process_time()
    selection = _first()
    build_s = time.process_time() - began_s
    note("making all documents")
    documents_s = _seconds(lambda: _documents(selection))
    gc.collect()
    held_mb = current_rss_mb() - before_mb
    note("changing pods and policies")
    pods_ms = sorted(_pod_changes(selection))
    policies_ms = sorted(_policy_changes(selection))
    return {
        "policies": len(selection.policies), "pods": len(selection.pods),
        "policies_selected_pairs": sum(len(selection.pods_of(uid)) for uid in selection.policies),
        "policies_first_s": build_s, "policies_documents_s": documents_s,
        "policies_coverage_ms": 1000 * _seconds(lambda: coverage_of(selection)),
        "policies_pod_change_ms": median(pods_ms), "policies_pod_worst_ms": pods_ms[-1],
        "policies_policy_change_ms": median(policies_ms),
        "policies_policy_worst_ms": policies_ms[-1],
        "policies_held_mb": held_mb, "policies_rss_mb": peak_rss_mb(),
    }  # fmt: skip
