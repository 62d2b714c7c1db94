"""What is wrong with filters and matches is told with its place and what to do."""

from typing import Any

import pytest

from armorstack.config import (
    DropFilter,
    FoldFilter,
    Globs,
    KeepFilter,
    Match,
    PresetFilter,
    RedactFilter,
    RemoveFilter,
    RenameFilter,
    Select,
    SetFilter,
    SeverityRange,
    ThrottleFilter,
)
from armorstack.core.field_names import BY_NAME, field_named
from armorstack.core.fields import FIELDS
from armorstack.errors import ConfigError
from tests.support.rules import rules

FIRST = DropFilter(select=Select(pods=("x",)))


def fault(*filters: Any, match: Match | None = None) -> tuple[str, str]:
    """The sentence and the hint; a sound filter stands before the filters."""
    with pytest.raises(ConfigError) as caught:
        rules(FIRST, *filters, match=[match] if match else [])
    return str(caught.value), caught.value.hint


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        (SetFilter(fields={"pods": "x"}), "$.filter[1].fields"),
        (RemoveFilter(fields=("pods",)), "$.filter[1].fields"),
        (RenameFilter(fields={"pods": "data"}), "$.filter[1].fields"),
        (RenameFilter(fields={"data": "pods"}), "$.filter[1].fields"),
        (RedactFilter(patterns=("x",), fields=("pods",)), "$.filter[1].fields"),
        (ThrottleFilter(events=1, by=("pods",)), "$.filter[1].by"),
        (FoldFilter(by=("pods",)), "$.filter[1].by"),
    ],
)
def test_an_unknown_field_is_told_with_the_nearest_one(settings: Any, path: str) -> None:
    assert fault(settings) == (f"{path}: there is no field 'pods'", "did you mean pod?")


def test_a_name_that_is_near_to_none_is_sent_to_the_page_of_fields() -> None:
    sentence, hint = fault(RemoveFilter(fields=("qqqqqq",)))
    assert sentence == "$.filter[1].fields: there is no field 'qqqqqq'"
    assert hint == "docs/fields.md has them all"


def test_a_field_goes_by_its_search_name_kubearmors_name_and_its_column() -> None:
    for name in ("pod", "PodName", "pod_name"):
        assert field_named("$", name).column == "pod_name"


def test_a_name_means_the_field_that_a_search_by_it_looks_into() -> None:
    for field in FIELDS:
        for name in filter(None, (field.query, field.name, field.column)):
            wanted = {"pid": "HostPID", "ppid": "HostPPID"}.get(name, field.name)
            assert BY_NAME[name].name == wanted, name


@pytest.mark.parametrize("key", [key for key in Select.__struct_fields__ if key != "severity"])
@pytest.mark.parametrize("globs", [("ok", "[z-a]"), Globs(exclude=("[z-a]",))])
def test_a_wrong_range_in_a_glob_is_told_with_its_key(key: str, globs: Any) -> None:
    sentence, hint = fault(KeepFilter(select=Select(**{key: globs})))
    assert sentence == f"$.filter[1].select.{key}: '[z-a]': the range z-a is upside down"
    assert hint == "write [a-z] from low to high; a bracket itself is [[]"


def test_a_wrong_glob_of_a_match_is_told_with_the_match() -> None:
    sentence, _ = fault(match=Match(sink="one", select=Select(nodes=("[b-a]",))))
    assert sentence.startswith("$.match[0].select.nodes: ")


def test_globs_that_are_too_many_are_told_before_anything_runs() -> None:
    globs = tuple(f"*foo{number}*bar{number}*baz" for number in range(30_000))
    sentence, hint = fault(DropFilter(select=Select(resources=globs)))
    assert sentence == "$.filter[1].select.resources: these globs are too many, or too long"
    assert hint == "use fewer, or *"


def test_a_severity_range_goes_from_low_to_high() -> None:
    sentence, hint = fault(DropFilter(select=Select(severity=SeverityRange(min=7, max=3))))
    assert sentence == "$.filter[1].select.severity: min 7 is above max 3"
    assert hint == "swap them"


def test_a_tag_that_nothing_has_is_told_with_those_there_are() -> None:
    tags = (
        "tags: kubearmor.alert, kubearmor.log, kubearmor.message, kubearmor.policy_change, audit.x"
    )
    named = SetFilter(fields={"tag": "audit.x"})
    assert fault(named, DropFilter(tag="audit.y")) == (
        "$.filter[2].tag: no tag matches 'audit.y'", tags,
    )  # fmt: skip
    assert fault(named, match=Match(sink="one", tag="alert")) == (
        "$.match[0].tag: no tag matches 'alert'", tags,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a)(b", "unexpected ): a)(b"),
        ("foo)|(?:bar", "unexpected ): foo)|(?:bar"),
        ("(a", "missing ): (a"),
        ("(?=a)b", "invalid perl operator: (?="),
        (r"(a)\1", r"invalid escape sequence: \1"),
        ("[z-a]", "invalid character class range: z-a"),
        ("a{2000}", "invalid repetition size: {2000}"),
        ("a\\", "trailing \\"),
    ],
)
def test_a_pattern_that_re2_refuses_is_told_with_its_reason(pattern: str, reason: str) -> None:
    sentence, hint = fault(RedactFilter(patterns=("fine", pattern)))
    assert sentence.startswith(f"$.filter[1].patterns[1]: {pattern!r}: {reason}")
    assert "no look-around" in hint


@pytest.mark.parametrize("pattern", ["", "a*", "(x|)", "^", "$", "a?b*"])
@pytest.mark.parametrize("replacement", ["[redacted]", ""])
def test_a_pattern_that_matches_an_empty_text_is_refused(pattern: str, replacement: str) -> None:
    sentence, hint = fault(RedactFilter(patterns=(pattern,), replacement=replacement))
    assert sentence == f"$.filter[1].patterns[0]: {pattern!r} matches an empty text"
    assert hint == "use + in place of *, so that something must be there"


@pytest.mark.parametrize("replacement", [r"\1", r"x\2", "x\\", r"\x"])
def test_a_replacement_that_does_not_fit_a_pattern_is_refused(replacement: str) -> None:
    pattern = "secret" if replacement == r"\1" else "(secret)"
    sentence, hint = fault(RedactFilter(patterns=(pattern,), replacement=replacement))
    assert sentence == f"$.filter[1].replacement: {replacement!r} does not fit {pattern!r}"
    assert r"\1 is the first group" in hint


@pytest.mark.parametrize(
    "pattern", [r"\Qa.b\E", "(?i)secret", "(?s).+", "a|b", r"(?:x)\z", "пароль"]
)
def test_whatever_re2_takes_is_taken(pattern: str) -> None:
    assert rules(RedactFilter(patterns=(pattern,)))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (SetFilter(fields={"pid": "1"}), "$.filter[1].fields: pid holds no text"),
        (SetFilter(fields={"tag": "x", "ATags": "1"}), "$.filter[1].fields: ATags holds no text"),
        (RenameFilter(fields={"uid": "user"}), "$.filter[1].fields: uid holds no text"),
        (RenameFilter(fields={"user": "uid"}), "$.filter[1].fields: uid holds no text"),
        (RedactFilter(patterns=("x",), fields=("pid",)), "$.filter[1].fields: pid holds no text"),
        (ThrottleFilter(events=1, by=("pod", "tag")), "$.filter[1].by: tag holds many values"),
        (FoldFilter(by=("event_data",)), "$.filter[1].by: event_data holds many values"),
        (SetFilter(fields={}), "$.filter[1].fields: nothing to set"),
        (RemoveFilter(fields=()), "$.filter[1].fields: nothing to remove"),
        (RenameFilter(fields={}), "$.filter[1].fields: nothing to rename"),
        (RedactFilter(patterns=()), "$.filter[1].patterns: no pattern"),
        (FoldFilter(by=()), "$.filter[1].by: no field"),
        (SetFilter(fields={"tag": "a b"}), "$.filter[1].fields.tag: 'a b' is not a tag"),
        (SetFilter(fields={"tag": ""}), "$.filter[1].fields.tag: '' is not a tag"),
        (
            PresetFilter(preset="passed-noise", tag="kubearmor.log"),
            "$.filter[1].tag: a preset has its own tag",
        ),
        (
            PresetFilter(preset="own-traffic", select=Select(operations=("File",))),
            "$.filter[1].select.operations: the preset has this key itself",
        ),
    ],
)
def test_what_a_filter_cannot_do_is_refused_with_its_place(settings: Any, sentence: str) -> None:
    told, hint = fault(settings)
    assert told == sentence
    assert hint
