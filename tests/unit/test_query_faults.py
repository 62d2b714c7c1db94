"""What is wrong with a query is told at its place, with what to write instead."""

import pytest

from armorstack.core.query.parse import MAX_LENGTH, parse
from armorstack.core.query.parser import MAX_DEPTH, MAX_TESTS
from armorstack.core.query.pointing import pointed
from armorstack.errors import QueryError

NOW_US = 1_795_446_000_000_000


def fault(text: str) -> QueryError:
    with pytest.raises(QueryError) as caught:
        parse(text, NOW_US)
    return caught.value


@pytest.mark.parametrize(
    ("text", "piece", "told", "hint"),
    [
        ("x pdo:web", "pdo", "no field `pdo`", "did you mean pod?"),
        ("sverity>=7", "sverity", "no field `sverity`", "did you mean severity?"),
        ("http://x", "http", "no field `http`", "quotes"),
        ("exists:(pod, nod)", "nod", "no field `nod`", "did you mean node?"),
        ("exists:*", "*", "no field `*`", "quotes"),
        ("pod.name:x", "pod.name", "no field", ""),
        ("severity>=high", "high", "whole number", "severity>=7"),
        ("severity:7.5", "7.5", "whole number", "severity:7..10"),
        ("severity:7-10", "7-10", "whole number", "write severity:7..10"),
        ("severity:7*", "7*", "whole number", ""),
        ("severity:(7, x)", "x", "whole number", ""),
        ("severity:\u0663", "\u0663", "whole number", ""),
        ("pid:9999999999999999999", "9999999999999999999", "too large", "18 digits"),
        ("severity:10..7", "10..7", "upside down", "7..10"),
        ("severity:..", "..", "without an end", "severity:7..10"),
        ("severity>=7..10", "7..10", "range after a comparison", "write severity:7..10"),
        ("severity:>7", ">7", "`:` and `>`", "write severity>7"),
        ("Severity:>=7", ">=7", "`:` and `>=`", "write Severity>=7"),
        ("time:<now", "<now", "`:` and `<`", "write time<now"),
        ("severity=<7", "=<", "no =<", "write <="),
        ("severity=>7", "=>", "no =>", "write >="),
        ("pod=~web.*", "=~", "no =~", "glob"),
        ("pod!~web", "!~", "no !~", "not pod:web-*"),
        ("x pod<web", "pod<", "`<` compares numbers and times", "pod:web"),
        ("action>=Block", "action>=", "`>=` compares", ""),
        ("tag>a", "tag>", "`>` compares", ""),
        ("severity>(7, 9)", "severity>", "list behind a comparison", "severity:(7, 9)"),
        ("pod:!web", "!web", "!", "not pod:web or pod!=web"),
        ("pod:[a, b]", "[a,", "list stands in parentheses", "pod:(a, b)"),
        ("pod:[a,b]", "[a,b]", "list stands in parentheses", "pod:(a, b)"),
        ("pod:[c-a]*", "[c-a]*", "upside down", "low to high"),
        ("pod:(a, [c-a])", "[c-a]", "upside down", "low to high"),
        ("x and", "and", "nothing follows `and`", ""),
        ("x &&", "&&", "nothing follows `&&`", ""),
        ("x or not", "not", "nothing follows `not`", ""),
        ("(x or) y", "or", "nothing follows `or`", ""),
        ("and x", "and", "nothing stands before `and`", "quotes"),
        ("x or and y", "and", "nothing stands before `and`", ""),
        ("|| x", "||", "nothing stands before `||`", ""),
        ("pod:(,a)", ",", "nothing stands before `,`", ""),
        ("pod:(a,)", ",", "nothing follows `,`", ""),
        ("pod:(a b)", "b", "side by side", "comma"),
        ("(pod:a", "(", "never closed", "add a )"),
        ("(", "(", "never closed", "add a )"),
        ("x pod:(a, b", "(", "never closed", "add a )"),
        ("pod:a)", ")", "never opened", ""),
        (")", ")", "never opened", ""),
        ("x ( ) y", "( )", "nothing stands between", "quote"),
        ('x "never', '"', "never closed", 'end the text with "'),
        ("pod:'never\"", "'", "never closed", "end the text with '"),
        ('"x"y', "y", "stuck", "quotes"),
        ('pod:"a"*', "*", "stuck", "quotes"),
        ('pod:a"b"', '"', "quote in the middle", "quotes"),
        ("\u201cx\u201d", "\u201c", "no quote", '"'),
        ('""', '""', "empty text", "leave it out"),
        ("x pod:", "pod:", "`pod` has no value", ""),
        ("pod: and x", "pod:", "`pod` has no value", ""),
        ("(severity>=)", "severity>=", "`severity` has no value", "severity>=…"),
        ("pod:, x", "pod:", "`pod` has no value", ""),
        ("(x) >7", ">", "no field before `>`", "name a field"),
        ("=x", "=", "no field before `=`", ""),
        ("pod:a, node:b", ",", "comma at the end", "`and`"),
        ("a, b", ",", "comma at the end", "`and`"),
        (r"a*\*", r"a*\*", "wildcards or none", "quotes"),
        ("exists=pod", "=", "exists takes a colon", "exists:pod"),
        ("id:abc", "abc", "no id", "43 characters"),
        ("id:Ab*", "Ab*", "no id", "43 characters"),
        ("id>x", "id>", "compares", ""),
        ("time>=yesterday", "yesterday", "no time", "now-7d"),
        ("time:2026-13-01", "2026-13-01", "no time", "2026-11-23T14:00:00Z"),
        ("time:20261123", "20261123", "no time", ""),
        ("time:2026", "2026", "no time", ""),
        ("time:1969-12-31", "1969-12-31", "no time", ""),
        ("time:now-24h", "now-24h", "single moment", "time>=now-24h"),
        ("time:now", "now", "single moment", ""),
        ("time:2026-11-23..2026-11-22", "2026-11-23..2026-11-22", "upside down", ""),
        ("time:..", "..", "without an end", "now-2h..now-1h"),
        ("time>=2026-11-22..2026-11-23", "2026-11-22..2026-11-23", "range after", ""),
        ("a\ud800b", "\ud800", "no text", "UTF-8"),
    ],
)  # fmt: skip
def test_a_fault_is_told_at_its_place(text: str, piece: str, told: str, hint: str) -> None:
    error = fault(text)
    assert text[error.column : error.column + error.length] == piece
    assert told in str(error)
    assert hint in error.hint
    assert error.hint


def test_a_query_has_a_limit_of_length() -> None:
    error = fault("a" * (MAX_LENGTH + 3))
    assert (error.column, error.length) == (MAX_LENGTH, 3)
    parse("a" * MAX_LENGTH, NOW_US)


@pytest.mark.parametrize("level", ["(", "not ", "!", "pod:(", "not ("])
def test_a_query_has_a_limit_of_depth(level: str) -> None:
    error = fault(level * 1000 + "x")
    assert f"more than {MAX_DEPTH} levels" in str(error) or level == "pod:("


def test_values_in_parentheses_have_the_same_limit_of_depth() -> None:
    parse(f"pod:{'(' * MAX_DEPTH}a{')' * MAX_DEPTH}", NOW_US)
    error = fault(f"pod:{'(' * (MAX_DEPTH + 1)}a{')' * (MAX_DEPTH + 1)}")
    assert (error.column, error.length) == (4 + MAX_DEPTH, 1)


def test_depth_is_counted_within_one_place_only() -> None:
    parse(" or ".join(["((x))"] * (MAX_DEPTH * 2)), NOW_US)


def test_a_query_has_a_limit_of_tests() -> None:
    parse("x " * MAX_TESTS, NOW_US)
    error = fault("x " * MAX_TESTS + "last")
    assert (error.column, error.length) == (2 * MAX_TESTS, 4)
    assert fault(f"pod:({','.join('x' * (MAX_TESTS + 1))})").column == 5 + 2 * MAX_TESTS


def test_what_is_told_of_a_long_or_hostile_word_is_short_and_harmless() -> None:
    told = str(fault(f"a{'b' * 5000}:x"))
    assert len(told) < 100
    assert "\u202e" not in str(fault("severity:\u202e7"))
    assert "\x1b" not in str(fault("time>=\x1b[31m"))


# --- shown on a terminal ---


def shown(text: str, width: int = 100) -> str:
    return pointed(text, fault(text), width)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("pdo:x", "pdo:x\n^^^"),
        ("x and pdo:x", "x and pdo:x\n      ^^^"),
        ("日本 pdo:x", "日本 pdo:x\n     ^^^"),
        ("severity>=日本", "severity>=日本\n          ^^^^"),
        ("e\u0301 pdo:x", "e\u0301 pdo:x\n  ^^^"),
        ("a\tpdo:x", "a pdo:x\n  ^^^"),
        ("a\npdo:x", "a pdo:x\n  ^^^"),
        ("\x1b[31m pdo:x", "\\x1b[31m pdo:x\n         ^^^"),
        ("\u202e pdo:x", "\\u202e pdo:x\n       ^^^"),
        ("severity>=\x00", "severity>=\\x00\n          ^^^^"),
    ],
)  # fmt: skip
def test_marks_stand_under_what_is_wrong(text: str, lines: str) -> None:
    assert shown(text) == lines


def test_a_long_query_is_cut_around_its_fault() -> None:
    text = "a " * 200 + "pdo:x " + "b " * 200
    query, marks = shown(text, 40).split("\n")
    assert query.startswith("…")
    assert query.endswith("…")
    assert len(query) <= 40
    at = marks.index("^")
    assert query[at : at + 3] == "pdo"
    assert marks[at:] == "^^^"


def test_a_query_that_is_wrong_all_over_is_marked_as_far_as_it_is_shown() -> None:
    query, marks = shown("time>=" + "日" * 500, 30).split("\n")
    assert sum(1 + (char == "日") for char in query) <= 30
    assert marks == " " * marks.index("^") + "^" * marks.count("^")
    assert marks.count("^") == 2 * query.count("日")
