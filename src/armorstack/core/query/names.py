"""The fields that can be asked for, by the one name that each has in queries, URLs and answers.

Derived from the table of fields: the query name, else the column's, else KubeArmor's own. Every
other spelling of `core/field_names.py` is an alias of one of these. A few columns are our own.

Invariant: a word's case is ignored, every other text's counts, as in the selects of the pipeline.
"""

import difflib
from typing import Literal

from msgspec import Struct

from armorstack.core.field_names import BY_NAME
from armorstack.core.fields import FIELDS, Field

Sort = Literal["text", "word", "number", "time", "texts", "labels", "map", "id"]

_WORDS = frozenset({"type", "operation", "action", "result", "level"})
_SORTS: dict[str, Sort] = {"int32": "number", "int64": "number", "texts": "texts", "map": "map"}


class QueryField(Struct, frozen=True):
    """One field. `columns`: where a value may lie, either of them."""

    name: str
    sort: Sort
    columns: tuple[str, ...]
    """Columns of `SCHEMA`, or one of the derived `done`, `intended`, `owner_path` that
    `core/select.py` knows too; of severity the column holds digits."""
    doc: str
    facet: bool = False


def _name(field: Field) -> str:
    if field.query:
        return field.query
    taken = any(other.query == field.column for other in FIELDS)
    return field.name if taken else field.column


def _sort(field: Field) -> Sort:
    if field.column in _WORDS:
        return "word"
    if field.column == "severity":
        return "number"
    if field.column == "labels":
        return "labels"
    return _SORTS.get(field.kind, "text")


_MORE_COLUMNS = {"action": ("done", "action"), "owner_name": ("owner_name", "owner_path")}
_OWN = (
    QueryField("time", "time", ("time",), "When it happened (UpdatedTime)."),
    QueryField("received", "time", ("received",), "When it arrived here."),
    QueryField("stream", "word", ("stream",), "alert, log or message.", facet=True),
    QueryField("intended", "word", ("intended",), "What an audited policy would have done: Block "
               "in `Audit (Block)`.", facet=True),
    QueryField("via", "text", ("from_source",), "Name of the source that brought it."),
    QueryField("folded", "number", ("fold_count",), "How many events were folded into this one."),
    QueryField("id", "id", ("id",), "The event's id, base64."),
)  # fmt: skip


def _fields() -> dict[str, QueryField]:
    ours = {field.name: field for field in _OWN}
    theirs = {
        _name(field): QueryField(
            _name(field), _sort(field), _MORE_COLUMNS.get(field.column, (field.column,)),
            field.doc, field.facet,
        )
        for field in FIELDS
        if field.column != "updated_time"
    }  # fmt: skip
    return ours | theirs


QUERY_FIELDS: dict[str, QueryField] = _fields()
"""Canonical name → the field."""

ALIASES: dict[str, str] = {
    name: _name(field) for name, field in BY_NAME.items() if field.column != "updated_time"
} | {"UpdatedTime": "time", "updated_time": "time", "host": "node", "ns": "namespace"}
"""Any other spelling → the canonical name."""

FREE_TEXT: tuple[str, ...] = (
    "namespace", "pod", "container", "image", "node", "policy", "process", "parent", "source",
    "resource", "data", "message", "operation", "action", "result", "tag", "label", "user",
)  # fmt: skip
"""The fields that free text is looked for in."""

FACETS: tuple[str, ...] = (
    "stream", "namespace", "pod", "policy", "severity", "action", "operation", "result", "type",
    "process", "node", "tag",
)  # fmt: skip
"""The facets that are shown unless others are asked for, in this order."""


def canonical(name: str) -> str | None:
    """The field's one name; None where there is no such field. Case is ignored if nothing else."""
    if name in QUERY_FIELDS:
        return name
    return ALIASES.get(name) or _BY_LOWER.get(name.lower())


def nearest(name: str) -> str | None:
    """The field that was most likely meant."""
    known = list(dict.fromkeys((*QUERY_FIELDS, *ALIASES)))
    near = difflib.get_close_matches(name, known, n=1) or difflib.get_close_matches(
        name.lower(), known, n=1
    )
    return canonical(near[0]) if near else None


_BY_LOWER = {
    name.lower(): target for name, target in (ALIASES | {n: n for n in QUERY_FIELDS}).items()
}
