"""Who is selected, kept up to date, is who plain evaluation says, which is as KubeArmor does."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from armorstack.policies.objects import Node, Pod
from armorstack.policies.policy import KINDS, Expression, Policy, Selector, policy_of
from armorstack.policies.selection import Selection
from armorstack.policies.selector import CONTAINER_KEY, HOST_KEY, selects, selects_node

NAMESPACES = ("shop", "bank", "dev")
KEYS, VALUES = ("app", "tier", "zone"), ("a", "b", "")
labels = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=3)
theirs = labels | labels.map(lambda found: found | {HOST_KEY: "node-1"})
pairs = st.builds("{}={}".format, st.sampled_from(KEYS), st.sampled_from(VALUES)) | st.just("app")


def expressions_of(
    keys: list[str], values: st.SearchStrategy[str]
) -> st.SearchStrategy[Expression]:
    return st.builds(
        Expression, st.sampled_from(keys), st.sampled_from(["In", "NotIn", "NotIn", "Exists"]),
        st.lists(values, max_size=3).map(tuple),
    )  # fmt: skip


expressions = st.lists(
    expressions_of(["label", "label", "other"], pairs)
    | expressions_of(["namespace"], st.sampled_from(NAMESPACES)),
    max_size=3,
).map(tuple)
wanted_labels = st.builds(
    dict[str, str].__or__, labels,
    st.dictionaries(
        st.sampled_from([CONTAINER_KEY, HOST_KEY]),
        st.sampled_from(["[web, db]", "[]", "*", "node-1", "node-[12]", "("]), max_size=1,
    ),
)  # fmt: skip
selectors = st.builds(Selector, wanted_labels, expressions)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    kind = draw(st.sampled_from(KINDS))
    namespace = draw(st.sampled_from(NAMESPACES)) if kind == "KubeArmorPolicy" else ""
    uid = f"u{draw(st.integers(0, 5))}"
    return Policy(uid, kind, namespace, f"p-{uid}", {}, draw(selectors))


pods = st.builds(Pod, st.sampled_from(NAMESPACES), st.sampled_from(["x", "y"]), labels=theirs)
nodes = st.builds(Node, st.sampled_from(["node-1", "node-10", "other"]), labels=labels)


def is_identity(wanted: str, identities: list[str]) -> bool:
    """KubeArmor's MatchIdentities for one of them; of two keys a pattern is held against the first
    identity that has the key, and nothing where none has."""
    for key in (CONTAINER_KEY, HOST_KEY):
        if key in wanted:
            having = [one for one in identities if key in one]
            try:
                return not having or re.search(wanted, having[0]) is not None
            except re.error:
                return False
    return wanted in identities


def by_the_book(policy: Policy, pod: Pod) -> bool:
    """KubeArmor's own way, step by step: identities as texts, lists, and its two loops."""
    identities = [f"{key}={value}" for key, value in pod.labels.items()]
    gathered: dict[str, tuple[list[str], list[str]]] = {"label": ([], []), "namespace": ([], [])}
    has_in = {"label": False, "namespace": False}
    for each in policy.selector.expressions:
        if each.key not in gathered:
            continue
        if each.operator == "In":
            has_in[each.key] = has_in[each.key] or bool(each.values)
            gathered[each.key][0].extend(each.values)
        elif each.operator == "NotIn" and not has_in[each.key]:
            gathered[each.key][1].extend(each.values)
    included, excluded = gathered["label"]
    expressed = not included and not excluded
    if any(one in identities for one in included):
        expressed = True
    for place, one in enumerate(excluded):
        if one in identities:
            expressed = False
            break
        if place == len(excluded) - 1:
            expressed = True
    if policy.kind == "KubeArmorPolicy":
        wanted = [f"{key}={value}" for key, value in policy.selector.labels.items()]
        return (
            pod.namespace == policy.namespace
            and all(is_identity(one, identities) for one in wanted)
            and expressed
        )
    inside, outside = gathered["namespace"]
    listed = [n for n in NAMESPACES if (n in inside if inside else n not in outside)]
    return policy.kind == "KubeArmorClusterPolicy" and pod.namespace in listed and expressed


@given(policies(), pods)
@settings(max_examples=400)
def test_plain_evaluation_is_what_kubearmor_does(policy: Policy, pod: Pod) -> None:
    assert selects(policy, pod) == by_the_book(policy, pod)


@pytest.mark.parametrize(
    ("expressions", "is_meant"),
    [
        ([("In", "app=a")], True), ([("In", "app=b")], False), ([("In", "app")], False),
        ([("NotIn", "app=a")], False), ([("NotIn", "app=b")], True), ([("NotIn", "app")], True),
        ([("In", "app=b"), ("In", "app=a")], True),
        ([("NotIn", "app=b"), ("In", "tier=x")], True),
        ([("NotIn", "app=a"), ("In", "app=a")], False),
        ([("In", "app=a"), ("NotIn", "app=a")], True),
        ([("Exists", "app=a")], True),
    ],
)  # fmt: skip
def test_not_in_decides_alone_unless_it_stands_behind_an_in(
    expressions: list[tuple[str, str]], is_meant: bool
) -> None:
    told = tuple(Expression("label", operator, (value,)) for operator, value in expressions)
    policy = Policy("u", "KubeArmorPolicy", "shop", "p", {}, Selector({}, told))
    pod = Pod("shop", "x", labels={"app": "a"})
    assert selects(policy, pod) == by_the_book(policy, pod) == is_meant


@given(policies(), nodes)
@settings(max_examples=400)
def test_a_host_policy_is_for_the_nodes_that_kubearmor_says(policy: Policy, node: Node) -> None:
    identities = [f"{HOST_KEY}={node.name}", *(f"{k}={v}" for k, v in node.labels.items())]
    wanted = [f"{key}={value}" for key, value in policy.selector.labels.items()]
    told = bool(wanted) and all(is_identity(one, identities) for one in wanted)
    assert selects_node(policy, node) == (policy.kind == "KubeArmorHostPolicy" and told)


class Machine(RuleBasedStateMachine):
    """Changes in any order."""

    uids: Bundle[str] = Bundle("uids")

    @initialize()
    def begin(self) -> None:
        self.selection = Selection()
        self.policies: dict[str, Policy] = {}
        self.pods: dict[tuple[str, str], Pod] = {}
        self.nodes: dict[str, Node] = {}

    @rule(target=uids, policy=policies())
    def put_policy(self, policy: Policy) -> str:
        self.policies[policy.uid] = policy
        self.selection.put_policy(policy)
        return policy.uid

    @rule(uid=consumes(uids))
    def drop_policy(self, uid: str) -> None:
        self.policies.pop(uid, None)
        self.selection.drop_policy(uid)

    @rule(pod=pods)
    def put_pod(self, pod: Pod) -> None:
        self.pods[pod.namespace, pod.name] = pod
        self.selection.put_pod(pod)

    @rule(pod=pods)
    def drop_pod(self, pod: Pod) -> None:
        self.pods.pop((pod.namespace, pod.name), None)
        self.selection.drop_pod((pod.namespace, pod.name))

    @rule(found=st.lists(pods, max_size=4))
    def replace_pods(self, found: list[Pod]) -> None:
        self.pods = {(pod.namespace, pod.name): pod for pod in found}
        self.selection.replace_pods(found)

    @rule(node=nodes)
    def put_node(self, node: Node) -> None:
        self.nodes[node.name] = node
        self.selection.put_node(node)

    @rule(found=st.lists(nodes, max_size=2))
    def replace_nodes(self, found: list[Node]) -> None:
        self.nodes = {node.name: node for node in found}
        self.selection.replace_nodes(found)

    @invariant()
    def all_is_as_plain_evaluation_says(self) -> None:
        for uid, policy in self.policies.items():
            found = {key for key, pod in self.pods.items() if selects(policy, pod)}
            assert self.selection.pods_of(uid) == found
            there = {node.name for node in self.nodes.values() if selects_node(policy, node)}
            assert self.selection.nodes_of(uid) == there
        for key, pod in self.pods.items():
            theirs = {uid for uid, policy in self.policies.items() if selects(policy, pod)}
            assert self.selection.policies_of(key) == theirs
        assert self.selection.pods == self.pods
        assert self.selection.policies == self.policies


Machine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
TestSelection = Machine.TestCase

finite = st.floats(allow_nan=False, allow_infinity=False)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | finite,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
members = st.sampled_from(
    "selector nodeSelector process file network capabilities syscalls action severity tags message "
    "matchLabels matchExpressions matchPaths matchDirectories matchPatterns matchProtocols "
    "matchCapabilities matchSyscalls path dir pattern protocol capability syscall "
    "fromSource".split()
)
spec = st.recursive(
    json, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(
    st.sampled_from(KINDS),
    st.dictionaries(members, spec),
    st.dictionaries(
        st.sampled_from("name namespace uid labels managedFields creationTimestamp".split()), json
    ),
)
@settings(max_examples=300)
def test_whatever_an_object_says_it_is_a_policy_or_refused(
    kind: str, body: dict[str, Any], about: dict[str, Any]
) -> None:
    from armorstack.errors import PolicyError

    found = {
        "apiVersion": "security.kubearmor.com/v1",
        "kind": kind,
        "metadata": about,
        "spec": body,
    }
    try:
        policy = policy_of(found)
    except PolicyError:
        assert not (isinstance(about.get("name"), str) and about["name"])
        return
    assert policy.spec == body
    selects(policy, Pod("shop", "x"))
    selects_node(policy, Node("node-1"))


@pytest.mark.parametrize(
    ("pattern", "name", "is_meant"),
    [("*", "anything", True), ("node-1", "node-1", True), ("node-1", "node-10", True),
     ("node-1$", "node-10", False), ("node-[12]", "node-2", True), ("ode", "node", False),
     ("(", "(", False)],
)  # fmt: skip
def test_a_node_is_named_by_a_pattern_that_goes_on_from_its_key(
    pattern: str, name: str, is_meant: bool
) -> None:
    policy = Policy("u", "KubeArmorHostPolicy", "", "h", {}, Selector({HOST_KEY: pattern}))
    assert selects_node(policy, Node(name)) == is_meant


def test_a_host_policy_without_a_label_is_for_no_node() -> None:
    policy = Policy("u", "KubeArmorHostPolicy", "", "h", {}, Selector())
    assert not selects_node(policy, Node("node-1"))
