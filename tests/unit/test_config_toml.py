"""Values and trees as TOML text."""

import tomllib
from typing import Any

import pytest

from armorstack.config import toml

WRITTEN = {
    r"\S+": r"'\S+'",
    r"it's \d": r'"it' + r"'" + r's \\d"',
    "\\\n": '"\\\\\\u000A"',
    'say "x"': r'"say \"x\""',
    "größe": '"größe"',
    "\u202e\U000e0041": '"\\u202E\\U000E0041"',
    True: "true",
    9999: "9999",
    10_000: "10_000",
    -67_108_864: "-67_108_864",
    1e15: "1000000000000000.0",
    1e22: "1e+22",
}


@pytest.mark.parametrize("value", WRITTEN)
def test_a_value_is_written_as_a_person_would(value: Any) -> None:
    assert toml.value(value) == WRITTEN[value]
    assert tomllib.loads(f"x = {toml.value(value)}")["x"] == value


def test_what_no_text_can_say_is_written_as_the_sign_for_it() -> None:
    assert toml.value("a\udcff") == '"a\\uFFFD"'


def test_long_lists_and_tables_take_several_lines() -> None:
    long = [f"/usr/share/{number:03}/*" for number in range(9)]
    text = toml.document({"filter": [{"type": "drop", "select": {"resources": long}}]})
    assert text.splitlines()[:5] == [
        "[[filter]]",
        'type = "drop"',
        "",
        "[filter.select]",
        "resources = [",
    ]
    assert all(len(line) <= toml.WIDTH for line in text.splitlines())
    assert tomllib.loads(text)["filter"][0]["select"]["resources"] == long


def test_names_that_are_no_bare_keys_are_quoted() -> None:
    assert toml.document({"sink": {"a.b": {"x": 1}}}) == '[sink."a.b"]\nx = 1\n'
