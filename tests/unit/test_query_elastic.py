"""A query's tree as the query DSL: what each node becomes, and what is refused beforehand.

Whether that means what plain evaluation says is asked of real engines, in tests/engines.
"""

from typing import Any

import pytest

from armorstack.core.ecs.exact import LONGEST
from armorstack.core.globs import GlobFault
from armorstack.core.ids import text as stored_id
from armorstack.core.query.event_id import encode_id
from armorstack.core.query.names import FREE_TEXT, QUERY_FIELDS
from armorstack.core.query.tree import And, Compare, Everything, Exists, Free, Match, Node, Not, Or
from armorstack.errors import StoreError
from armorstack.store.elastic.fields import dimension
from armorstack.store.elastic.inquiry import compiled
from armorstack.store.elastic.query import EVERYTHING, MOST_STATES, NOTHING, condition, states

POD = "kubernetes.pod.name"
ID = bytes(range(32))


def exists(path: str, long: str) -> list[dict[str, Any]]:
    return [{"exists": {"field": path}}, {"term": {"armorstack.exact.long": long}}]


def either(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"bool": {"should": list(conditions), "minimum_should_match": 1}}


NODES: dict[str, tuple[Node, dict[str, Any]]] = {
    "everything": (Everything(), {"match_all": {}}),
    "a text": (Match("pod", ("a",)), {"terms": {POD: ["a"]}}),
    "a text as it is": (Match("pod", ("a*",), exact=True), {"terms": {POD: ["a*"]}}),
    "a glob": (Match("pod", ("a*?\\",)), {"wildcard": {POD: {"value": "a*?\\\\"}}}),
    "a class": (
        Match("pod", ("[a-c]x.",)), {"regexp": {POD: {"value": "[a-c]x\\.", "flags": "NONE"}}},
    ),
    "anything": (Match("pod", ("*",)), either(*exists(POD, "pod_name"))),
    "absent": (
        Match("pod", ("",), exact=True), {"bool": {"must_not": [either(*exists(POD, "pod_name"))]}},
    ),
    "a word": (
        Match("type", ("HostLog",)),
        {"term": {"kubearmor.type": {"value": "hostlog", "case_insensitive": True}}},
    ),
    "a class in a word": (
        Match("type", ("[k]%",)),
        {"regexp": {"kubearmor.type": {"value": "[k-kK-K]\\%", "flags": "NONE"}}},
    ),
    "a stream": (Match("stream", ("AL*",)), {"terms": {"event.dataset": ["kubearmor.alerts"]}}),
    "no stream": (Match("stream", ("x",)), NOTHING),
    "a key": (
        Match("event_data", ("v",), exact=True, key="a=b"),
        {"terms": {"armorstack.exact.pair": ["a%3Db=v"]}},
    ),
    "has a key": (Exists("event_data", "k"), {"prefix": {"armorstack.exact.pair": "k="}}),
    "an id": (Match("id", (encode_id(ID),)), {"ids": {"values": [stored_id(ID)]}}),
    "any id": (Match("id", ("x", "**")), EVERYTHING),
    "has an id": (Exists("id"), EVERYTHING),
    "without an id": (Match("id", ("",), exact=True), {"bool": {"must_not": [EVERYTHING]}}),
    "no id": (Match("id", ("x",)), NOTHING),
    "a number": (Compare("pid", "=", 7), {"term": {"process.pid": 7}}),
    "a bound": (Compare("pid", ">=", 7), {"range": {"process.pid": {"gte": 7}}}),
    "beyond all": (Compare("pid", "<", 1 << 70), {"exists": {"field": "process.pid"}}),
    "beneath all": (Compare("pid", "<", -(1 << 70)), NOTHING),
    "a time": (Compare("time", "<", 5), {"range": {"event.sequence": {"lt": 5}}}),
    "has a number": (Exists("pid"), {"exists": {"field": "process.pid"}}),
    "not": (Not(Compare("pid", "=", 7)), {"bool": {"must_not": [{"term": {"process.pid": 7}}]}}),
    "and": (
        And((Compare("pid", "=", 7), Compare("ppid", "=", 1))),
        {"bool": {"filter": [{"term": {"process.pid": 7}}, {"term": {"process.parent.pid": 1}}]}},
    ),
    "or": (
        Or((Compare("pid", "=", 7), Compare("ppid", "=", 1))),
        either({"term": {"process.pid": 7}}, {"term": {"process.parent.pid": 1}}),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("node", "wanted"), NODES.values(), ids=NODES.keys())
def test_a_node_becomes_one_condition(node: Node, wanted: dict[str, Any]) -> None:
    assert condition(node) == wanted


def test_free_text_is_a_piece_of_one_of_its_fields_whatever_its_case() -> None:
    found = condition(Free("A*\\B?"))["bool"]["should"]
    patterns = [pattern for each in found for pattern in each["wildcard"].values()]
    assert {each["value"] for each in patterns} == {"*a*\\\\b?*"}
    assert all(each["case_insensitive"] for each in patterns)
    # An Action and an owner may lie at either of two paths.
    paths = {path for each in found for path in each["wildcard"]}
    assert len(paths) == sum(len(QUERY_FIELDS[name].columns) for name in FREE_TEXT)


def test_exact_free_text_has_no_wildcards() -> None:
    found = condition(Free("a*?", exact=True))["bool"]["should"][0]
    assert [each["value"] for each in found["wildcard"].values()] == ["*a\\*\\?*"]


def test_a_text_longer_than_any_that_is_indexed_is_not_looked_for() -> None:
    assert condition(Match("pod", ("x" * (LONGEST + 1),))) == {"terms": {POD: []}}
    assert condition(Match("pod", ("x" * (LONGEST + 1) + "*",))) == NOTHING


def test_a_glob_that_no_engine_takes_is_told() -> None:
    with pytest.raises(GlobFault, match="too long"):
        condition(Match("pod", ("[ab]" * 300,)))
    with pytest.raises(StoreError, match="too long") as told:
        compiled(Match("pod", ("[ab]" * 300,)))
    assert told.value.hint


def test_a_pattern_of_ids_is_refused() -> None:
    with pytest.raises(StoreError, match="no patterns of ids") as told:
        compiled(Match("id", (f"{encode_id(ID)[:9]}*",)))
    assert told.value.hint == "write the whole id"


def test_there_is_no_counting_by_id() -> None:
    with pytest.raises(StoreError, match="does not count by id"):
        dimension("id")


@pytest.mark.parametrize("text", ["x" * 3000, "a" + "?" * 12])
def test_patterns_that_would_take_an_engines_memory_are_not_sent(text: str) -> None:
    with pytest.raises(StoreError, match="too much for the search engine"):
        compiled(Free(text))


@pytest.mark.parametrize("text", ["x" * 100, "/usr/bin/*sh", "a??b"])
def test_patterns_that_people_type_are_sent(text: str) -> None:
    assert 0 < states(compiled(Or((Free(text), Match("pod", (text,)))))) < MOST_STATES
