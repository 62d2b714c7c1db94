"""A tree as text, and what may be typed next."""

import pytest

from armorstack.core.query.completion import KEYWORDS, WORDS, complete
from armorstack.core.query.format import format_query
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.parse import parse
from armorstack.core.query.tree import EVERYTHING, And, Compare, Free, Match, Not, Or

NOW_US = 1_795_446_000_000_000


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("", ""), ("*", ""), ("x && y", "x and y"), ("x y or z", "x and y or z"),
        ("x (y or z)", "x and (y or z)"), ("!(x y)", "not (x and y)"), ("-PodName=a", "not pod:a"),
        ("pod:a or pod:b", "pod:(a, b)"), ('pod:"web"', "pod:web"), ('pod:"a b"', 'pod:"a b"'),
        ('pod:"a*"', 'pod:"a*"'), ("pod:a*", "pod:a*"), (r"pod:a\ b*", r"pod:a\ b*"),
        (r"pod:\,\"\\*", r"pod:\,\"\\*"), ('"and"', '"and"'), ('pod:"not"', 'pod:"not"'),
        ("pod:*", "exists:pod"), ('exists:"event_data.a b"', 'event_data."a b":*'),
        ("severity:7..9", "severity>=7 and severity<=9"),
        ("severity == 7", "severity=7"), ('label:"app=web"', "label:app=web"),
        ("EventData.Fd:3", "event_data.Fd:3"), ('event_data."a b".c:3', 'event_data."a b".c:3'),
        ("time>=2026-11-23", "time>=2026-11-23T00:00:00.000000Z"), ("/etc/x-1.2", "/etc/x-1.2"),
        (r"\-x", '"-x"'), ('"a:b"', '"a:b"'), (r"a\:b*", r"a\:b*"), ("* or x", ""),
        (r'"say \"hi\" \\"', r'"say \"hi\" \\"'), ("not *", "not *"),
        ("image:registry:5000/x", "image:registry:5000/x"), ('pod:""', 'pod:""'),
        ("time<now", "time<2026-11-23T15:00:00.000000Z"), ("uid:-1", "uid=-1"),
    ],
)  # fmt: skip
def test_a_query_has_one_spelling(typed: str, written: str) -> None:
    tree = parse(typed, NOW_US)
    assert format_query(tree) == written
    assert parse(written, NOW_US) == tree


def test_what_a_page_puts_together_can_be_written_down() -> None:
    tree = And((Or((Match("pod", ("a", "b*")), Free("x"))), Not(Compare("severity", ">", 7))))
    assert format_query(tree) == "(pod:(a, b*) or x) and not severity>7"
    assert format_query(EVERYTHING) == ""


def texts(text: str, cursor: int | None = None) -> list[str]:
    return [each.text for each in complete(text, cursor)]


def test_fields_are_suggested_those_of_the_facets_first() -> None:
    assert set(texts("")) == {f"{name}:" for name in QUERY_FIELDS}
    assert texts("")[0] == "stream:"
    assert texts("po") == ["pod:", "policy:"]
    assert texts("x and (sev") == ["severity:"]
    assert texts("-PO") == ["pod:", "policy:"]


def test_a_suggestion_stands_for_the_word_before_the_cursor() -> None:
    (first, *_) = complete("x and po and y", len("x and po"))
    assert (first.start, first.text, first.doc) == (6, "pod:", QUERY_FIELDS["pod"].doc)
    (block,) = complete("action:(Audit, bl")
    assert (block.start, block.text) == (len("action:(Audit, "), "Block")


def test_words_that_join_are_suggested_when_they_have_begun() -> None:
    assert texts("x an") == ["and "]
    assert set(KEYWORDS) == {"and", "or", "not"}
    assert "not " in texts("x and n")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("stream:", ["alert", "log", "message"]), ("Operation=f", ["File"]),
        ("operation:(File or net", ["Network", "NetworkFirewall"]), ("pod:", []),
        ("result:per", ['"Permission denied"']), ("exists:po", ["pod", "policy"]),
        ('"stream:', []), ('pod:"a" stream:al', ["alert"]), ("stream!=al", ["alert"]),
        ("stream:alert or opera", ["operation:"]), ("stream:alert po", ["pod:", "policy:"]),
    ],
)  # fmt: skip
def test_kubearmors_own_words_are_suggested(text: str, found: list[str]) -> None:
    assert texts(text) == found


def test_every_suggested_value_can_be_asked_for() -> None:
    for name, words in WORDS.items():
        operator = ">=" if QUERY_FIELDS[name].sort == "time" else ":"
        for word in words:
            parse(f"{name}{operator}{word}", NOW_US)
