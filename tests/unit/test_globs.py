"""Globs, one by one; `tests/property/test_select.py` holds them against a plain evaluation."""

import pyarrow as pa
import pytest

from armorstack.core.globs import GlobFault, any_of, lower, plan


def matches(glob: str, value: str, *, ignore_case: bool = False) -> bool:
    (answer,) = plan([glob], ignore_case=ignore_case).mask(pa.array([value])).to_pylist()
    return bool(answer)


@pytest.mark.parametrize(
    ("glob", "value"),
    [
        ("*", ""), ("*", "a\nb"), ("**", "x"), ("", ""), ("/u/*", "/u/"), ("/u/*", "/u/a/b"),
        ("*/sh", "/bin/sh"), ("*in*", "/bin/sh"), ("/*/sh", "/usr/bin/sh"), ("a*c", "a\n\nc"),
        ("?", "é"), ("?", "😀"), ("?", "\n"), ("a?c", "abc"), ("[abc]", "b"), ("[a-c]x", "bx"),
        ("[!a-c]x", "dx"), ("[!a]", "\n"), ("[]]", "]"), ("[]a]", "a"), ("[!]]", "a"),
        ("[a-]", "-"), ("[-a]", "-"), ("[--0]", "."), ("[a-c-e]", "-"), ("[", "["), ("a[b", "a[b"),
        ("[]", "[]"), ("[!]", "[!]"), ("[[]", "["), ("[*]", "*"), ("[?]", "?"), ("[^a]", "^"),
        ("[\\]", "\\"), ("a.c", "a.c"), ("(a|b)+$", "(a|b)+$"), ("\\d*", "\\d9"),
        ("*.so*", "/lib/x.so.6"), ("[\U0001f600-\U0001f64f]", "😀"), ("[\u0430-\u044f]*", "привет"),
        ("*\x00*", "a\x00b"),
    ],
)  # fmt: skip
def test_a_glob_covers_the_whole_value(glob: str, value: str) -> None:
    assert matches(glob, value)


@pytest.mark.parametrize(
    ("glob", "value"),
    [
        ("", "a"), ("?", ""), ("?", "ab"), ("a", "ab"), ("a", "ba"), ("a", "a\n"), ("a?", "ab\n"),
        ("/usr/*", "x/usr/a"), ("*/sh", "/bin/sh "), ("[a-c]", "B"), ("[!a-c]x", "bx"),
        ("[!a-c]x", "x"), ("[abc]", "ab"), ("[]", ""), ("a.c", "abc"), ("[^a]", "b"), ("**x", "xy"),
        ("[!!]", "!"), ("a*b?c", "ab\nd"), ("é", "É"), ("a", "A"),
    ],
)  # fmt: skip
def test_a_glob_does_not_match(glob: str, value: str) -> None:
    assert not matches(glob, value)


def test_without_case_only_ascii_is_alike() -> None:
    assert matches("BLO?K", lower("block"), ignore_case=True)
    assert matches("[A-C]UDIT", lower("Audit"), ignore_case=True)
    assert not matches("kelvin", lower("\u212aelvin"), ignore_case=True)
    assert not matches("istanbul", lower("İstanbul"), ignore_case=True)
    assert lower("AZaz[@ÉİK") == "azaz[@Éİk"


def test_globs_of_every_kind_are_asked_together() -> None:
    together = plan(["whole", "pre*", "*post", "*mid*", "a*b", "x?"])
    values = ["whole", "prefix", "outpost", "amidst", "a--b", "xy", "wholes", "x", "apre", "posts"]
    assert together.mask(pa.array(values)).to_pylist() == [True] * 6 + [False] * 4
    assert together.mask(pa.array([], pa.string())).to_pylist() == []


@pytest.mark.parametrize("glob", ["[z-a]", "x[c-a]*", "[a-cz-b]", "[!b-a]"])
def test_a_range_that_is_upside_down_is_refused(glob: str) -> None:
    with pytest.raises(GlobFault, match="upside down") as caught:
        plan(["*", glob])
    assert "from low to high" in caught.value.hint


def test_globs_that_make_too_large_an_expression_are_refused_when_they_are_compiled() -> None:
    with pytest.raises(GlobFault, match="too many") as caught:
        plan([f"*foo{number}*bar{number}*baz" for number in range(30_000)])
    assert caught.value.hint


def test_any_of_some_masks_is_true_where_one_is() -> None:
    masks = [pa.array([True, False, False]), pa.array([False, False, True])]
    assert any_of(masks).to_pylist() == [True, False, True]
    assert any_of(masks[:1]) is masks[0]
