"""A select, compiled once and asked over whole batches.

Invariant: this is the only place that knows what a select means; filters, matches, sinks and
suggestions all ask it. An absent value counts as an empty text, an event without tags or labels as
one with a single empty one. Case is ignored for KubeArmor's own vocabulary only: names and paths
are told apart by case, or an attacker could hide behind a filter.
"""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.config import Globs, Select, SeverityRange
from armorstack.core.ecs.verdict import actions
from armorstack.core.globs import GlobFault, Plan, any_of, plan
from armorstack.errors import ConfigError

Test = Callable[["Columns"], pa.BooleanArray]

TEXTS: dict[str, tuple[str, ...]] = {
    "clusters": ("cluster_name",),
    "nodes": ("host_name",),
    "namespaces": ("namespace_name",),
    "pods": ("pod_name",),
    "owners": ("owner_name", "owner_path"),
    "containers": ("container_name",),
    "images": ("container_image",),
    "policies": ("policy_name",),
    "processes": ("process_name",),
    "parents": ("parent_process_name",),
    "sources": ("source",),
    "resources": ("resource",),
}
"""Key → what its globs may match, either of them; exact case."""
WORDS: dict[str, tuple[str, ...]] = {
    "types": ("type",),
    "operations": ("operation",),
    "actions": ("done", "action"),
    "intended_actions": ("intended",),
    "results": ("result",),
}
"""The same for KubeArmor's vocabulary; case is ignored."""
LISTS: dict[str, str] = {"labels": "labels", "tags": "atags"}
"""Key → the list any element of which its globs may match."""


class Columns:
    """The columns of one batch as selects ask for them, each prepared once."""

    def __init__(self, rows: pa.RecordBatch) -> None:
        self.rows = rows
        self._made: dict[str, pa.Array] = {}

    def text(self, name: str) -> pa.Array:
        """A column, or one of `owner_path`, `done`, `intended`, with empty texts for nulls."""
        return self._once(name, lambda: pc.fill_null(self._raw(name), ""))

    def word(self, name: str) -> pa.Array:
        """The same in lower case (ASCII)."""
        return self._once(f"lower {name}", lambda: pc.ascii_lower(self.text(name)))

    def lists(self, name: str) -> pa.ListArray:
        """The labels or tags of each row; a null or an empty list where there are none."""
        if name == "labels":
            return self._once("label lists", lambda: pc.split_pattern(self.text(name), ","))
        return self._once(name, lambda: self._compact(self.rows.column(name)))

    def severity(self) -> pa.Array:
        """Severity as a number, null where there is none."""
        return self._once("severity number", self._severity)

    def numbers(self) -> pa.Array:
        """0, 1, 2 …, one per row."""
        return self._once("numbers", lambda: pa.array(range(len(self.rows)), pa.int64()))

    def _compact(self, lists: pa.ListArray) -> pa.ListArray:
        """The same lists; behind a null one there may be values, which then are gone."""
        return lists.take(self.numbers()) if lists.null_count else lists

    def _raw(self, name: str) -> pa.Array:
        if name == "owner_path":
            return self._owner_path()
        if name in ("done", "intended"):
            return self._action(0 if name == "done" else 1)
        return self.rows.column(name)

    def _owner_path(self) -> pa.Array:
        """`Kind/Name`; the name alone where either is absent."""
        kind, name = self.text("owner_ref"), self.text("owner_name")
        both = pc.and_(pc.not_equal(kind, ""), pc.not_equal(name, ""))
        return pc.if_else(both, pc.binary_join_element_wise(kind, name, "/"), name)

    def _action(self, part: int) -> pa.Array:
        """What was done or intended, taken apart once per distinct Action."""
        encoded = self.text("action").dictionary_encode()
        parts = [actions(written)[part] for written in encoded.dictionary.to_pylist()]
        return pa.array(parts, pa.string()).take(encoded.indices)

    def _severity(self) -> pa.Array:
        column = self.rows.column("severity")
        is_number = pc.match_substring_regex(column, r"\A[0-9]{1,9}\z")
        return pc.if_else(is_number, column, pa.scalar(None, pa.string())).cast(pa.int32())

    def _once(self, key: str, make: Callable[[], pa.Array]) -> pa.Array:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


class Selector:
    """A compiled select."""

    def __init__(self, tests: Sequence[Test]) -> None:
        self._tests = tuple(tests)

    @property
    def takes_all(self) -> bool:
        """Whether it has no key, and so means every event."""
        return not self._tests

    def mask(self, columns: Columns) -> pa.BooleanArray:
        """Which rows are meant; no nulls."""
        if not self._tests:
            return pa.repeat(pa.scalar(True), len(columns.rows))
        result = self._tests[0](columns)
        for test in self._tests[1:]:
            if not result.true_count:
                break
            result = pc.and_(result, test(columns))
        return result


def compile_select(select: Select, path: str) -> Selector:
    """The select behind this path of the settings; raises `ConfigError` for a wrong glob."""
    tests: list[Test] = []
    for key in select.__struct_fields__:
        value = getattr(select, key)
        if isinstance(value, SeverityRange):
            tests.append(_severity_test(value, f"{path}.{key}"))
        elif value:
            globs = value if isinstance(value, Globs) else Globs(include=value)
            tests += _glob_tests(key, globs, f"{path}.{key}")
    return Selector(tests)


def _severity_test(span: SeverityRange, path: str) -> Test:
    if span.min > span.max:
        raise ConfigError(f"{path}: min {span.min} is above max {span.max}", hint="swap them")

    def test(columns: Columns) -> pa.BooleanArray:
        number = columns.severity()
        inside = pc.and_(pc.greater_equal(number, span.min), pc.less_equal(number, span.max))
        return pc.fill_null(inside, False)

    return test


def _glob_tests(key: str, globs: Globs, path: str) -> list[Test]:
    ignore_case = key in WORDS
    try:
        include = plan(globs.include, ignore_case=ignore_case) if globs.include else None
        exclude = plan(globs.exclude, ignore_case=ignore_case) if globs.exclude else None
    except GlobFault as error:
        raise ConfigError(f"{path}: {error}", hint=error.hint) from error
    tests = [_asker(key, include)] if include else []
    if exclude:
        asked = _asker(key, exclude)
        tests.append(lambda columns: pc.invert(asked(columns)))
    return tests


def _asker(key: str, globs: Plan) -> Test:
    """Whether any of the values that the key speaks of matches."""
    if key in LISTS:
        return lambda columns: _any_element(columns, LISTS[key], globs)
    if key in WORDS:
        return lambda columns: any_of([globs.mask(columns.word(name)) for name in WORDS[key]])
    return lambda columns: any_of([globs.mask(columns.text(name)) for name in TEXTS[key]])


def _any_element(columns: Columns, name: str, globs: Plan) -> pa.BooleanArray:
    lists = columns.lists(name)
    hits = globs.mask(pc.fill_null(pc.list_flatten(lists), ""))
    rows = pc.list_parent_indices(lists).filter(hits)
    found = pc.is_in(columns.numbers(), value_set=rows.cast(pa.int64()))
    if globs.mask(pa.array([""]))[0].as_py():
        none = pc.equal(pc.fill_null(pc.list_value_length(lists), 0), 0)
        return pc.or_(found, none)
    return found
