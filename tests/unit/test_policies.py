"""Policies as they are read, told in one document each, and compared with what was known."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from armorstack.errors import PolicyError
from armorstack.policies.changes import changes_of
from armorstack.policies.choice import Choice, chosen, states_of, visible
from armorstack.policies.coverage import coverage_of
from armorstack.policies.diff import applied, lines_of, spec_diff
from armorstack.policies.document import (
    LONGEST_YAML,
    MOST_NAMES,
    Counts,
    PolicyDocument,
    Selected,
    deleted,
    document_of,
    not_deployed,
)
from armorstack.policies.files import read_files
from armorstack.policies.objects import Node, Pod, node_of, pod_of
from armorstack.policies.policy import policy_of
from armorstack.policies.selection import Selection
from armorstack.policies.selector import containers_of, words
from armorstack.policies.shelf import Shelf
from tests.support.policies import policy_object, write_policies

NOW_US = 1_795_443_038_000_000
NOBODY = Selected()
SOMEBODY = Selected(frozenset({("shop", "cart")}))
SHELL = "KubeArmorPolicy shop/block-shell"


def nested(levels: int) -> list[Any]:
    within: list[Any] = []
    for _ in range(levels):
        within = [within]
    return within


def test_what_a_rule_does_not_say_its_section_says_else_its_policy() -> None:
    policy = policy_of(policy_object(
        severity=3, tags=["all"], message="all", action="audit",
        process={
            "severity": 5, "message": "section", "matchPaths": [
                {"path": "/bin/a", "action": "Block", "severity": 9, "tags": ["own"],
                 "fromSource": [{"path": "/bin/sh"}], "ownerOnly": True},
                {"execname": "nc"},
            ],
        },
        network={"matchProtocols": [{"protocol": "tcp, udp"}]},
        syscalls={"matchSyscalls": [{"syscall": ["unlink", "rmdir"],
                                     "fromSource": [{"dir": "/tmp/"}]}]},
    ))  # fmt: skip
    assert policy.action == "Audit"
    own, named, tcp, udp, unlink, rmdir = policy.rules
    assert (own.action, own.severity, own.tags, own.message) == ("Block", 9, ("own",), "section")
    assert (own.form, own.sources, own.flags) == ("path", ("/bin/sh",), ("ownerOnly",))
    assert (named.form, named.value, named.action, named.severity) == ("execname", "nc", "Audit", 5)
    assert [(r.value, r.severity, r.message) for r in (tcp, udp)] == [
        ("tcp", 3, "all"), ("udp", 3, "all"),
    ]  # fmt: skip
    assert [(r.value, r.sources) for r in (unlink, rmdir)] == [
        ("unlink", ("/tmp/",)), ("rmdir", ("/tmp/",)),
    ]  # fmt: skip


def test_who_wrote_the_spec_and_when_is_in_its_managed_fields() -> None:
    about = {
        "uid": "u-1", "generation": 4, "creationTimestamp": "2026-11-01T00:00:00Z",
        "managedFields": [
            {"manager": "kubectl", "time": "2026-11-01T00:00:00Z", "fieldsV1": {"f:spec": {}}},
            {"manager": "argocd", "time": "2026-11-20T10:00:00Z", "fieldsV1": {"f:spec": {}}},
            {"manager": "labels", "time": "2026-11-21T10:00:00Z", "fieldsV1": {"f:metadata": {}}},
            {"manager": "daemon", "time": "2026-11-22T10:00:00Z", "subresource": "status",
             "fieldsV1": {"f:spec": {}}},
        ],
    }  # fmt: skip
    policy = policy_of(policy_object(about=about))
    assert (policy.uid, policy.generation, policy.manager) == ("u-1", 4, "argocd")
    assert policy.changed_us == 1_795_168_800_000_000


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({}, "kind: nothing is no KubeArmor policy"),
        ({"apiVersion": "v1", "kind": "Pod"}, "kind: v1 Pod is no KubeArmor policy"),
        (policy_object(name=""), "KubeArmorPolicy: metadata.name: missing"),
        (policy_object() | {"spec": []}, "KubeArmorPolicy shop/block-shell: spec: missing"),
        (policy_object(x={None: 1}), f"{SHELL}: cannot be written as JSON"),
        (policy_object(x="\ud800"), f"{SHELL}: cannot be written as JSON"),
        (policy_object(x=10**5_000), f"{SHELL}: cannot be written as JSON"),
        (policy_object(x=nested(100)), f"{SHELL}: cannot be written as JSON"),
        (policy_object(x=nested(5_000)), f"{SHELL}: cannot be written as JSON"),
    ],
)
def test_what_is_no_policy_is_refused_by_name(found: dict[str, Any], told: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy_of(found)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("selected", "counts", "status", "state"),
    [
        (NOBODY, Counts(), "", "selects nothing"),
        (Selected(is_known=False), Counts(), "", "never fired"),
        (SOMEBODY, Counts(), "", "never fired"),
        (SOMEBODY, Counts(all=3), "", "quiet"),
        (SOMEBODY, Counts(day=1, all=3), "", "firing"),
        (NOBODY, Counts(day=1, all=3), "", "firing"),
        (SOMEBODY, Counts(), "Inactive", "inactive"),
        (Selected(nodes=frozenset({"n"})), Counts(), "", "never fired"),
    ],
)
def test_the_state_follows_from_who_is_selected_and_what_was_reported(
    selected: Selected, counts: Counts, status: str, state: str
) -> None:
    policy = replace(policy_of(policy_object()), status=status)
    assert document_of(policy, selected, counts, NOW_US).state == state


def test_a_document_is_bounded_and_says_how_many_there_are() -> None:
    spec = {"process": {"matchPaths": [{"path": f"/bin/{n:05}"} for n in range(9_000)]}}
    policy = policy_of(policy_object(**spec))
    pods = frozenset(("shop", f"pod-{n}") for n in range(1_500))
    document = document_of(policy, Selected(pods), Counts(), NOW_US)
    assert (len(document.pods), document.pods_count) == (MOST_NAMES, 1_500)
    assert (len(document.rules), document.rules_count) == (200, 9_000)
    assert len(document.yaml) <= LONGEST_YAML + 20


def test_a_deep_spec_is_hashed_shown_and_compared_as_any_other() -> None:
    policy = policy_of(policy_object(x=nested(90)))
    document = document_of(policy, SOMEBODY, Counts(), NOW_US)
    assert yaml.safe_load(document.yaml) == policy.spec
    assert len(list(spec_diff(policy.spec, {"x": nested(80)}))) == 1


def test_hostile_text_of_a_policy_is_made_fit_to_be_shown() -> None:
    policy = policy_of(policy_object(
        message="\x1b[31mred\u202e", process={"matchPaths": [{"path": "/bin/\x1b]0;x\x07"}]}
    ))  # fmt: skip
    document = document_of(policy, SOMEBODY, Counts(), NOW_US)
    for text in (document.message, *document.rules, document.selector_text):
        assert not any(c in text for c in "\x1b\x07\u202e")
    assert yaml.safe_load(document.yaml) == policy.spec


def test_one_that_is_gone_keeps_what_it_was_and_when_it_went() -> None:
    before = document_of(policy_of(policy_object()), SOMEBODY, Counts(), NOW_US)
    gone = deleted(before, Counts(all=2), NOW_US + 5, NOW_US + 5)
    again = deleted(gone, Counts(all=2), NOW_US + 9, NOW_US + 9)
    assert (gone.state, gone.is_deployed, gone.pods_count) == ("deleted", False, 0)
    assert (again.deleted_us, again.as_of_us, again.yaml) == (NOW_US + 5, NOW_US + 9, before.yaml)


# --- whom ---


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (policy_object(selector={"matchLabels": {"app": "a", "tier": "b"}}),
         "pods with app=a and tier=b in namespace shop"),
        (policy_object(), "all pods in namespace shop"),
        (policy_object(selector={"matchLabels": {"kubearmor.io/container.name": "[web, db]"}}),
         "containers web, db of all pods in namespace shop"),
        (policy_object(kind="KubeArmorClusterPolicy", selector={"matchExpressions": [
            {"key": "namespace", "operator": "NotIn", "values": ["kube-system"]}]}),
         "all pods in all namespaces but kube-system"),
        (policy_object(kind="KubeArmorClusterPolicy"), "all pods in all namespaces"),
        (policy_object(kind="KubeArmorClusterPolicy", selector={"matchExpressions": [
            {"key": "namespace", "operator": "In", "values": ["a", "b"]},
            {"key": "label", "operator": "In", "values": ["app=x"]}]}),
         "pods with a label of app=x in namespaces a, b"),
        (policy_object(kind="KubeArmorHostPolicy", nodeSelector={"matchLabels": {"os": "linux"}}),
         "nodes with os=linux"),
        (policy_object(kind="KubeArmorHostPolicy", nodeSelector={}),
         "no node: it names no label"),
    ],
)  # fmt: skip
def test_whom_a_policy_is_for_is_said_in_words(found: dict[str, Any], told: str) -> None:
    assert words(policy_of(found)) == told


@pytest.mark.parametrize(
    ("written", "names"), [("[web, db]", ("web", "db")), ("[]", ()), ("[ a ,]", ("a",)), ("", ())]
)
def test_containers_are_named_by_a_label_that_is_none(written: str, names: tuple[str, ...]) -> None:
    found = policy_object(selector={"matchLabels": {"kubearmor.io/container.name": written}})
    assert containers_of(policy_of(found)) == names


def test_a_pod_belongs_to_the_deployment_behind_its_replica_set() -> None:
    owners = [
        {"kind": "Backup", "name": "nightly"},
        {"kind": "ReplicaSet", "name": "cart-76ddc6", "controller": True},
    ]
    about = {"namespace": "shop", "name": "cart-76ddc6-x", "uid": "p",
             "labels": {"pod-template-hash": "76ddc6"}, "ownerReferences": owners}  # fmt: skip
    pod = pod_of({"metadata": about, "spec": {"nodeName": "n1", "containers": [{"name": "web"}]}})
    assert (pod.owner_kind, pod.owner_name, pod.node) == ("Deployment", "cart", "n1")
    assert pod.containers == ("web",)
    odd = [{"kind": "ReplicaSet", "name": "cart-", "controller": True}]
    found = pod_of({"metadata": about | {"labels": {}, "ownerReferences": odd}})
    assert (found.owner_kind, found.owner_name) == ("ReplicaSet", "cart-")
    bare = pod_of({"metadata": about | {"labels": {}}})
    assert (bare.owner_kind, bare.owner_name) == ("ReplicaSet", "cart-76ddc6")
    assert pod_of({"metadata": None, "spec": 3}) == Pod("", "")
    assert node_of({"metadata": {"name": "n", "labels": {"a": 1, "b": "c"}}}).labels == {"b": "c"}


def test_coverage_counts_a_pod_once_and_an_inactive_policy_for_nobody() -> None:
    selection = Selection()
    for name in ("a", "b"):
        selection.put_pod(Pod("shop", name, labels={"app": name}))
    selection.put_pod(Pod("dev", "c"))
    one = policy_of(policy_object(selector={"matchLabels": {"app": "a"}}))
    off = replace(policy_of(policy_object(name="off")), uid="off", status="Inactive")
    selection.put_policy(one)
    selection.put_policy(off)
    found = coverage_of(selection)
    assert [(c.namespace, c.covered, c.bare) for c in found.namespaces] == [
        ("dev", 0, ("c",)), ("shop", 1, ("b",)),
    ]  # fmt: skip
    assert (found.pods, found.bare) == (3, 2)


# --- what changed ---

json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", max_size=1), inner),
    max_leaves=8,
)
specs = st.dictionaries(st.text("xyz", max_size=1), json)


@given(specs, specs)
def test_the_differences_applied_to_the_old_spec_give_the_new_one(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    found = list(spec_diff(old, new))
    assert applied(old, found) == new
    assert bool(found) == (old != new or repr(old) != repr(new))
    assert len(lines_of(found).splitlines()) == len(found)


def test_differences_are_told_a_line_each_and_not_for_ever() -> None:
    old = {"action": "Audit", "process": {"matchPaths": [{"path": "/a"}]}, "severity": 3}
    new = {"action": "Block", "process": {"matchPaths": [{"path": "/b\n"}]}, "tags": ["x"]}
    assert lines_of(list(spec_diff(old, new))).splitlines() == [
        "spec.action: Audit → Block", r"spec.process.matchPaths[0].path: /a → /b\x0a",
        "- spec.severity: 3", '+ spec.tags: ["x"]',
    ]  # fmt: skip
    many = lines_of(list(spec_diff({}, {f"k{n}": n for n in range(100)})))
    assert many.splitlines()[-1] == "and 60 more"


def known(*objects: dict[str, Any]) -> dict[str, PolicyDocument]:
    documents = [document_of(policy_of(each), SOMEBODY, Counts(), NOW_US) for each in objects]
    return {each.uid: each for each in documents}


def test_what_was_made_changed_and_deleted_is_told_with_what_is_different() -> None:
    same, old = policy_object("same"), policy_object("old", severity=3)
    new, made = policy_object("old", severity=4), policy_object("made")
    policies = {p.uid: p for p in map(policy_of, (same, new, made))}
    before = known(same, old, policy_object("gone"))
    found = {c.name: c for c in changes_of(before, policies, "prod", NOW_US)}
    assert {name: c.verb for name, c in found.items()} == {
        "old": "Update", "made": "Create", "gone": "Delete",
    }  # fmt: skip
    assert found["old"].difference == "spec.severity: 3 → 4"
    assert (found["gone"].time_us, found["gone"].cluster) == (NOW_US, "prod")


def test_one_that_comes_back_was_made_again_and_one_that_never_was_is_not_deleted() -> None:
    gone = {uid: deleted(each, Counts(), 1, 1) for uid, each in known(policy_object()).items()}
    foreign = not_deployed("KubeArmorPolicy", "shop", "x", Counts(all=1), 1)
    policy = policy_of(policy_object())
    found = list(changes_of(gone | {foreign.uid: foreign}, {policy.uid: policy}, "", NOW_US))
    assert [(c.verb, c.name) for c in found] == [("Create", "block-shell")]


# --- files ---


def test_policies_are_found_in_folders_lists_and_several_documents_of_a_file(
    tmp_path: Path,
) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    items = [policy_object("in-list"), pod]
    listed = {"apiVersion": "v1", "kind": "List", "items": items}
    write_policies(tmp_path / "a.yaml", policy_object("one"), listed)
    write_policies(tmp_path / "deep/er/b.yml", policy_object("two", kind="KubeArmorHostPolicy"))
    (tmp_path / "notes.txt").write_text("kind: KubeArmorPolicy")
    found = read_files([str(tmp_path)])
    assert sorted(p.name for p in found.policies.values()) == ["in-list", "one", "two"]
    assert found.faults == []
    assert all(uid.startswith("file/") for uid in found.policies)


def test_a_broken_document_is_told_by_its_line_and_harms_no_other(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    good = yaml.safe_dump(policy_object("good"))
    bad = yaml.safe_dump(policy_object("") | {})
    file.write_text(f"{good}---\nkind: [\nx: 1\n---\n{bad}---\n{good.replace('good', 'also')}")
    found = read_files([str(file), str(tmp_path / "none.yaml")])
    assert sorted(p.name for p in found.policies.values()) == ["also", "good"]
    lines = good.count("\n") + 1
    places = [(fault.where, fault.sentence) for fault in found.faults]
    assert places[0][0] in {f"{file}:{lines + n}" for n in (1, 2, 3)}
    assert places[0][1].startswith("no YAML: ")
    assert places[1] == (f"{file}:{lines + 4}", "KubeArmorPolicy: metadata.name: missing")
    assert places[2] == (str(tmp_path / "none.yaml"), "cannot be read: No such file or directory")


def test_names_that_are_no_texts_become_so_as_an_api_server_would_have_them(
    tmp_path: Path,
) -> None:
    policy = policy_object(selector={"matchLabels": {"a": "b"}})
    spec = yaml.safe_dump(policy).replace("a: b", "8080: b") + "  2026-11-01: [2026-11-02]\n"
    (tmp_path / "a.yaml").write_text(spec)
    found = read_files([str(tmp_path)])
    (read,) = found.policies.values()
    assert read.spec == {
        "selector": {"matchLabels": {"8080": "b"}}, "2026-11-01": ["2026-11-02"],
    }  # fmt: skip
    assert len(list(spec_diff({"a": 1}, read.spec))) == 3


@pytest.mark.parametrize(
    "value", ["!!timestamp x", "!!int ''", "!!bool maybe", "!!float x", "{[a]: b}", "!!set [a]"]
)
def test_a_value_that_is_not_what_it_says_harms_no_other_document(
    tmp_path: Path, value: str
) -> None:
    good = yaml.safe_dump(policy_object("good"))
    (tmp_path / "a.yaml").write_text(f"x: {value}\n---\n{good}")
    found = read_files([str(tmp_path)])
    assert [policy.name for policy in found.policies.values()] == ["good"]
    assert [fault.sentence[:7] for fault in found.faults] == ["no YAML"]


def test_yaml_that_runs_code_or_grows_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("!!python/object/apply:os.system ['true']\n")
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    (tmp_path / "b.yaml").write_text(f"l0: &l0 [x]\n{levels}")
    found = read_files([str(tmp_path)])
    assert not found.policies
    assert [fault.sentence.partition(":")[0] for fault in found.faults] == [
        "no YAML", "more than 1,000,000 values",
    ]  # fmt: skip


def test_what_is_known_outlives_a_run_and_a_broken_file_is_put_aside(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "policies")
    assert shelf.read() is None
    documents = known(policy_object("a"), policy_object("b"))
    shelf.write(list(documents.values()))
    assert Shelf(tmp_path / "policies").read() == documents
    (tmp_path / "policies/documents.json").write_text('[{"uid": 3')
    assert Shelf(tmp_path / "policies").read() is None
    assert (tmp_path / "policies/documents.broken").exists()


# --- who may see what ---


def test_choices_narrow_and_a_reader_of_namespaces_sees_those_alone() -> None:
    documents = [
        *known(policy_object("a", "shop"), policy_object("b", "bank"),
               policy_object("c", kind="KubeArmorClusterPolicy")).values(),
        not_deployed("KubeArmorPolicy", "shop", "x", Counts(all=1), 1),
    ]  # fmt: skip
    assert [d.name for d in chosen(documents, Choice(namespace="shop"))] == ["a", "x"]
    assert [d.name for d in chosen(documents, Choice(state="not deployed"))] == ["x"]
    assert [d.name for d in chosen(documents, Choice(text="/BIN/SH", namespace="bank"))] == ["b"]
    assert [d.name for d in visible(documents, ["shop"])] == ["a", "x"]
    assert visible(documents, None) == documents
    assert states_of(documents) == {"never fired": 3, "not deployed": 1}


# --- cases that random ones rarely reach ---


def test_a_broken_item_of_a_list_harms_no_other_item(tmp_path: Path) -> None:
    items = [policy_object(""), policy_object("good")]
    write_policies(tmp_path / "a.yaml", {"apiVersion": "v1", "kind": "List", "items": items})
    found = read_files([str(tmp_path)])
    assert [policy.name for policy in found.policies.values()] == ["good"]
    assert [fault.sentence for fault in found.faults] == ["KubeArmorPolicy: metadata.name: missing"]


def test_true_and_1_are_not_the_same() -> None:
    (found,) = spec_diff({"ownerOnly": True}, {"ownerOnly": 1})
    assert (found.path, found.before, found.after) == (("ownerOnly",), True, 1)


def test_who_gets_other_labels_is_selected_by_those() -> None:
    selection = Selection()
    pods = policy_of(policy_object(selector={"matchLabels": {"app": "a"}}))
    labels = {"matchLabels": {"os": "linux"}}
    nodes = policy_of(policy_object("h", kind="KubeArmorHostPolicy", nodeSelector=labels))
    selection.put_policy(pods)
    selection.put_policy(nodes)
    for app, os, is_selected in (("a", "linux", True), ("b", "other", False), ("a", "linux", True)):
        selection.put_pod(Pod("shop", "cart", uid="same", labels={"app": app}))
        selection.put_node(Node("node-1", labels={"os": os}))
        assert bool(selection.pods_of(pods.uid)) == is_selected
        assert selection.policies_of(("shop", "cart")) == ({pods.uid} if is_selected else set())
        assert bool(selection.nodes_of(nodes.uid)) == is_selected
