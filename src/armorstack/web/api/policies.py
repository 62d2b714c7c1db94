"""The policies that are watched: what each is, whom it selects, what it did.

Invariant: a token for namespaces sees the policies of these alone. Must not go here: watching.
"""

from starlette.responses import Response

from armorstack.errors import StoreError
from armorstack.policies.book import Book
from armorstack.policies.choice import Choice as Wanted
from armorstack.policies.choice import chosen, states_of, visible
from armorstack.policies.coverage import Coverage, within
from armorstack.policies.document import STATES, PolicyDocument
from armorstack.policies.policy import KINDS
from armorstack.store.event_json import Document, time_text
from armorstack.web.api import shapes
from armorstack.web.api.answers import json
from armorstack.web.api.endpoint import Call
from armorstack.web.api.parameters import Choice, Schema, Text
from armorstack.web.desk import grant_of

STATE = Choice("state", "Only policies in this state.", ("", *STATES))
KIND = Choice("kind", "Only policies of this kind.", ("", *KINDS))
NAMESPACE = Text("namespace", "Only this namespace.")
NAME = Text("name", "Only policies of this name.")
ACTION = Choice("action", "Only policies with this action.", ("", "Block", "Audit", "Allow"))
TAG = Text("tag", "Only policies with this tag.")
TEXT = Text("text", "Only policies that say this in name, message, rules or tags.")
DETAIL = Choice("detail", "`whole`: with rules, pods, nodes and YAML.", ("short", "whole"))
PARAMETERS = (STATE, KIND, NAMESPACE, NAME, ACTION, TAG, TEXT, DETAIL)

_TIMES = ("created", "changed", "deleted", "last_alert")
_COUNTS = (
    "severity", "rules_count", "pods_count", "nodes_count", "alerts_1h", "alerts_24h", "alerts_7d",
    "alerts_all", "blocked_24h", "audited_24h",
)  # fmt: skip
_TEXTS = (
    "uid", "kind", "namespace", "name", "state", "action", "message", "status", "spec_hash",
    "manager", "selector",
)  # fmt: skip
_OR_NONE: Schema = {"anyOf": [shapes.TIME, {"type": "null"}]}
_NAMES = shapes.listed(shapes.TEXT)
SCHEMAS: dict[str, Schema] = {
    "Policy": shapes.object_of(
        ("rules", "pods", "nodes", "yaml"),
        **dict.fromkeys(_TEXTS, shapes.TEXT), **dict.fromkeys(_COUNTS, shapes.COUNT),
        **dict.fromkeys(_TIMES, _OR_NONE), is_deployed={"type": "boolean"},
        selection_known={"type": "boolean"}, tags=_NAMES, rules=_NAMES, pods=_NAMES, nodes=_NAMES,
        yaml=shapes.TEXT,
    ),
    "Policies": shapes.object_of(
        policies=shapes.listed(shapes.reference("Policy")),
        states={"type": "object", "additionalProperties": shapes.COUNT}, as_of=_OR_NONE,
        troubles=shapes.listed(
            shapes.object_of(what=shapes.TEXT, sentence=shapes.TEXT, hint=shapes.TEXT)
        ),
    ),
}  # fmt: skip
"""The state of one policy, and the answer."""

COVERAGE_SCHEMA: Schema = shapes.object_of(
    pods=shapes.COUNT, bare=shapes.COUNT, as_of=_OR_NONE,
    namespaces=shapes.listed(
        shapes.object_of(
            namespace=shapes.TEXT, pods=shapes.COUNT, covered=shapes.COUNT, bare=_NAMES
        )
    ),
)  # fmt: skip
"""How many pods have no policy, and which, by namespace."""


async def policies(call: Call) -> Response:
    """Those that are meant, by kind, namespace and name."""
    book = _book(call)
    namespaces = grant_of(call.request).namespaces
    seen = visible(book.documents(), namespaces)
    wanted = Wanted(
        state=call.get(STATE), kind=call.get(KIND), namespace=call.get(NAMESPACE),
        name=call.get(NAME), action=call.get(ACTION), tag=call.get(TAG), text=call.get(TEXT),
    )  # fmt: skip
    is_whole = call.get(DETAIL) == "whole"
    # A fault names files, which not everybody may know of.
    troubles = book.troubles() if namespaces is None else ()
    return json(
        {
            "policies": [_policy(each, is_whole) for each in chosen(seen, wanted)],
            "states": states_of(seen), "as_of": _time(book.as_of_us()), "troubles": troubles,
        }
    )  # fmt: skip


async def coverage(call: Call) -> Response:
    """The pods of each namespace that no policy selects."""
    book, wanted = _book(call), call.get(NAMESPACE)
    found = book.coverage()
    if found is None:
        raise StoreError("pods are not watched", hint="policy files know of none")
    seen = within(found, grant_of(call.request).namespaces).namespaces
    told = Coverage(tuple(each for each in seen if wanted in ("", each.namespace)))
    rows = [
        {"namespace": each.namespace, "pods": each.pods, "covered": each.covered,
         "bare": each.bare}
        for each in told.namespaces
    ]  # fmt: skip
    return json(
        {"pods": told.pods, "bare": told.bare, "namespaces": rows, "as_of": _time(book.as_of_us())}
    )


def _book(call: Call) -> Book:
    if call.desk.book is None:
        hint = "name files or folders in [policies] of the settings, or run with --policies PATH"
        raise StoreError("policies are not watched", hint=hint)
    return call.desk.book


def _policy(each: PolicyDocument, is_whole: bool) -> Document:
    told: Document = {name: getattr(each, name) for name in _TEXTS if name != "selector"}
    told |= {name: getattr(each, name) for name in _COUNTS}
    told |= {name: _time(getattr(each, f"{name}_us")) for name in _TIMES}
    told |= {
        "selector": each.selector_text, "is_deployed": each.is_deployed, "tags": each.tags,
        "selection_known": each.selection_known,
    }  # fmt: skip
    if is_whole:
        told |= {
            "rules": each.rules, "pods": each.pods, "nodes": each.nodes, "yaml": each.yaml,
        }  # fmt: skip
    return told


def _time(time_us: int) -> str | None:
    return time_text(time_us) if time_us else None
