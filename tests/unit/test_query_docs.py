"""docs/query.md says what the language does: its examples are parsed, and asked of events."""

import re
from pathlib import Path
from typing import Any

import pytest

from armorstack.core.query.evaluate import matches
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.parse import MAX_LENGTH, parse
from armorstack.core.query.parser import MAX_DEPTH, MAX_TESTS
from armorstack.core.query.pointing import pointed
from armorstack.core.query.tree import Compare, Exists, Match, Node
from armorstack.errors import QueryError

NOW_US = 1_795_446_000_000_000
PAGE = (Path(__file__).parents[2] / "docs" / "query.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(title: str) -> list[list[str]]:
    """The cells of the section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[2:]]


def coded(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


QUERIES = [
    query
    for title in ("At a glance", "Values", "Numbers and times")
    for row in rows(title)
    for query in coded(row[0])
] + [coded(row[3])[0] for row in rows("Fields")]


def test_the_page_has_many_examples() -> None:
    assert len(QUERIES) > 50


@pytest.mark.parametrize("query", QUERIES)
def test_an_example_is_a_query(query: str) -> None:
    parse(query, NOW_US)


def test_the_example_at_the_top_is_a_query() -> None:
    parse(PAGE.split("```text\n", 1)[1].split("```", 1)[0], NOW_US)


def event(name: str, value: str) -> dict[str, Any]:
    column = QUERY_FIELDS[name].columns[-1]
    return {column: [value] if column == "atags" else value}


@pytest.mark.parametrize("row", rows("Values"), ids=lambda row: row[0])
def test_an_example_finds_what_it_says(row: list[str]) -> None:
    (query,) = coded(row[0])
    tree, name = parse(query, NOW_US), query.partition(":")[0]
    for cell, wanted in ((row[1], True), (row[2], False)):
        assert coded(cell)
        for value in coded(cell):
            assert matches(tree, event(name, value)) is wanted, value


def test_every_field_stands_with_its_sort_and_an_example_of_its_kind() -> None:
    told = {name: row[0] for row in rows("Fields") for name in coded(row[1])}
    assert told == {name: field.sort for name, field in QUERY_FIELDS.items()}
    for sort, _, _, example in rows("Fields"):
        tree: Node = parse(coded(example)[0], NOW_US)
        assert isinstance(tree, Match | Compare | Exists)
        assert QUERY_FIELDS[tree.field].sort == sort


FAULTS = section("When it is wrong").split("```")[1].removeprefix("text\n").strip().split("\n\n")


@pytest.mark.parametrize("block", FAULTS)
def test_a_fault_is_told_as_the_page_shows(block: str) -> None:
    query = block.splitlines()[0]
    with pytest.raises(QueryError) as caught:
        parse(query, NOW_US)
    error = caught.value
    assert block == f"{pointed(query, error)}\n{error}\n  hint: {error.hint}"


def test_the_limits_are_those_of_the_code() -> None:
    told = f"up to {MAX_LENGTH:,} characters, {MAX_TESTS} tests and {MAX_DEPTH} levels"
    assert told in " ".join(section("Joining").split())
