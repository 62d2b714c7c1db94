"""What the API says of itself: OpenAPI 3.1, made of the table of endpoints.

Invariant: nothing is written here that a row of the table or a field of `QUERY_FIELDS` does not
say; tests ask the running API what this allows, and what it does not.
"""

from collections.abc import Iterable
from typing import Any

from armorstack import __version__
from armorstack.core.query.names import QUERY_FIELDS, QueryField
from armorstack.web.api import policies
from armorstack.web.api.endpoint import PREFIX, Endpoint, common
from armorstack.web.api.parameters import Parameter, Schema
from armorstack.web.api.shapes import ID, SCHEMAS, reference

INTRODUCTION = (
    "Stored KubeArmor events. A parameter that is not known is refused with the list of those "
    "that are. Every field of an event is a parameter: its values are wanted, those with a leading "
    "`!` are not; repeated, either of them. Times in answers are ISO 8601 in UTC with microseconds."
)
_COMMON: dict[str, tuple[str, Schema]] = {
    "q": ("A query, such as `severity>=7 and pod:web-*`.",
          {"type": "string", "format": "armorstack-query", "maxLength": 10_000}),
    "from": ("Beginning of the span: `now-24h` unless given; `all` means every event.",
             {"type": "string", "format": "armorstack-from", "default": "now-24h"}),
    "to": ("End of the span, exclusive.",
           {"type": "string", "format": "armorstack-moment", "default": "now"}),
    "tz": ("Zone of times that name none, such as `Europe/Berlin`.",
           {"type": "string", "format": "armorstack-zone", "default": "UTC"}),
}  # fmt: skip
_ERRORS = {
    "400": "A parameter or the query is wrong.",
    "401": "There is no token, or not a good one.",
    "403": "The token does not allow this.",
    "503": "The store cannot be asked just now.",
    "504": "The answer took too long.",
}


def describe(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "armorstack", "version": __version__, "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": {PREFIX + each.path: {"get": _operation(each)} for each in endpoints},
        "components": {
            "schemas": SCHEMAS | policies.SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }  # fmt: skip


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    told = {
        "operationId": endpoint.path.strip("/").replace("/{id}", "_by_id").replace(".", "_"),
        "summary": endpoint.summary,
        "parameters": list(_parameters(endpoint)),
        "responses": _responses(endpoint),
    }
    return told | ({"description": endpoint.doc} if endpoint.doc else {})


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    found = {
        "200": {
            "description": "The answer.",
            "content": {kind: {"schema": schema} for kind, schema in endpoint.answers.items()},
        }
    }
    errors = _ERRORS | ({"404": "There is no such event."} if "{id}" in endpoint.path else {})
    content = {"application/json": {"schema": reference("Error")}}
    told = {code: {"description": text, "content": content} for code, text in errors.items()}
    return found | told


def _parameters(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    if "{id}" in endpoint.path:
        yield {
            "name": "id", "in": "path", "required": True, "description": "The event's id.",
            "schema": ID,
        }  # fmt: skip
    yield from map(_own, endpoint.parameters)
    for name in common(endpoint.asks):
        doc, schema = _COMMON[name]
        yield {"name": name, "in": "query", "description": doc, "schema": schema}
    if endpoint.asks == "question":
        yield from map(_pick, QUERY_FIELDS.values())


def _own(parameter: Parameter[Any]) -> dict[str, Any]:
    return {
        "name": parameter.name, "in": "query", "description": parameter.doc,
        "schema": parameter.schema(),
    }  # fmt: skip


def _pick(field: QueryField) -> dict[str, Any]:
    value: Schema = {"type": "string"}
    if field.sort in ("number", "time"):
        value["format"] = "armorstack-number"
    return {
        "name": field.name, "in": "query", "description": field.doc,
        "schema": {"type": "array", "items": value}, "style": "form", "explode": True,
    }  # fmt: skip
