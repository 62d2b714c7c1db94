"""Answers of a store as JSON, and the schemas that say how they look.

Invariant: times are ISO 8601 in UTC with microseconds, ids are text, counts are whole numbers; a
member is always there unless its schema says otherwise. Events are `store/event_json`.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.core.gap import Gap
from armorstack.store.contract import Facet, FieldFacts, Histogram, Page, Row, Seen, Top
from armorstack.store.cursor import Cursor
from armorstack.store.event_json import COLUMNS, Document, plain, time_text
from armorstack.web.api.parameters import Schema

COUNT: Schema = {"type": "integer", "minimum": 0}
TEXT: Schema = {"type": "string"}
TIME: Schema = {
    "type": "string", "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$",
}  # fmt: skip
ID: Schema = {
    "type": "string", "pattern": "^[A-Za-z0-9_-]{43}$", "minLength": 43, "maxLength": 43,
}  # fmt: skip
CURSOR: Schema = {"type": ["string", "null"]}


def listed(items: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": items}


def object_of(optional: Sequence[str] = (), /, **members: Schema) -> Schema:
    """An object that has exactly these members, all but the optional ones always."""
    return {
        "type": "object", "properties": members, "additionalProperties": False,
        "required": [name for name in members if name not in optional],
    }  # fmt: skip


def reference(name: str) -> Schema:
    """One of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def _event_schema() -> Schema:
    members = {name: _member(column) for name, column in COLUMNS.items()}
    optional = [name for name in members if name not in ("id", "time", "stream")]
    return object_of(optional, **members)


def _member(column: str) -> Schema:
    if column == "id":
        return ID
    if column == "severity":
        return {"type": ["integer", "string"], "description": "A number, unless the relay lied."}
    return _TYPES[SCHEMA.field(column).type]


_TYPES: dict[pa.DataType, Schema] = {
    pa.string(): TEXT,
    pa.int32(): {"type": "integer"},
    pa.int64(): {"type": "integer"},
    pa.timestamp("us"): TIME,
    pa.list_(pa.string()): listed(TEXT),
    pa.map_(pa.string(), pa.string()): {"type": "object", "additionalProperties": TEXT},
}

_ANY: Schema = {"type": "object"}
SCHEMAS: dict[str, Schema] = {
    "Event": _event_schema(),
    "Events": object_of(events=listed(reference("Event")), older=CURSOR, newer=CURSOR),
    "WholeEvent": object_of(
        event=reference("Event"), original=_ANY, ecs=_ANY,
        kept={"anyOf": [object_of(encoding=TEXT, text=TEXT), {"type": "null"}]},
    ),
    "Gap": object_of(
        reason=TEXT, source=TEXT, stream=TEXT, node=TEXT, detail=TEXT, start=TIME, end=TIME,
        lost={"type": ["integer", "null"], "description": "null: nobody knows."},
    ),
    "Gaps": object_of(gaps=listed(reference("Gap"))),
    "Count": object_of(count=COUNT),
    "Histogram": object_of(
        start=TIME, interval_us=COUNT, buckets=COUNT, by=TEXT,
        series=listed(object_of(value=TEXT, is_rest={"type": "boolean"}, counts=listed(COUNT))),
        gaps=listed(reference("Gap")), approximate={"type": "boolean"},
    ),
    "Facets": object_of(
        facets=listed(
            object_of(
                field=TEXT, values=listed(object_of(value=TEXT, count=COUNT)), distinct=COUNT,
                rest=COUNT, approximate={"type": "boolean"},
            )
        )
    ),
    "Top": object_of(
        fields=listed(TEXT),
        groups=listed(
            object_of(values=listed(TEXT), count=COUNT, measure=COUNT, first=TIME, last=TIME)
        ),
        distinct=COUNT, total=COUNT, approximate={"type": "boolean"},
    ),
    "Seen": object_of(
        count=COUNT, first={"anyOf": [reference("Event"), {"type": "null"}]},
        last={"anyOf": [reference("Event"), {"type": "null"}]},
    ),
    "Fields": object_of(
        fields=listed(
            object_of(name=TEXT, sort=TEXT, doc=TEXT, facet={"type": "boolean"}, column=TEXT)
        ),
        columns=listed(TEXT),
    ),
    "Health": object_of(
        ("reasons", "receiver", "worker"),
        status=TEXT, version=TEXT, newest={"anyOf": [TIME, {"type": "null"}]},
        reasons=listed(TEXT), receiver={"type": ["object", "null"]}, worker=_ANY,
    ),
    "Error": object_of(
        error=object_of(
            ("parameter", "known", "column", "length"),
            type=TEXT, message=TEXT, hint=TEXT, parameter=TEXT, known=listed(TEXT), column=COUNT,
            length=COUNT,
        )
    ),
}  # fmt: skip
"""Every shape, by the name that the description gives it."""


def page(found: Page) -> Document:
    """A page of events."""
    return {
        "events": [plain(row) for row in found.rows],
        "older": _cursor(found.older), "newer": _cursor(found.newer),
    }  # fmt: skip


def gap(told: Gap) -> Document:
    """One gap."""
    return {
        "reason": told.reason, "source": told.source, "stream": told.stream, "node": told.node,
        "detail": told.detail, "start": time_text(told.start_us), "end": time_text(told.end_us),
        "lost": told.lost,
    }  # fmt: skip


def histogram(found: Histogram, by: str) -> Document:
    """Counts over time; bucket n begins at `start` plus n intervals."""
    return {
        "start": time_text(found.start_us), "interval_us": found.interval_us,
        "buckets": found.buckets, "by": by,
        "series": [
            {"value": each.value, "is_rest": each.is_rest, "counts": each.counts}
            for each in found.series
        ],
        "gaps": [gap(each) for each in found.gaps], "approximate": found.approximate,
    }  # fmt: skip


def facets(found: Sequence[Facet]) -> Document:
    """Facets in the order asked for."""
    return {"facets": found}


def top(found: Top, fields: Sequence[str]) -> Document:
    """The largest groups."""
    groups = [
        {
            "values": each.values, "count": each.count, "measure": each.measure,
            "first": time_text(each.first_us), "last": time_text(each.last_us),
        }
        for each in found.groups
    ]  # fmt: skip
    return {
        "fields": fields, "groups": groups, "distinct": found.distinct, "total": found.total,
        "approximate": found.approximate,
    }  # fmt: skip


def seen(found: Seen) -> Document:
    """How often, when first and when last."""
    return {"count": found.count, "first": _event(found.first), "last": _event(found.last)}


def fields(found: Sequence[FieldFacts]) -> Document:
    """What can be asked for, and what `cols` may name."""
    return {"fields": found, "columns": list(COLUMNS)}


def _event(row: Row | None) -> Any:
    return None if row is None else plain(row)


def _cursor(cursor: Cursor | None) -> str | None:
    return None if cursor is None else str(cursor)
