"""A change of a policy is a line like any other, with a tag and an ECS form of its own."""

import json

import pytest
from msgspec.structs import replace

from armorstack.config import Config, Match, StdoutSink
from armorstack.core.batch import SCHEMA
from armorstack.core.decode import decode
from armorstack.core.ecs import to_ecs
from armorstack.core.filters.contract import Flow
from armorstack.core.policy_change import PolicyChange, line_of
from armorstack.core.rebuild import rebuild
from armorstack.core.rules import compile_rules
from armorstack.core.sentence import sentence
from tests.support.frames import lines, row

CHANGE = PolicyChange(
    verb="Update", time_us=1_795_443_038_000_000, cluster="prod", kind="KubeArmorPolicy",
    namespace="shop", name="ksp-block-shell", uid="u-1", generation=3, who="kubectl-edit",
    difference="spec.action: Audit → Block", action="Block", severity=7, tags=("MITRE", "T1059"),
)  # fmt: skip


def decoded(*changes: PolicyChange) -> list[dict[str, object]]:
    found = decode([row([line_of(change) for change in changes], stream="auto")])
    assert found.rejected == ()
    return list(found.batch.rows.to_pylist())


def test_a_change_is_read_as_a_message_and_rebuilt_as_it_was_written() -> None:
    (event,) = decoded(CHANGE)
    assert (event["stream"], event["type"]) == ("message", "PolicyChange")
    assert (event["policy_name"], event["namespace_name"]) == ("ksp-block-shell", "shop")
    assert (event["action"], event["severity"], event["atags"]) == (
        "Block",
        "7",
        ["MITRE", "T1059"],
    )
    assert rebuild(event) == json.loads(line_of(CHANGE))
    assert sentence(event) == (
        "Policy: KubeArmorPolicy shop/ksp-block-shell was changed by kubectl-edit"
    )


@pytest.mark.parametrize(
    ("verb", "action", "type_"),
    [
        ("Create", "policy-create", "creation"),
        ("Update", "policy-update", "change"),
        ("Delete", "policy-delete", "deletion"),
    ],
)
def test_its_ecs_form_is_a_change_of_configuration(verb: str, action: str, type_: str) -> None:
    (event,) = decoded(replace(CHANGE, verb=verb))
    document = to_ecs(event)
    assert document["event"]["kind"] == "event"
    assert document["event"]["category"] == ["configuration"]
    assert (document["event"]["action"], document["event"]["type"]) == (action, [type_])
    assert document["rule"]["ruleset"] == "KubeArmorPolicy"
    assert document["rule"]["name"] == "ksp-block-shell"


def test_two_who_saw_one_change_make_one_event_and_the_next_change_another() -> None:
    one, same, other = decoded(CHANGE, CHANGE, replace(CHANGE, time_us=CHANGE.time_us + 1))
    assert one["id"] == same["id"] != other["id"]


def test_it_has_a_tag_of_its_own_and_a_relays_message_of_that_type_alone_has_it() -> None:
    message = lines("messages-real.jsonl")[0]
    alert = json.loads(lines("alerts-real.jsonl")[0]) | {"Type": "PolicyChange"}
    rows = decode(
        [row([line_of(CHANGE), message], stream="auto"),
         row([json.dumps(alert).encode()], stream="alert")]
    ).batch.rows  # fmt: skip
    found = dict(
        zip(rows.column("policy_name").to_pylist(), Flow(rows).tags().to_pylist(), strict=True)
    )
    assert found == {
        "ksp-block-shell": "kubearmor.policy_change",
        None: "kubearmor.message",
        alert["PolicyName"]: "kubearmor.alert",
    }


def test_a_match_can_name_it() -> None:
    match = Match(tag="kubearmor.policy_change", sink="changes")
    config = Config(sink={"changes": StdoutSink(), "all": StdoutSink()}, match=(match,))
    rows = decode(
        [row([line_of(CHANGE), lines("messages-real.jsonl")[0]], stream="auto")]
    ).batch.rows
    own = compile_rules(config, "changes").apply(rows, 0).own
    assert own.column("policy_name").to_pylist() == ["ksp-block-shell"]
    assert own.schema == SCHEMA


def test_what_is_absent_is_left_out() -> None:
    bare = PolicyChange(
        verb="Delete", time_us=1, cluster="", kind="KubeArmorHostPolicy", namespace="", name="h",
        uid="u-2",
    )  # fmt: skip
    said = json.loads(line_of(bare))
    assert said["Resource"] == "KubeArmorHostPolicy/h"
    assert said["Message"] == "KubeArmorHostPolicy h was deleted"
    assert said.keys().isdisjoint({"ClusterName", "NamespaceName", "Severity", "Tags", "Source"})
