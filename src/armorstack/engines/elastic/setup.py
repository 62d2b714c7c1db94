"""Index templates put into an engine: first what would change, then the change.

A template of our name that does not bear our mark is somebody else's, and one of a newer version
is a newer armorstack's: both end in a refusal, and nothing is changed. Existing indices are never
touched, so an event that is being written goes on into the index it has.

Invariant: applying twice changes nothing the second time. Must not go here: what a template says.
"""

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct
from msgspec.json import encode

from armorstack.config.sinks import ElasticSink
from armorstack.core.text import printable
from armorstack.engines.elastic.connection import Engine
from armorstack.engines.elastic.dialect import Dialect
from armorstack.engines.elastic.periods import KINDS, parse_index, pattern
from armorstack.engines.elastic.templates import OURS, VERSION, Body, Template, templates
from armorstack.errors import EngineError

_OF_THE_ENGINE = frozenset(
    ["created_date", "created_date_millis", "modified_date", "modified_date_millis"]
)
"""What Elasticsearch 9 tells of a template besides what was put."""
MOST_TOLD = 200
"""Differences of one template that are told one by one."""


class Difference(Struct, frozen=True):
    """One path of a template: what it is and what it would be; None: not there."""

    path: str
    before: Any
    after: Any


class Change(Struct, frozen=True):
    """One template that is missing or another."""

    kind: Literal["create", "update"]
    name: str
    body: Body
    differences: tuple[Difference, ...] = ()


def plan(engine: Engine, settings: ElasticSink) -> list[Change]:
    """What has to change, nothing where all is as it should be.

    Raises EngineError where a template of the name is not ours, or is newer, or the engine refuses.
    """
    changes = (
        _change(wanted, _present(engine, wanted.name))
        for wanted in templates(settings, engine.dialect)
    )
    return [change for change in changes if change is not None]


def apply(engine: Engine, changes: list[Change]) -> None:
    """Make the changes, one after the other. Raises EngineError at the first that is refused."""
    for change in changes:
        engine.demand("PUT", f"/_index_template/{change.name}", change.body)


def outdated_indices(engine: Engine, settings: ElasticSink) -> list[str]:
    """Our indices that were made by another version of their template, and keep it."""
    wanted = {template.name: template.digest for template in templates(settings, engine.dialect)}
    found = []
    for kind in KINDS:
        answer = engine.demand(
            "GET", f"/{pattern(settings.prefix, kind)}/_mapping",
            params={"filter_path": "*.mappings._meta", "expand_wildcards": "open"},
        )  # fmt: skip
        found += [
            name
            for name, each in answer.json().items()
            if parse_index(name)
            and _seal(each["mappings"]).get("digest") != wanted[f"{settings.prefix}-{kind}"]
        ]
    return sorted(found)


def advice(dialect: Dialect, settings: ElasticSink) -> list[str]:
    """What a person has to do where an engine leaves it to them.

    OpenSearch takes a policy by the `ism_template` of the policy itself, which is not ours.
    """
    if dialect.name != "opensearch" or not settings.policy:
        return []
    covered = [pattern(settings.prefix, kind) for kind in KINDS]
    told = encode({"ism_template": [{"index_patterns": covered, "priority": 100}]}).decode()
    return [f"the ISM policy {settings.policy} itself has to say {told}"]


def sentences(change: Change) -> Iterator[str]:
    """The change in words, a line each; nothing in them moves a cursor."""
    yield f"{change.kind} index template {change.name}"
    for each in change.differences[:MOST_TOLD]:
        path = printable(each.path, 120)
        if each.before is None:
            yield f"  + {path}: {_shown(each.after)}"
        elif each.after is None:
            yield f"  - {path}: {_shown(each.before)}"
        else:
            yield f"  ~ {path}: {_shown(each.before)} -> {_shown(each.after)}"
    if (rest := len(change.differences) - MOST_TOLD) > 0:
        yield f"  and {rest} more"


def _shown(value: Any) -> str:
    return printable(str(value), 80)


def _present(engine: Engine, name: str) -> Body | None:
    answer = engine.ask("GET", f"/_index_template/{name}", params={"flat_settings": "false"})
    if answer.status == 404:
        return None
    if answer.status >= 400:
        engine.demand("GET", f"/_index_template/{name}")
    found = answer.json()["index_templates"]
    return found[0]["index_template"] if found else None


def _seal(body: Body) -> Body:
    seal = (body.get("_meta") or {}).get(OURS)
    return seal if isinstance(seal, dict) else {}


def _change(wanted: Template, present: Body | None) -> Change | None:
    if present is None:
        return Change("create", wanted.name, wanted.body)
    seal = _seal(present)
    if not seal:
        raise EngineError(
            f"there is an index template {wanted.name} that is not armorstack's",
            hint="set another prefix in the settings of this sink, or rename that template",
        )
    if (version := seal.get("version")) != VERSION and _is_newer(version):
        raise EngineError(
            f"index template {wanted.name} is of version {printable(str(version), 20)}, "
            f"newer than {VERSION}, which this armorstack knows",
            hint="use the armorstack that made it, or `setup = false`",
        )
    if not (differences := _differences(present, wanted.body)):
        return None
    return Change("update", wanted.name, wanted.body, differences)


def _is_newer(version: Any) -> bool:
    return not isinstance(version, int) or version > VERSION


def _differences(present: Body, wanted: Body) -> tuple[Difference, ...]:
    put = {name: value for name, value in present.items() if name not in _OF_THE_ENGINE}
    before, after = dict(_leaves(put)), dict(_leaves(wanted))
    return tuple(
        Difference(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    )


def _leaves(node: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """Every path with its value as a text: engines give numbers and flags back as texts."""
    if isinstance(node, dict) and node:
        for name, value in node.items():
            yield from _leaves(value, f"{above}.{name}" if above else name)
    elif isinstance(node, bool):
        yield above, str(node).lower()
    elif isinstance(node, list) and len(node) == 1:
        yield above, str(node[0])
    else:
        yield above, str(node)
