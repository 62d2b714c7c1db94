"""Which pods and nodes each policy selects now, kept up to date one change at a time.

Most policies name a label, so a pod asks only those that name one of its own, and those that name
none; a policy asks the pods of its namespace. Invariant: after each change the answers are those
of plain evaluation (`selector.py`; `tests/property/test_selection.py`). To be used by one thread.
Must not go here: counting events, showing.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from armorstack.policies.objects import Node, Pod
from armorstack.policies.policy import Policy
from armorstack.policies.selector import Asked, asked_of, is_meant, plain_labels, selects_node

PodKey: TypeAlias = tuple[str, str]
"""Namespace and name."""
_Pair: TypeAlias = tuple[str, str]
_NOBODY: frozenset[str] = frozenset()


class Selection:
    """Everything that is deployed, and who is selected."""

    def __init__(self) -> None:
        self.policies: dict[str, Policy] = {}
        """By uid."""
        self.pods: dict[PodKey, Pod] = {}
        self.nodes: dict[str, Node] = {}
        self._pods_in: dict[str, set[PodKey]] = {}
        """Namespace → its pods."""
        self._by_pair: dict[tuple[str, _Pair | None], set[str]] = {}
        """Namespace (empty: any) and a label that is wanted (None: none is) → policies."""
        self._asked: dict[str, Asked] = {}
        """Of all policies that are for pods."""
        self._policies_of: dict[PodKey, frozenset[str]] = {}
        self._pods_of: dict[str, set[PodKey]] = {}
        self._nodes_of: dict[str, set[str]] = {}

    def put_policy(self, policy: Policy) -> None:
        """A policy that is new, or that changed."""
        self.drop_policy(policy.uid)
        uid = policy.uid
        self.policies[uid] = policy
        self._pods_of[uid] = set()
        asked = asked_of(policy)
        if asked is None:
            self._nodes_of[uid] = {
                node.name for node in self.nodes.values() if selects_node(policy, node)
            }
            return
        self._asked[uid] = asked
        self._by_pair.setdefault(_place(policy), set()).add(uid)
        for key in list(self._candidates(policy)):
            if is_meant(asked, self.pods[key]):
                self._pods_of[uid].add(key)
                self._policies_of[key] = self._policies_of.get(key, _NOBODY) | {uid}

    def drop_policy(self, uid: str) -> None:
        """It is gone; one that is unknown is no fault."""
        policy = self.policies.pop(uid, None)
        if policy is None:
            return
        self._nodes_of.pop(uid, None)
        self._asked.pop(uid, None)
        for key in self._pods_of.pop(uid, set()):
            self._policies_of[key] = self._policies_of[key] - {uid}
        if (found := self._by_pair.get(_place(policy))) is not None:
            found.discard(uid)
            if not found:
                del self._by_pair[_place(policy)]

    def put_pod(self, pod: Pod) -> None:
        """A pod that is new, or that changed."""
        key = (pod.namespace, pod.name)
        before = self.pods.get(key)
        self.pods[key] = pod
        if before is not None and before.labels == pod.labels:
            return
        self._pods_in.setdefault(pod.namespace, set()).add(key)
        found = frozenset(uid for uid in self._tried(pod) if is_meant(self._asked[uid], pod))
        known = self._policies_of.get(key, _NOBODY)
        for uid in known - found:
            self._pods_of[uid].discard(key)
        for uid in found - known:
            self._pods_of[uid].add(key)
        self._policies_of[key] = found

    def drop_pod(self, key: PodKey) -> None:
        """It is gone."""
        if self.pods.pop(key, None) is None:
            return
        for uid in self._policies_of.pop(key, _NOBODY):
            self._pods_of[uid].discard(key)
        there = self._pods_in[key[0]]
        there.discard(key)
        if not there:
            del self._pods_in[key[0]]

    def put_node(self, node: Node) -> None:
        """A node that is new, or that changed."""
        self.nodes[node.name] = node
        for uid, names in self._nodes_of.items():
            if selects_node(self.policies[uid], node):
                names.add(node.name)
            else:
                names.discard(node.name)

    def drop_node(self, name: str) -> None:
        """It is gone."""
        self.nodes.pop(name, None)
        for names in self._nodes_of.values():
            names.discard(name)

    def replace_pods(self, pods: Iterable[Pod]) -> None:
        """All there are: who is not among them is gone."""
        wanted = {(pod.namespace, pod.name): pod for pod in pods}
        for key in self.pods.keys() - wanted.keys():
            self.drop_pod(key)
        for pod in wanted.values():
            self.put_pod(pod)

    def replace_nodes(self, nodes: Iterable[Node]) -> None:
        """The same of nodes."""
        wanted = {node.name: node for node in nodes}
        for name in self.nodes.keys() - wanted.keys():
            self.drop_node(name)
        for node in wanted.values():
            self.put_node(node)

    def pods_of(self, uid: str) -> frozenset[PodKey]:
        """The pods that a policy selects."""
        return frozenset(self._pods_of.get(uid, ()))

    def nodes_of(self, uid: str) -> frozenset[str]:
        """The nodes that a host policy selects."""
        return frozenset(self._nodes_of.get(uid, ()))

    def policies_of(self, key: PodKey) -> frozenset[str]:
        """The uids of the policies that select a pod."""
        return self._policies_of.get(key, _NOBODY)

    def _candidates(self, policy: Policy) -> Iterable[PodKey]:
        if policy.kind == "KubeArmorPolicy":
            return self._pods_in.get(policy.namespace, set())
        return self.pods

    def _tried(self, pod: Pod) -> Iterator[str]:
        """Policies that may select the pod."""
        pairs: list[_Pair | None] = [None, *pod.labels.items()]
        for pair in pairs:
            yield from self._by_pair.get((pod.namespace, pair), ())
        yield from self._by_pair.get(("", None), ())


def _place(policy: Policy) -> tuple[str, _Pair | None]:
    """Where pods look for it: a cluster's among those of any namespace."""
    if policy.kind != "KubeArmorPolicy":
        return "", None
    pairs = plain_labels(policy).items()
    # The longest is rarely one that everybody has.
    return policy.namespace, max(pairs, key=lambda pair: (len(pair[1]), pair), default=None)
