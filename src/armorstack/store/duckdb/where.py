"""The tree of a query as a condition of SQL; values go into it as parameters only.

Invariant: the condition is TRUE of exactly the events of which `core/query/evaluate.py` says so.
It may be NULL instead of FALSE, since AND and OR keep that difference apart from TRUE; a negation
does not, so NULL ends there. Must not go here: which events are looked at at all.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from armorstack.core.globs import Plan, plan
from armorstack.core.globs import lower as lower_text
from armorstack.core.query.event_id import decode_id, encode_id
from armorstack.core.query.names import FREE_TEXT, QUERY_FIELDS, QueryField
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
from armorstack.store.duckdb.columns import column, elements, is_several, lower, texts

_WILD = re.compile(r"[*?]")
_INT64 = 1 << 63
_TIME_LIMIT_US = 1 << 61
"""No event's time lies beyond; DuckDB refuses to make times that are much larger."""


class Parameters:
    """The values of a statement, each under a name of its own."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def copy(self) -> "Parameters":
        """The same values for another statement, which may add its own."""
        copied = Parameters()
        copied.values = dict(self.values)
        return copied

    def put(self, value: Any) -> str:
        """How the statement refers to this value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def several(self, values: Iterable[Any]) -> str:
        """The same for a list in parentheses; there must be one."""
        return f"({', '.join(map(self.put, values))})"


def condition(node: Node, parameters: Parameters) -> str:
    """The condition; its values are added to `parameters`. Raises GlobFault."""
    match node:
        case Everything():
            return "true"
        case And(nodes) | Or(nodes):
            word = " AND " if isinstance(node, And) else " OR "
            return f"({word.join(condition(each, parameters) for each in nodes)})"
        case Not(inner):
            return f"(NOT coalesce({condition(inner, parameters)}, false))"
        case Match():
            return _match(node, parameters)
        case Compare():
            return _compare(node, parameters)
        case Exists():
            return _exists(node) if not node.key else _has_key(node, parameters)
        case Free():
            return _free(node, parameters)


def _any(conditions: Sequence[str]) -> str:
    return f"({' OR '.join(conditions)})" if conditions else "false"


def _match(node: Match, parameters: Parameters) -> str:
    field = QUERY_FIELDS[node.field]
    if field.sort == "id" and (node.exact or not any(map(_is_glob, node.texts))):
        ids = [id_ for text in node.texts if (id_ := decode_id(text))]
        return f"id IN {parameters.several(ids)}" if ids else "false"
    wanted = [text for text in node.texts if text]
    found = [_of(field, node.key, wanted, node.exact, parameters)] if wanted else []
    if node.exact and len(wanted) < len(node.texts):
        exists = Exists(node.field, node.key)
        found.append(condition(Not(exists), parameters))
    return _any(found)


def _is_glob(text: str) -> bool:
    return bool(re.search(r"[*?\[]", text))


def _of(
    field: QueryField, key: str, wanted: Sequence[str], exact: bool, parameters: Parameters
) -> str:
    """One of the field's values is one of these texts, or matches one."""
    if field.sort == "id":
        wanted = [text if _is_glob(text) else _canonical_id(text) for text in wanted]
    test = _Texts(wanted, exact, field.sort == "word")
    if key:
        return test.of(f"{column(field.columns[0])}[{parameters.put(key)}]", parameters)
    if is_several(field):
        return _some(elements(field), test.of("each", parameters))
    return _any([test.of(each, parameters) for each in texts(field)])


def _canonical_id(written: str) -> str:
    digest = decode_id(written)
    return encode_id(digest) if digest else written


def _some(list_: str, test: str) -> str:
    return f"len(list_filter({list_}, lambda each: {test})) > 0"


class _Texts:
    """A test on one text, which is never empty where it holds."""

    def __init__(self, wanted: Sequence[str], exact: bool, ignore_case: bool) -> None:
        self._ignore_case = ignore_case
        self._exact = [lower_text(text) if ignore_case else text for text in wanted]
        self._plan: Plan | None = None
        if not exact:
            self._plan = plan(wanted, ignore_case=ignore_case)
            self._exact = self._plan.texts.to_pylist()

    def of(self, expression: str, parameters: Parameters) -> str:
        if self._plan is not None and self._plan.everything:
            return f"{expression} <> ''"
        value = lower(expression) if self._ignore_case else expression
        found = [f"{value} IN {parameters.several(self._exact)}"] if self._exact else []
        if (glob := self._plan) is not None:
            found += [f"starts_with({value}, {parameters.put(text)})" for text in glob.prefixes]
            found += [f"ends_with({value}, {parameters.put(text)})" for text in glob.suffixes]
            found += [f"contains({value}, {parameters.put(text)})" for text in glob.parts]
            found += (
                [f"regexp_matches({value}, {parameters.put(glob.regex)})"] if glob.regex else []
            )
        return _any(found)


def _compare(node: Compare, parameters: Parameters) -> str:
    field = QUERY_FIELDS[node.field]
    value, place = node.value, column(field.columns[0])
    if field.sort == "time":
        value = max(-_TIME_LIMIT_US, min(value, _TIME_LIMIT_US))
        return f"{place} {node.operator} make_timestamp({parameters.put(value)}::BIGINT)"
    if -_INT64 <= value < _INT64:
        return f"{place} {node.operator} {parameters.put(value)}"
    # Beyond every number: greater than all, or less than all.
    holds = node.operator.startswith("<" if value > 0 else ">")
    return f"{place} IS NOT NULL" if holds else "false"


def _exists(node: Exists) -> str:
    field = QUERY_FIELDS[node.field]
    if field.sort in ("number", "time"):
        return f"{column(field.columns[0])} IS NOT NULL"
    if is_several(field):
        return _some(elements(field), "each <> ''")
    return _any([f"{each} <> ''" for each in texts(field)])


def _has_key(node: Exists, parameters: Parameters) -> str:
    place = column(QUERY_FIELDS[node.field].columns[0])
    return f"{place}[{parameters.put(node.key)}] <> ''"


def _free(node: Free, parameters: Parameters) -> str:
    test = _piece(node, parameters)
    found = []
    for name in FREE_TEXT:
        field = QUERY_FIELDS[name]
        if field.sort == "texts":
            found.append(_some(elements(field), test.format(lower("each"))))
        else:
            # What was done is a piece of the Action as written; so is an owner's name of its path.
            found.append(test.format(lower(column(field.columns[-1]))))
    return _any(found)


def _piece(node: Free, parameters: Parameters) -> str:
    """A test on a text in lower case, which stands for `{0}`."""
    sought = lower_text(node.text)
    if not (sought if node.exact else sought.strip("*")):
        return "{0} <> ''"
    if node.exact or not _WILD.search(sought):
        return f"contains({{0}}, {parameters.put(sought)})"
    wild = {"*": ".*", "?": "."}
    expression = "".join(wild.get(char) or re.escape(char) for char in sought)
    return f"regexp_matches({{0}}, {parameters.put('(?s)' + expression)})"
