"""Errors as JSON: `{"error": {"type", "message", "hint", …}}`.

Invariant: every error of the tree has a status here; what is no error of ours says nothing of what
happened inside. `parameter` and `known` come with a wrong parameter, `column` and `length` with a
wrong query, `allow` with a wrong method.
"""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from armorstack.core.query.asked import ParameterError
from armorstack.errors import (
    AccessError,
    ArmorstackError,
    QueryError,
    QueryStopped,
    StoreError,
)
from armorstack.store.event_json import encode
from armorstack.web.access.refusal import Refusal

STATUSES: tuple[tuple[type[ArmorstackError], int, str], ...] = (
    (ParameterError, 400, "parameter"),
    (QueryError, 400, "query"),
    (AccessError, 401, "access"),
    (QueryStopped, 504, "stopped"),
    (StoreError, 503, "store"),
    (ArmorstackError, 500, "error"),
)
"""Error → status and type; the first that fits."""
_HTTP_TYPES = {404: "not_found", 405: "method"}
INTERNAL = "this should not have happened; the log of armorstack has more"


def response(error: Exception) -> Response:
    """The answer to this error."""
    if isinstance(error, HTTPException):
        return _of_http(error)
    if not isinstance(error, ArmorstackError):
        return _json(500, {"type": "internal", "message": INTERNAL, "hint": ""})
    status, type_ = next((s, t) for kind, s, t in STATUSES if isinstance(error, kind))
    headers: dict[str, str] = {}
    if isinstance(error, Refusal):
        status, headers = error.status, error.headers
    told = {"type": type_, "message": str(error), "hint": error.hint} | _details(error)
    return _json(status, told, ({"www-authenticate": "Bearer"} if status == 401 else {}) | headers)


def _details(error: ArmorstackError) -> dict[str, Any]:
    if isinstance(error, ParameterError):
        return {"parameter": error.parameter, "known": list(error.known)}
    if isinstance(error, QueryError):
        return {"parameter": "q", "column": error.column, "length": error.length}
    return {}


def _of_http(error: HTTPException) -> Response:
    told = {
        "type": _HTTP_TYPES.get(error.status_code, "http"), "message": error.detail,
        "hint": "GET /api/v1/openapi.json lists what there is" if error.status_code == 404 else "",
    }  # fmt: skip
    return _json(error.status_code, told, dict(error.headers or {}))


def _json(status: int, told: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    body = encode({"error": told}) + b"\n"
    return Response(body, status, headers, media_type="application/json")
