"""Which tests are left for groups of events."""

import pytest

from armorstack.core.query.parse import parse
from armorstack.core.query.tree import EVERYTHING, Exists, Not, all_of
from armorstack.store.duckdb.late import columns_of, parted


def split(text: str, *columns: str) -> tuple[object, object, tuple[str, ...]]:
    early, late, more = parted(parse(text, 0), columns)
    return early, late, more


def test_a_test_of_the_action_waits_for_the_groups_and_these_are_told_apart_by_it() -> None:
    early, late, more = split("stream:alert and action:Block")
    assert (early, late, more) == (parse("stream:alert", 0), parse("action:Block", 0), ("action",))


def test_what_takes_little_away_waits_where_the_groups_have_its_columns() -> None:
    text = "stream:alert and not policy:DefaultPosture"
    assert split(text, "policy_name") == (
        parse("stream:alert", 0), parse("not policy:DefaultPosture", 0), (),
    )  # fmt: skip
    assert split(text) == (parse(text, 0), EVERYTHING, ())


def test_what_leaves_little_is_tested_first() -> None:
    text = "stream:alert and policy:mine"
    assert split(text, "policy_name") == (parse(text, 0), EVERYTHING, ())


def test_a_group_with_a_name_is_told_from_one_without() -> None:
    early, late, more = parted(all_of([parse("stream:alert", 0), Exists("pod")]), ["pod_name"])
    assert (early, late, more) == (parse("stream:alert", 0), Exists("pod"), ())


def test_conditions_within_others_are_found() -> None:
    nested = all_of([all_of([parse("namespace:a", 0), parse("not action:Block", 0)]), EVERYTHING])
    early, late, more = parted(nested, ())
    assert (early, late) == (parse("namespace:a", 0), parse("not action:Block", 0))
    assert more == ("action",)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("action:Block", {"action"}),
        ("action:Block or severity>3", {"action", "severity"}),
        ('"some words"', set()),
        ('action:Block or "some words"', set()),
        ("owner:web", {"owner_name", "owner_ref"}),
    ],
)
def test_the_columns_that_decide(text: str, columns: set[str]) -> None:
    assert columns_of(parse(text, 0)) == columns
    assert columns_of(Not(parse(text, 0))) == columns
