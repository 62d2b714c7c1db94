"""Patterns of tags mean what Fluentd's mean."""

import re

import pytest

from armorstack.core.tags import STREAM_TAGS, check_tag, matching
from armorstack.errors import ConfigError

KNOWN = (
    "kubearmor", "kubearmor.alert", "kubearmor.log", "kubearmor.alert.posture",
    "kubearmor.alert.posture.deep", "kubearmorx.alert", "audit", "a.b",
)  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("kubearmor.alert", {"kubearmor.alert"}),
        ("kubearmor.*", {"kubearmor.alert", "kubearmor.log"}),
        ("kubearmor.*.*", {"kubearmor.alert.posture"}),
        ("*", {"kubearmor", "audit"}),
        ("*.alert", {"kubearmor.alert", "kubearmorx.alert"}),
        ("*.b", {"a.b"}),
        ("kubearmor.a*", {"kubearmor.alert"}),
        ("kubearmor.*rt", {"kubearmor.alert"}),
        ("kube*.alert", {"kubearmor.alert", "kubearmorx.alert"}),
        ("**", set(KNOWN)),
        ("**.**", set(KNOWN)),
        ("kubearmor.**", {tag for tag in KNOWN if re.match(r"kubearmor(\.|$)", tag)}),
        ("kubearmor.alert.**", {tag for tag in KNOWN if tag.startswith("kubearmor.alert")}),
        ("**.alert", {"kubearmor.alert", "kubearmorx.alert"}),
        ("**.posture", {"kubearmor.alert.posture"}),
        ("**.audit", {"audit"}),
        ("kubearmor.**.posture", {"kubearmor.alert.posture"}),
        ("kubearmor.**.alert", {"kubearmor.alert"}),
        ("kubearmor.**.*", {tag for tag in KNOWN if tag.startswith("kubearmor.")}),
        ("*.**.deep", {"kubearmor.alert.posture.deep"}),
        ("kubearmor.al**", {tag for tag in KNOWN if tag.startswith("kubearmor.al")}),
        ("kubearmor.{alert,log}", {"kubearmor.alert", "kubearmor.log"}),
        ("{audit,kubearmor.*}", {"audit", "kubearmor.alert", "kubearmor.log"}),
        ("kubearmor.{alert,log}.{posture,none}", {"kubearmor.alert.posture"}),
        ("kubearmor.{log,al{ert,arm}}", {"kubearmor.alert", "kubearmor.log"}),
        ("audit a.b", {"audit", "a.b"}),
        ("  audit\t kubearmor.{log,x} ", {"audit", "kubearmor.log"}),
        ("nothing audit", {"audit"}),
    ],
)
def test_a_pattern_matches_these_tags_and_no_others(pattern: str, wanted: set[str]) -> None:
    assert matching("$.tag", pattern, KNOWN) == wanted


@pytest.mark.parametrize(
    "pattern",
    ["", "  ", "Kubearmor.alert", "kubearmor.", "kubearmor..alert", "lert", "a?b", "a.*.*"],
)
def test_a_pattern_that_matches_nothing_is_refused_with_the_tags_there_are(pattern: str) -> None:
    with pytest.raises(ConfigError) as caught:
        matching("$.match[0].tag", pattern, STREAM_TAGS)
    assert str(caught.value) == f"$.match[0].tag: no tag matches {pattern!r}"
    assert caught.value.hint == (
        "tags: kubearmor.alert, kubearmor.log, kubearmor.message, kubearmor.policy_change"
    )


@pytest.mark.parametrize("tag", ["a", "kubearmor.alert.apart", "A_b-c/d.0"])
def test_a_tag_has_parts_joined_by_dots(tag: str) -> None:
    assert check_tag("$", tag) == tag


@pytest.mark.parametrize("tag", ["", ".a", "a.", "a..b", "a b", "a*", "ä", "a\n", "a.b\n"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_tag("$.filter[0].fields.tag", tag)
    assert str(caught.value) == f"$.filter[0].fields.tag: {tag!r} is not a tag"
    assert "such as kubearmor.alert.apart" in caught.value.hint
