"""What a query is true of."""

from typing import Any

import pytest

from armorstack.core.globs import GlobFault
from armorstack.core.query.evaluate import evaluator, matches
from armorstack.core.query.event_id import decode_id, encode_id
from armorstack.core.query.names import FREE_TEXT, QUERY_FIELDS
from armorstack.core.query.parse import parse
from armorstack.core.query.tree import And, Everything, Exists, Free, Match, Not, Or
from tests.support.rules import event_id
from tests.support.selects import LONG

NOW_US = 1_795_446_000_000_000
ROW: dict[str, Any] = {
    "id": event_id(1), "time": NOW_US - 60_000_000, "received": NOW_US, "stream": "alert",
    "from_source": "relay", "namespace_name": "shop", "pod_name": "web-1",
    "owner_ref": "Deployment", "owner_name": "web", "labels": "app=web,tier=front",
    "process_name": "/usr/bin/Curl", "severity": "7", "atags": ["NIST", "MITRE_T1105"],
    "action": "Audit (Block)", "operation": "Network", "result": "Passed", "uid": 0,
    "host_pid": 42, "resource": "a\nb", "event_data": {"Fd": "3", "Empty": ""}, "tty": "",
}  # fmt: skip


def holds(text: str, row: dict[str, Any] = ROW, **more: Any) -> bool:
    return matches(parse(text, NOW_US), row | more)


@pytest.mark.parametrize(
    "text",
    [
        "", "pod:web-1", "pod:web-*", "pod:*", "exists:pod", "pod:(x, web-?)", "pod!=x",
        "not pod:WEB-1", "not pod:web", "stream:ALERT", "operation:network", "operation:net*",
        "result:(failed or passed)", "process:*/Curl", "not process:*/curl", "resource:a*b",
        "resource:a?b", "tag:NIST", "tag:MITRE*", "tag:(NIST and MITRE*)", "not tag:nist",
        "label:app=web", "label:tier=*", "not label:app=web,*", "owner:web", "owner:Deployment/web",
        "owner:Deployment/*", "not owner:Deployment", "owner_kind:Deployment", "action:audit",
        'action:"audit (block)"', "action:Audit\\ *", "not action:block", "intended:block",
        "via:relay", "severity:7", "severity>=7", "severity<8", "severity:7..10", "severity:..7",
        "not severity:8..", "severity!=8", "uid:0", "uid:*", "pid>41", "not ppid:0", "not ppid>0",
        "not ppid<=0", "ppid!=0", "time>=now-1h", "not time>now-1m", "time>=now-1m",
        "received<=now",
        "event_data.Fd:3", "event_data:3", "event_data:*", "event_data.Fd:*",
        "not event_data.Empty:*", "not event_data.Gone:*", 'event_data.Gone:""', "not tty:*",
        'tty:""', 'node:""', "node!=x", "not node:*", 'not pod:""', "CURL", "curl", '"Bin/C"',
        "b*n/curl", "c?rl", "web-1 shop", "MITRE_t1105", "block", "-nothing",
        "not (curl nothing)", "curl or nothing", "(nothing or curl) and pod:web-1",
        f"id:{encode_id(event_id(1))}", f"not id:{encode_id(event_id(2))}", "id:*",
    ],
)  # fmt: skip
def test_the_query_is_true_of_the_event(text: str) -> None:
    assert holds(text)
    assert not holds(f"not ({text})" if text else "not *")


def test_an_absent_value_answers_no_test_and_its_negation_is_true() -> None:
    for name, field in QUERY_FIELDS.items():
        if name in ("id", "stream", "time", "received", "via"):
            continue
        value = "1" if field.sort == "number" else "x*"
        assert not holds(f"{name}:{value}", {"id": b"", "stream": "log"}), name
        assert holds(f"{name}!={value}", {"id": b"", "stream": "log"}), name
        assert not holds(f"exists:{name}", {"id": b"", "stream": "log"}), name
        nothing: Any = {"texts": [], "map": {}, "number": None}.get(field.sort, "")
        empty = {column: nothing for column in field.columns} | {"action": "", "owner_name": ""}
        assert not holds(f"exists:{name}", empty | {"stream": "", "id": b""}), name


@pytest.mark.parametrize("written", ["", "x", " 5", "+5", "-5", "5.0", "\u0663", "1234567890"])
def test_a_severity_that_is_no_number_is_absent(written: str) -> None:
    assert holds("not exists:severity not severity:* severity!=5", severity=written)
    assert not holds("severity>=0", severity=written)
    assert not holds("severity<100", severity=written)


def test_a_severity_may_have_zeros_before_it() -> None:
    assert holds("severity:7", severity="07")


@pytest.mark.parametrize("name", FREE_TEXT)
def test_free_text_is_looked_for_in_its_fields(name: str) -> None:
    column = QUERY_FIELDS[name].columns[-1]
    value: Any = ["x", "a NEEDLE b"] if column == "atags" else "a NEEDLE b"
    assert holds("needle", {column: value})
    assert holds("n*le", {column: value})
    assert not holds("needles", {column: value})


def test_free_text_is_not_looked_for_elsewhere() -> None:
    searched = {column for name in FREE_TEXT for column in QUERY_FIELDS[name].columns}
    for field in QUERY_FIELDS.values():
        column = field.columns[0]
        if field.sort == "text" and column not in searched:
            assert not holds("needle", {column: "needle"})


def test_free_text_does_not_reach_from_one_value_into_the_next() -> None:
    row = {"namespace_name": "ab", "pod_name": "cd", "atags": ["ef", "gh"]}
    assert holds("ab cd ef gh", row)
    for text in ("abcd", "b*c", "efgh", "f*g", "?????"):
        assert not holds(text, row)


def test_only_a_to_z_are_alike_in_both_cases() -> None:
    assert holds("É", {"pod_name": "É"})
    assert not holds("é", {"pod_name": "É"})
    assert not holds("k", {"pod_name": "\u212a"})
    assert not holds("operation:é", {"operation": "É"})


def test_wildcards_stand_for_nothing_in_exact_texts() -> None:
    assert holds('"a*b"', {"pod_name": "xa*bx"})
    assert not holds('"a*b"', {"pod_name": "acb"})
    assert not holds('pod:"a*b"', {"pod_name": "acb"})
    assert holds("pod:a[*]b", {"pod_name": "a*b"})


@pytest.mark.parametrize("empty", [None, "", [], [""], [None]])
def test_a_list_without_texts_is_absent(empty: Any) -> None:
    row = {"atags": empty if isinstance(empty, list) else None, "labels": empty or None}
    assert holds('not tag:* tag:"" tag!=x', row | {"labels": None})


def test_an_owner_without_a_kind_has_a_name_only() -> None:
    assert holds("owner:web not owner:*/*", {"owner_name": "web"})
    assert not holds("owner:*", {"owner_ref": "Deployment"})


def test_empty_elements_are_no_values() -> None:
    assert holds('not label:"" label:a', {"labels": ",a,"})
    assert holds('not label:*  label:""', {"labels": ",,"})
    assert holds('not tag:"" tag:a', {"atags": ["", None, "a"]})


def test_joining_nodes_mean_all_and_one() -> None:
    yes, no = Everything(), Not(Everything())
    assert [matches(And((a, b)), {}) for a in (yes, no) for b in (yes, no)] == [1, 0, 0, 0]
    assert [matches(Or((a, b)), {}) for a in (yes, no) for b in (yes, no)] == [1, 1, 1, 0]


def test_ids_are_compared_by_what_they_say() -> None:
    digest = bytes(range(200, 232))
    row = {"id": digest}
    standard = encode_id(digest).translate({ord("-"): "+", ord("_"): "/"}) + "="
    assert matches(Match("id", (standard,), exact=True), row)
    assert matches(Match("id", (encode_id(digest),)), row)
    assert not matches(Match("id", ("nothing",)), row)
    assert matches(Exists("id"), row)


@pytest.mark.parametrize("written", ["", "abc", "é" * 43, "A" * 44, "A" * 42, "*" * 43])
def test_what_is_no_id_has_no_digest(written: str) -> None:
    assert decode_id(written) is None


def test_a_glob_that_means_nothing_is_told_when_it_is_compiled() -> None:
    with pytest.raises(GlobFault):
        evaluator(Match("pod", ("[b-a]",)))


def test_long_values_and_many_stars_cost_no_more_than_their_length() -> None:
    stars = "*".join("aB" * 20)
    row = {"resource": LONG * 100}
    assert not matches(Match("resource", (f"*{stars}*y",)), row)
    assert not matches(Free(f"{stars}*yy"), row)
    assert matches(Match("resource", (f"*{stars}*z",)), row)
