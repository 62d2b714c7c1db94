"""The example file: every setting is in it, it loads, and so does what it offers."""

import re
import tomllib
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from armorstack.config import Config, RelaySource, load, structs
from armorstack.config.docstrings import field_docs, struct_doc
from armorstack.config.example import example
from armorstack.config.origins import Document
from armorstack.config.places import lines_of
from armorstack.core.rules import compile_rules

TEXT = example()
OFFERED = re.sub(r"^#(?! |$)", "", TEXT, flags=re.MULTILINE)
OFFERED = re.sub(r"^#(?=    \")", "", OFFERED, flags=re.MULTILINE)


def loaded(text: str) -> Config:
    return load(Document("example.toml", text), {}, {}, also=compile_rules)


def test_the_example_loads_as_it_is_with_one_relay_and_defaults() -> None:
    config = loaded(TEXT)
    assert config == Config(data_dir=config.data_dir, source=(RelaySource("127.0.0.1:32767"),))


def test_only_what_has_no_default_is_switched_on_in_the_example() -> None:
    assert tomllib.loads(TEXT) == {
        "source": [{"type": "relay", "address": "127.0.0.1:32767"}],
        "sink": {"duckdb": {"type": "duckdb"}},
        "spool": {},
        "web": {},
        "log": {},
    }


def test_the_example_is_the_same_every_time() -> None:
    assert example() == TEXT


def test_all_that_the_example_offers_loads_together() -> None:
    config = loaded(OFFERED)
    assert kinds(config) == structs(Config)


def kinds(value: Any) -> set[type[Struct]]:
    """The structs that a tree holds."""
    if isinstance(value, Struct):
        below = [getattr(value, name) for name in value.__struct_fields__]
        return {type(value)}.union(*map(kinds, below))
    if isinstance(value, dict | tuple):
        return set().union(*map(kinds, value.values() if isinstance(value, dict) else value))
    return set()


@pytest.mark.parametrize("struct", sorted(structs(Config), key=lambda each: each.__name__))
def test_every_setting_is_in_the_example_with_its_meaning(struct: type[Struct]) -> None:
    told = " ".join(line[2:] for line in TEXT.splitlines() if line.startswith("# "))
    for name, doc in field_docs(struct).items():
        assert doc in told, f"{struct.__name__}.{name}"
    tree = tomllib.loads(OFFERED)
    tables = list(tables_of(tree))
    wanted = {field.encode_name for field in msgspec.structs.fields(struct)}
    assert any(wanted <= set(table) for table in tables)


def tables_of(value: Any) -> Any:
    """Every table of a tree."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            yield from tables_of(each)


def test_values_of_the_example_are_the_defaults() -> None:
    config = loaded(OFFERED)
    assert config.spool == Config().spool
    assert config.web == Config().web
    assert config.log == Config().log
    assert config.sink["duckdb"] == Config().sink["duckdb"]
    assert config.source[0] == RelaySource("127.0.0.1:32767", tls=config.source[0].tls)  # type: ignore[union-attr]


@pytest.mark.parametrize("struct", sorted(structs(Config), key=lambda each: each.__name__))
def test_every_setting_has_a_docstring(struct: type[Struct]) -> None:
    assert struct_doc(struct)
    assert [name for name, doc in field_docs(struct).items() if not doc] == []


class Base(Struct, kw_only=True):
    one: int = 1
    """One."""
    two: int = 2
    """Two."""


class Derived(Base, kw_only=True):
    two: int = 2
    r"""Two, \1
    on two lines."""
    three: int = 3


def test_docstrings_of_bases_are_taken_and_those_of_the_struct_win() -> None:
    assert field_docs(Derived) == {"one": "One.", "two": r"Two, \1 on two lines.", "three": ""}


def test_lines_are_found_in_the_whole_example() -> None:
    lines = OFFERED.splitlines()
    for path, number in lines_of(OFFERED).items():
        name = re.sub(r"\[\d+\]$", "", path).rpartition(".")[2]
        assert name in lines[number - 1] or path.endswith("]"), path
