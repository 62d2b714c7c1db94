"""A compiled select means what it says, event by event, however the batch lies in memory."""

import re
from collections import Counter
from collections.abc import Callable
from random import Random
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armorstack.config import Globs, Select, SeverityRange
from armorstack.core import globs as globs_module
from armorstack.core import select as select_module
from armorstack.core.select import Columns, compile_select
from armorstack.errors import ConfigError
from tests.support.rules import events
from tests.support.selects import (
    KEYS,
    LONG,
    Case,
    Chance,
    cases,
    glob_matches,
    holds,
    is_selected,
    made_case,
    means_nothing,
)


def wanted(case: Case) -> list[bool]:
    return [is_selected(case.select, event) for event in case.rows.to_pylist()]


def told(case: Case, module: Any = select_module) -> list[bool | None]:
    mask = module.compile_select(case.select, "$").mask(module.Columns(case.rows))
    assert mask.type == pa.bool_()
    return list(mask.to_pylist())


@settings(max_examples=150)
@given(cases())
def test_a_compiled_select_equals_the_plain_evaluation(case: Case) -> None:
    if means_nothing(case.select):
        with pytest.raises(ConfigError, match="upside down"):
            compile_select(case.select, "$")
    else:
        assert told(case) == wanted(case)


@given(cases(), cases())
@settings(max_examples=30)
def test_several_selects_may_ask_the_same_columns(first: Case, second: Case) -> None:
    case = Case(second.select, first.rows, first.how)
    if means_nothing(first.select) or means_nothing(second.select):
        return
    columns = Columns(first.rows)
    for _ in range(2):
        for select, rows in ((first.select, first), (second.select, case)):
            assert compile_select(select, "$").mask(columns).to_pylist() == wanted(
                Case(select, rows.rows, rows.how)
            )


pieces = st.text(st.sampled_from("ab]-![*"), max_size=6)
brackets = pieces.map("[{}]*".format) | st.text(st.sampled_from("ab*?[]!-"), max_size=8)


@settings(max_examples=150)
@given(brackets, st.lists(pieces, min_size=1, max_size=6))
def test_brackets_mean_the_same_wherever_they_stand(glob: str, values: list[str]) -> None:
    select = Select(pods=(glob,))
    if means_nothing(select):
        with pytest.raises(ConfigError, match="upside down"):
            compile_select(select, "$")
        return
    rows = events([{"pod_name": value} for value in values])
    assert told(Case(select, rows, "")) == [glob_matches(glob, value) for value in values]


Known = tuple[Case, list[bool]]


@pytest.fixture(scope="module")
def many() -> list[Known]:
    """The same cases each time, that mean something, with what is wanted."""
    chance = Random(4)
    found = [made_case(Chance(chance.randrange)) for _ in range(800)]
    return [(case, wanted(case)) for case in found if not means_nothing(case.select)]


def answers(many: list[Known]) -> Counter[tuple[str, str, bool]]:
    """How often each part of each key gave each answer."""
    seen: Counter[tuple[str, str, bool]] = Counter()
    for case, _ in many:
        given_keys = [key for key in KEYS if getattr(case.select, key)]
        for event in case.rows.to_pylist() * bool(given_keys):
            for key in given_keys:
                part = getattr(case.select, key)
                if isinstance(part, SeverityRange):
                    seen[key, "range", holds(key, part, event)] += 1
                elif isinstance(part, Globs):
                    for name in ("include", "exclude"):
                        if globs := getattr(part, name):
                            alone = Globs(**{name: globs})
                            seen[key, name, holds(key, alone, event)] += 1
                else:
                    seen[key, "list", holds(key, part, event)] += 1
    return seen


def test_the_generator_gives_every_part_of_every_key_both_answers(many: list[Known]) -> None:
    seen = answers(many)
    ways = ("list", "include", "exclude")
    parts = [(key, way) for key in KEYS if key != "severity" for way in ways]
    for key, part in [*parts, ("severity", "range")]:
        both = seen[key, part, True], seen[key, part, False]
        assert min(both) >= 3, (key, part, both)


def test_the_generator_covers_what_the_plain_evaluation_must_hold_for(many: list[Known]) -> None:
    seen: Counter[str] = Counter()
    for case, _ in many:
        seen[case.how] += 1
        seen[f"{min(len(case.rows), 2)} rows"] += 1
        values = [value for event in case.rows.to_pylist() for value in event.values()]
        seen["long"] += any(isinstance(value, str) and len(value) >= 9000 for value in values)
        seen["empty"] += "" in values
        seen["empty list"] += [] in values
        seen["line"] += any(isinstance(value, str) and "\n" in value for value in values)
        seen["non-BMP"] += any(isinstance(value, str) and "😀" in value for value in values)
        globs = re.findall(r"'(.*?)'", str(case.select))
        for mark in ("*", "?", "[!", "[", "**"):
            seen[mark] += any(mark in glob for glob in globs)
        seen["mixed case"] += any(glob.lower() != glob for glob in globs)
    assert all(seen[name] >= 10 for name in (*seen, "0 rows", "1 rows", "2 rows")), seen
    assert {"whole", "sliced", "filtered", "joined", "values behind nulls"} < seen.keys()


MUTANTS: dict[str, tuple[ModuleType, str, str]] = {
    "an absent text stays null": (
        select_module, 'pc.fill_null(self._raw(name), "")', "self._raw(name)"),
    "an absent text is a blank": (
        select_module, 'pc.fill_null(self._raw(name), "")', 'pc.fill_null(self._raw(name), " ")'),
    "words keep their case": (
        select_module, "pc.ascii_lower(self.text(name))", "self.text(name)"),
    "words lose the case of all of Unicode": (
        select_module, "pc.ascii_lower(self.text(name))", "pc.utf8_lower(self.text(name))"),
    "globs for words keep their case": (
        select_module, "ignore_case = key in WORDS", "ignore_case = False"),
    "names lose their case": (
        select_module, "globs.mask(columns.text(name)) for", "globs.mask(columns.word(name)) for"),
    "keys are or-ed": (
        select_module, "pc.and_(result, test(columns))", "pc.or_(result, test(columns))"),
    "only the first key counts": (
        select_module, "in self._tests[1:]", "in self._tests[1:1]"),
    "exclude is forgotten": (
        select_module, "    if exclude:\n", "    if False:\n"),
    "exclude is not turned round": (
        select_module, "pc.invert(asked(columns))", "asked(columns)"),
    "include is forgotten where there is an exclude": (
        select_module, "if include else []", "if include and not exclude else []"),
    "a list means exclude": (
        select_module, "Globs(include=value)", "Globs(exclude=value)"),
    "only the first column of a key is asked": (
        select_module, "for name in TEXTS[key]", "for name in TEXTS[key][:1]"),
    "only what was done is asked": (
        select_module, '("done", "action")', '("done",)'),
    "only the action as written is asked": (
        select_module, '("done", "action")', '("action",)'),
    "done and intended are swapped": (
        select_module, '0 if name == "done" else 1', '1 if name == "done" else 0'),
    "labels are not split": (
        select_module, 'pc.split_pattern(self.text(name), ",")',
        'pc.split_pattern(self.text(name), "\\0")'),
    "no tags match nothing": (
        select_module, "return pc.or_(found, none)", "return found"),
    "no tags match everything": (
        select_module, 'if globs.mask(pa.array([""]))[0].as_py():', "if True:"),
    "an empty list of tags is not a null one": (
        select_module, "pc.fill_null(pc.list_value_length(lists), 0)",
        "pc.list_value_length(lists)"),
    "values behind a null list count": (
        select_module, "lists.take(self.numbers()) if lists.null_count else lists", "lists"),
    "kind and name are joined by a dot": (
        select_module, '(kind, name, "/")', '(kind, name, ".")'),
    "an owner without a kind has no path": (
        select_module, "pc.if_else(both, pc.binary_join_element_wise(kind, name, \"/\"), name)",
        "pc.binary_join_element_wise(kind, name, \"/\")"),
    "the least severity is outside": (
        select_module, "pc.greater_equal(number", "pc.greater(number"),
    "the highest severity is outside": (
        select_module, "pc.less_equal(number", "pc.less(number"),
    "no severity is in every range": (
        select_module, "pc.fill_null(inside, False)", "pc.fill_null(inside, True)"),
    "severity is what its first digits say": (
        select_module, r"{1,9}\z", "{1,9}"),
    "parents are processes": (
        select_module, '("parent_process_name",)', '("process_name",)'),
    "a dot ends at a line": (
        globs_module, "(?s)", ""),
    "a glob need not begin at the beginning": (
        globs_module, r"\A(?:", "(?:"),
    "a glob need not end at the end": (
        globs_module, r")\z", ")"),
    "choices are not held together": (
        globs_module, "(?:{'|'.join(map(regex, globs))})", "{'|'.join(map(regex, globs))}"),
    "a prefix is a suffix": (
        globs_module, "pc.starts_with", "pc.ends_with"),
    "a suffix is a part": (
        globs_module, "pc.ends_with", "pc.match_substring"),
    "a part is a prefix": (
        globs_module, "pc.match_substring(values, text)", "pc.starts_with(values, text)"),
    "only the first mask counts": (
        globs_module, "in masks[1:]", "in masks[1:1]"),
    "masks are and-ed": (
        globs_module, "pc.or_(result, mask)", "pc.and_(result, mask)"),
    "a star alone is nothing": (
        globs_module, "return pa.repeat(pa.scalar(True)", "return pa.repeat(pa.scalar(False)"),
    "an empty glob is everything": (
        globs_module, "if not SPECIAL.search(glob):", "if glob and not SPECIAL.search(glob):"),
    "a question mark may be nothing": (
        globs_module, '"?": "."', '"?": ".?"'),
    "a star is at least one": (
        globs_module, '"*": ".*"', '"*": ".+"'),
    "others are not escaped": (
        globs_module, "or re.escape(char)", "or char"),
    "a class is never negated": (
        globs_module, "'^' if negated else ''", "''"),
    "an exclamation mark is one of the characters": (
        globs_module, "chars = inner[negated:]", "chars = inner"),
    "a bracket in the first place closes": (
        globs_module, 'glob.find("]", first + 1)', 'glob.find("]", first)'),
    "a range is its ends": (
        globs_module, r"}}-\x{{{ord(high):x}}}", r"}}\x{{{ord(high):x}}}"),
    "a range is its beginning": (
        globs_module, "high = chars[at + 1]", "high = low"),
    "globs of words lose the case of all of Unicode": (
        globs_module, "text.translate(_ASCII_LOWER)", "text.lower()"),
    "Z keeps its case": (
        globs_module, 'ord("Z") + 1', 'ord("Z")'),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutated_compiler_is_found_out(name: str, many: list[Known]) -> None:
    mutant = mutated(*MUTANTS[name])
    assert any(is_wrong(case, right, mutant) for case, right in many)


def mutated(module: ModuleType, old: str, new: str) -> ModuleType:
    """`core.select` with one place of it, or of `core.globs`, written anew."""
    made = _made(module, lambda source: _replaced(source, old, new))
    if module is select_module:
        return made
    over = _made(select_module, lambda source: source)
    for name in ("GlobFault", "Plan", "any_of", "plan"):
        setattr(over, name, getattr(made, name))
    return over


def _made(module: ModuleType, change: Callable[[str], str]) -> ModuleType:
    assert module.__file__ is not None
    with open(module.__file__) as file:
        source = change(file.read())
    made = ModuleType(module.__name__)
    exec(compile(source, module.__file__, "exec"), made.__dict__)
    return made


def _replaced(source: str, old: str, new: str) -> str:
    assert source.count(old) == 1, f"this mutant needs a new place: {old}"
    return source.replace(old, new)


def is_wrong(case: Case, right: list[bool], module: Any) -> bool:
    try:
        return told(case, module) != right
    except (ConfigError, pa.ArrowException):
        return True


def test_without_a_key_every_event_is_meant() -> None:
    selector = compile_select(Select(), "$")
    assert selector.takes_all
    assert selector.mask(Columns(events([{}, {}]))).to_pylist() == [True, True]
    assert selector.mask(Columns(events([]))).to_pylist() == []


def test_a_long_value_costs_no_more_than_its_length() -> None:
    rows = events([{"resource": LONG * 20}, {"resource": LONG}])
    selector = compile_select(Select(resources=("*a*B*a*B*a*B*a*B*a*y",)), "$")
    assert selector.mask(Columns(rows)).to_pylist() == [False, False]
