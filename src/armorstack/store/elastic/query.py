"""The tree of a query as a condition of the query DSL of Elasticsearch and OpenSearch.

Invariant: a condition holds for just those documents of whose event `core/query/evaluate.py` says
so, as far as their values are indexed: one of more than `LONGEST` characters exists, and matches
no other test. Every condition stands in filter context, so nothing is scored. Must not go here:
which indices are asked; spans of time.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from armorstack.core.ecs.exact import LONGEST, is_long, key_text, pair
from armorstack.core.globs import SPECIAL, GlobFault
from armorstack.core.globs import lower as lower_text
from armorstack.core.ids import text as stored_id
from armorstack.core.query.event_id import decode_id
from armorstack.core.query.names import FREE_TEXT, QUERY_FIELDS, QueryField
from armorstack.core.query.patterns import text_test
from armorstack.core.query.tree import (
    And,
    Compare,
    Everything,
    Exists,
    Free,
    Match,
    Node,
    Not,
    Or,
)
from armorstack.store.elastic.expression import AS_IT_IS, LOWER, of_glob, of_text
from armorstack.store.elastic.fields import LABELS_WRITTEN, LONG, STREAMS, path_of, paths_of

Condition: TypeAlias = dict[str, Any]

_LONG = 1 << 63
_RANGES = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
NOTHING: Condition = {"match_none": {}}
EVERYTHING: Condition = {"match_all": {}}
MOST_STATES = 50_000
"""About so many states all patterns of a query may have together: an engine builds them in memory
that nothing bounds, and a kilobyte each has killed servers."""
LONGEST_EXPRESSION = 1000
"""Characters of a regular expression that both engines take (`index.max_regex_length`)."""


def condition(node: Node) -> Condition:
    """The condition. Raises GlobFault where a glob means nothing, or too much."""
    match node:
        case Everything():
            return EVERYTHING
        case And(nodes):
            return all_of(map(condition, nodes))
        case Or(nodes):
            return any_of(map(condition, nodes))
        case Not(inner):
            return none_of(condition(inner))
        case Match():
            return _match(node)
        case Compare():
            return _compare(path_of(QUERY_FIELDS[node.field].columns[0]), node)
        case Exists():
            return _exists(node)
        case Free():
            return _free(node)


def states(asked: Any) -> int:
    """About how many states an engine builds for the patterns of a condition."""
    if isinstance(asked, list):
        return sum(map(states, asked))
    if not isinstance(asked, dict):
        return 0
    found = 0
    for name, inner in asked.items():
        if name in ("wildcard", "regexp"):
            found += sum(_states(pattern["value"]) for pattern in inner.values())
        else:
            found += states(inner)
    return found


def _states(pattern: str) -> int:
    """What follows a star and may be anything doubles them."""
    _, star, behind = pattern.partition("*")
    loose = len(re.findall(r"\?|\.(?!\*)|\[", behind)) if star else 0
    return len(pattern) << min(loose, 13)


def all_of(conditions: Iterable[Condition]) -> Condition:
    """All of them hold."""
    kept = [each for each in conditions if each != EVERYTHING]
    if len(kept) < 2:
        return kept[0] if kept else EVERYTHING
    return {"bool": {"filter": kept}}


def any_of(conditions: Iterable[Condition]) -> Condition:
    """One of them holds; of none: nothing does."""
    kept = list(conditions)
    if len(kept) < 2:
        return kept[0] if kept else NOTHING
    return {"bool": {"should": kept, "minimum_should_match": 1}}


def none_of(*conditions: Condition) -> Condition:
    """None of them holds."""
    return {"bool": {"must_not": list(conditions)}}


def has_value(column: str) -> Condition:
    """The column, or the derived one, has a value, also one that is too long to be indexed."""
    if column == "id":
        return EVERYTHING
    is_long = [{"term": {LONG: name}} for name in _LONG_IN.get(column, (column,))]
    return any_of([{"exists": {"field": path_of(column)}}, *is_long])


_LONG_IN: dict[str, tuple[str, ...]] = {"done": ("action",), "intended": (), "owner_path": ()}
"""Derived column → where a value that is too long is told of it."""


def between(path: str, start: int | None, end: int | None) -> Condition:
    """The number lies in this span, the end exclusive."""
    bounds = {"gte": start, "lt": end}
    kept = {name: _clamped(value) for name, value in bounds.items() if value is not None}
    return {"range": {path: kept}} if kept else EVERYTHING


def _clamped(value: int) -> int:
    return max(-_LONG, min(value, _LONG - 1))


# --- texts ---


def _match(node: Match) -> Condition:
    field = QUERY_FIELDS[node.field]
    if field.name == "stream":
        return _match_stream(node)
    wanted = [text for text in node.texts if text]
    found = [_of(field, node.key, wanted, node.exact)] if wanted else []
    if node.exact and len(wanted) < len(node.texts):
        found.append(none_of(_exists(Exists(node.field, node.key))))
    return any_of(found)


def _match_stream(node: Match) -> Condition:
    """There are three, so it is known beforehand which are meant."""
    test = text_test(node.texts, exact=node.exact, ignore_case=True)
    datasets = [dataset for dataset, stream in STREAMS.items() if test(stream)]
    found: list[Condition] = [{"terms": {"event.dataset": datasets}}] if datasets else []
    if node.exact and "" in node.texts:
        found.append(none_of({"terms": {"event.dataset": list(STREAMS)}}))
    return any_of(found)


def _of(field: QueryField, key: str, wanted: Sequence[str], exact: bool) -> Condition:
    """One of the field's values is one of these texts, or matches one as a glob."""
    if field.sort == "id":
        return _ids(wanted, exact)
    if field.sort == "map":
        return _of_map(path_of(field.columns[0]), key, wanted, exact)
    if not exact and not all(text.strip("*") for text in wanted):
        return any_of(map(has_value, field.columns))
    ignore_case = field.sort == "word"
    tests = _tests([lower_text(text) for text in wanted] if ignore_case else wanted, exact)
    return any_of(each(path, ignore_case) for path in paths_of(field) for each in tests)


Test: TypeAlias = Callable[[str, bool], Condition]


def _tests(wanted: Sequence[str], exact: bool) -> list[Test]:
    """Tests of a path, each whether or not case counts."""
    plain = [text for text in wanted if exact or not SPECIAL.search(text)]
    globs = [] if exact else [text for text in wanted if SPECIAL.search(text)]
    found: list[Test] = [lambda path, ignore_case: _equal(path, plain, ignore_case)]
    found = found if plain else []
    return [*found, *(_glob_test(glob) for glob in globs)]


def _equal(path: str, texts: Sequence[str], ignore_case: bool) -> Condition:
    # No value of that length is indexed, and an engine may refuse to look for one.
    texts = [text for text in texts if not is_long(text)]
    if not ignore_case:
        return {"terms": {path: list(texts)}}
    return any_of(
        {"term": {path: {"value": text, "case_insensitive": True}}} for text in texts
    )  # fmt: skip


def _glob_test(glob: str) -> Test:
    if "[" not in glob:
        return lambda path, ignore_case: _wildcard(path, glob, ignore_case)
    return lambda path, ignore_case: _regexp(path, _expression(glob, ignore_case))


def _expression(glob: str, ignore_case: bool) -> str:
    return of_glob(glob, LOWER if ignore_case else AS_IT_IS)


def _wildcard(path: str, glob: str, ignore_case: bool) -> Condition:
    if len(glob) - glob.count("*") > LONGEST:
        return NOTHING
    value: Condition = {"value": glob.replace("\\", "\\\\")}
    return {"wildcard": {path: value | ({"case_insensitive": True} if ignore_case else {})}}


def _regexp(path: str, expression: str) -> Condition:
    if len(expression) > LONGEST_EXPRESSION:
        raise GlobFault("a glob with [ ] is too long for the engine", "use * in place of a part")
    return {"regexp": {path: {"value": expression, "flags": "NONE"}}}


def _ids(wanted: Sequence[str], exact: bool) -> Condition:
    """An engine finds the id of a document as a whole or not at all."""
    globs = [] if exact else [text for text in wanted if SPECIAL.search(text)]
    if any(not glob.strip("*") for glob in globs):
        return EVERYTHING
    if globs:
        raise GlobFault("a search engine knows no patterns of ids", "write the whole id")
    ids = [stored_id(digest) for text in wanted if (digest := decode_id(text))]
    return {"ids": {"values": ids}} if ids else NOTHING


def _of_map(path: str, key: str, wanted: Sequence[str], exact: bool) -> Condition:
    """Of a map each pair is one text; a value is what stands behind its first `=`."""
    if key and exact:
        return {"terms": {path: [pair(key, text) for text in wanted]}}
    head = of_text(f"{key_text(key)}=") if key else "[^\\=]*\\="
    found = []
    for text in wanted:
        is_plain = exact or not SPECIAL.search(text)
        value = of_text(text) if is_plain else of_glob(text, AS_IT_IS)
        # An empty value is none, and is not there.
        found.append(_regexp(path, head + value))
    return any_of(found)


# --- the others ---


def _exists(node: Exists) -> Condition:
    field = QUERY_FIELDS[node.field]
    if node.key:
        return {"prefix": {path_of(field.columns[0]): f"{key_text(node.key)}="}}
    if field.sort in ("number", "time"):
        return {"exists": {"field": path_of(field.columns[0])}}
    return any_of(map(has_value, field.columns))


def _compare(path: str, node: Compare) -> Condition:
    if not -_LONG <= node.value < _LONG:
        # Beyond every number: greater than all, or less than all.
        holds = node.operator.startswith("<" if node.value > 0 else ">")
        return {"exists": {"field": path}} if holds else NOTHING
    if node.operator == "=":
        return {"term": {path: node.value}}
    return {"range": {path: {_RANGES[node.operator]: node.value}}}


def _free(node: Free) -> Condition:
    sought = lower_text(node.text)
    if not (sought if node.exact else sought.strip("*")):
        return any_of(map(has_value, FREE_COLUMNS))
    guarded = re.sub(r"[\\*?]" if node.exact else r"\\", r"\\\g<0>", sought)
    value = {"value": f"*{guarded}*", "case_insensitive": True}
    return any_of({"wildcard": {path: value}} for path in FREE_PATHS)


FREE_COLUMNS = tuple(column for name in FREE_TEXT for column in QUERY_FIELDS[name].columns)
FREE_PATHS = tuple(
    LABELS_WRITTEN if column == "labels" else path_of(column) for column in FREE_COLUMNS
)
"""All that free text is looked for in. Labels are searched as they were written; what was done is
a piece of the Action as written, but that is kept apart only where it says more."""
