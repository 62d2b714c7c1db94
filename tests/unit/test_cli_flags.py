"""Flags of commands as a question: exact values, globs, negations, numbers."""

import pytest

from armorstack.core.query.evaluate import matches
from armorstack.core.query.flags import with_flags
from armorstack.core.query.question import Pick, Question
from armorstack.core.query.tree import Free
from armorstack.store.contract import Row

CART: Row = {"namespace_name": "shop", "pod_name": "cart-1", "severity": "7"}
ODD: Row = {"namespace_name": "!shop", "pod_name": "a[b]*", "severity": "x"}


def fits(row: Row, **flags: tuple[str, ...]) -> bool:
    return matches(with_flags(Question(), flags).tree(), row)


def test_a_value_is_taken_as_it_is_and_becomes_a_pick() -> None:
    found = with_flags(Question(), {"pod": ("cart-1", "web [1]"), "node": ()})
    assert found == Question(picks=(Pick("pod", ("cart-1", "web [1]")),))


@pytest.mark.parametrize(
    ("flags", "cart", "odd"),
    [
        ({"pod": ("cart-1",)}, True, False),
        ({"pod": ("cart",)}, False, False),
        ({"pod": ("cart-*",)}, True, False),
        ({"pod": ("car?-1",)}, True, False),
        ({"pod": ("a[b]?",)}, False, True),
        ({"pod": ("!cart-*",)}, False, True),
        ({"pod": ("!cart-1",)}, False, True),
        ({"pod": ("web", "cart-*")}, True, False),
        ({"pod": ("!web", "!cart-*")}, False, True),
        ({"namespace": ("!shop",)}, False, True),
        ({"namespace": ("\\!shop",)}, False, True),
        ({"namespace": ("!\\!shop",)}, True, False),
        ({"severity": ("7",)}, True, False),
        ({"severity": ("5..8",)}, True, False),
        ({"severity": ("8..",)}, False, False),
        ({"severity": ("!7",)}, False, True),
        ({"namespace": ("shop",), "pod": ("web*",)}, False, False),
    ],
)
def test_flags_mean_what_they_say(flags: dict[str, tuple[str, ...]], cart: bool, odd: bool) -> None:
    assert (fits(CART, **flags), fits(ODD, **flags)) == (cart, odd)


def test_flags_narrow_what_the_query_asks() -> None:
    found = with_flags(Question(Free("curl"), start_us=5), {"pod": ("a*",), "node": ("n",)})
    assert (found.start_us, found.picks) == (5, (Pick("node", ("n",)),))
    assert not matches(found.tree(), {"pod_name": "ab", "host_name": "n"})
    assert matches(found.tree(), {"pod_name": "ab", "host_name": "n", "resource": "/bin/curl"})


def test_a_number_that_is_none_is_told_with_its_field() -> None:
    with pytest.raises(ValueError, match="'high' is no number") as caught:
        with_flags(Question(), {"severity": ("high",)})
    assert caught.value.args[1] == "severity"
