"""Index templates: what type each path of a stored document has, and how its indices are kept.

Everything follows from the tables of fields (`core/fields.py`, `core/ecs`). Nothing is mapped by
what events say: `dynamic` is off, and labels and details lie in flattened fields, so no name that a
pod chose becomes a field. KubeArmor's own names are aliases where the table says so.

Invariant: a document of `to_stored` is never refused for what an event says. Texts of more than
`LONGEST` units are kept, but not indexed. An index keeps the types it was made with: a changed
template is for the next period. Must not go here: requests; roles; when a template is applied.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from armorstack.config.sinks import ElasticSink
from armorstack.core.ecs.exact import LONGEST, ORDER
from armorstack.core.ecs.stored import COLUMNS, STORED_TYPES
from armorstack.core.fields import FIELDS, EngineType
from armorstack.engines.elastic.dialect import Dialect
from armorstack.engines.elastic.periods import KINDS, pattern, policies_index

Body = dict[str, Any]

VERSION = 1
"""Raised with every change of a template, so that an older armorstack leaves a newer one alone."""
PRIORITY = 250
"""Above the templates that engines come with, which have at most 200."""
OURS = "armorstack"
"""The key in `_meta` that says that a template is ours."""

_ALIKE = ("kubernetes.pod.name", "event.action", "process.executable")
"""What events are sorted by before their time. Those that lie side by side are then much the same,
and take a fifth less than in the order of time, which pages find without."""
_UNINDEXED = ("event.original", "armorstack.extra")
_GAP_TYPES: dict[str, EngineType] = {
    "@timestamp": "date",
    "ecs.version": "keyword",
    "event.id": "keyword",
    "event.kind": "keyword",
    "event.module": "keyword",
    "event.dataset": "keyword",
    "event.reason": "keyword",
    "event.start": "date",
    "event.end": "date",
    "event.ingested": "date",
    "armorstack.gap.source": "keyword",
    "armorstack.gap.stream": "keyword",
    "armorstack.gap.node": "keyword",
    "armorstack.gap.detail": "keyword",
    "armorstack.gap.lost": "long",
    "armorstack.gap.start_us": "long",
    "armorstack.gap.end_us": "long",
}
_POLICY_TYPES: dict[str, EngineType] = {
    "@timestamp": "date",
    "ecs.version": "keyword",
    "event.id": "keyword",
    "event.kind": "keyword",
    "event.dataset": "keyword",
    "orchestrator.cluster.name": "keyword",
    "orchestrator.namespace": "keyword",
    "rule.id": "keyword",
    "rule.name": "keyword",
    "rule.ruleset": "keyword",
    "rule.description": "keyword",
    "tags": "keyword",
}


class Template(Struct, frozen=True):
    """One index template by its name, as the engine takes it."""

    name: str
    body: Body

    @property
    def digest(self) -> str:
        """What tells this template from any other version of it."""
        return str(self.body["_meta"][OURS]["digest"])


def templates(settings: ElasticSink, dialect: Dialect) -> tuple[Template, ...]:
    """All templates for these settings: events by stream, gaps, policies."""
    events = event_mappings(dialect)
    mappings = {kind: events for kind in KINDS} | {"gaps": _mappings(_GAP_TYPES, dialect)}
    made = [
        _template(f"{settings.prefix}-{kind}", pattern(settings.prefix, kind), mappings[kind],
                  settings, dialect, _ALIKE if kind != "gaps" else ())
        for kind in KINDS
    ]  # fmt: skip
    policies = policies_index(settings.prefix)
    shape = _mappings(_POLICY_TYPES, dialect)
    return (*made, _template(policies, policies, shape, settings, dialect))


def event_mappings(dialect: Dialect) -> Body:
    """The mappings of a stored event."""
    mappings = _mappings(STORED_TYPES, dialect)
    _place(mappings, COLUMNS, {"type": "object", "enabled": False})
    # Sorted by, never sought: without an index of its own half as large.
    _place(mappings, ORDER, {"type": "long", "index": False})
    for path in _UNINDEXED:
        _place(mappings, path, {"type": "keyword", "index": False, "doc_values": False})
    for field in FIELDS:
        if field.alias:
            _place(mappings, field.name, {"type": "alias", "path": field.ecs})
    return mappings


def _mappings(types: dict[str, EngineType], dialect: Dialect) -> Body:
    mappings: Body = {"dynamic": False, "properties": {}}
    for path, engine in types.items():
        _place(mappings, path, _type(engine, dialect))
    return mappings


def _type(engine: EngineType, dialect: Dialect) -> Body:
    if engine == "keyword":
        return {"type": "keyword", "ignore_above": LONGEST}
    if engine == "text":
        return {"type": "text", "norms": False}
    if engine == "flattened":
        return {"type": dialect.flattened}
    return {"type": engine}


def _place(mappings: Body, path: str, definition: Body) -> None:
    *parents, leaf = path.split(".")
    node = mappings
    for parent in parents:
        node = node.setdefault("properties", {}).setdefault(parent, {})
    node.setdefault("properties", {})[leaf] = definition


def _template(
    name: str, covered: str, mappings: Body, settings: ElasticSink, dialect: Dialect,
    alike: Sequence[str] = (),
) -> Template:  # fmt: skip
    body: Body = {
        "index_patterns": [covered],
        "priority": PRIORITY,
        "composed_of": [],
        "template": {
            "settings": {"index": _settings(settings, dialect, alike)},
            "mappings": mappings,
        },
    }
    seal = {OURS: {"version": VERSION, "digest": _digest(body)}}
    # An index says itself which template it was made by.
    sealed = {**mappings, "_meta": seal}
    template = {**body["template"], "mappings": sealed}
    return Template(name, {**body, "version": VERSION, "_meta": seal, "template": template})


def _settings(settings: ElasticSink, dialect: Dialect, alike: Sequence[str]) -> Body:
    """The settings of an index, as texts, which is what engines give back."""
    found: Body = {
        "number_of_shards": str(settings.shards),
        "number_of_replicas": str(settings.replicas),
        "refresh_interval": "1s",
        "codec": "best_compression",
        "sort": {
            "field": [*alike, "@timestamp"], "order": [*("asc" for _ in alike), "desc"],
        },
    }  # fmt: skip
    if dialect.name == "opensearch":
        # Otherwise a refresh may wait seconds for a merge, and events with it.
        found["merge_on_flush"] = {"enabled": "false"}
    if dialect.name == "elasticsearch":
        found["mode"] = "standard"
        if settings.policy:
            found["lifecycle"] = {"name": settings.policy}
    return found


def _digest(body: Body) -> str:
    packed = msgspec.json.encode(body, order="deterministic")
    return sha256(packed).hexdigest()[:16]
