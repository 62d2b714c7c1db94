"""Errors as pages: what is wrong, where, and what to do.

Invariant: a page says no more than the error's own sentence and hint; what nobody foresaw says
nothing of itself, for the log has it. Must not go here: errors of the API (`web/api/errors.py`).
"""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from armorstack.core.query.asked import ParameterError
from armorstack.errors import AccessError, ArmorstackError, QueryError, QueryStopped, StoreError
from armorstack.web.desk import Grant
from armorstack.web.pages.told import told
from armorstack.web.render import page

UNFORESEEN = "armorstack could not answer this. Its log says why."
TITLES = {401: "Sign in", 403: "You may not see this", 404: "There is no such page"}


class Marked(Struct, frozen=True):
    """A query with the place that is meant."""

    before: str
    place: str
    """Never empty: at the end of the query a space stands for what is missing."""
    after: str
    column: int
    """Counted from 1."""


def response(request: Request, error: Exception) -> Response:
    """The page for this error, with its status."""
    status = status_of(request, error)
    made = page(request, "error.html", status_code=status, **_values(request, error, status))
    if status == HTTPStatus.UNAUTHORIZED:
        made.headers["www-authenticate"] = "Bearer"
    made.headers.update(getattr(error, "headers", None) or {})
    return made


def status_of(request: Request, error: Exception) -> int:
    """The status of HTTP that says the same."""
    match error:
        case HTTPException():
            return error.status_code
        case QueryError() | ParameterError():
            return HTTPStatus.BAD_REQUEST
        case AccessError():
            known = HTTPStatus.FORBIDDEN if _is_known(request) else HTTPStatus.UNAUTHORIZED
            return int(getattr(error, "status", known))
        case QueryStopped():
            return HTTPStatus.GATEWAY_TIMEOUT
        case StoreError():
            return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


def marked(query: str, column: int, length: int) -> Marked:
    """The query in three parts; a place beyond its end is its end."""
    begin = min(max(0, column), len(query))
    end = min(begin + max(1, length), len(query))
    return Marked(
        str(told(query[:begin])), str(told(query[begin:end])) or " ", str(told(query[end:])),
        begin + 1,
    )  # fmt: skip


def _values(request: Request, error: Exception, status: int) -> dict[str, Any]:
    is_ours = isinstance(error, ArmorstackError)
    return {
        "status": status,
        "title": _title(error, status),
        "sentence": str(told(_sentence(error))),
        "hint": str(told(error.hint)) if isinstance(error, ArmorstackError) else "",
        "marked": _marked(request, error),
        "known": error.known if isinstance(error, ParameterError) else (),
        "needs_token": isinstance(error, AccessError) and status == HTTPStatus.UNAUTHORIZED,
        "is_stopped": isinstance(error, QueryStopped),
        "is_foreseen": is_ours or isinstance(error, HTTPException),
        "return_to": _return_to(request),
        "sign_in_url": f"/sign-in?{urlencode({'next': _return_to(request)})}",
    }


def _sentence(error: Exception) -> str:
    if isinstance(error, HTTPException):
        return str(error.detail)
    return str(error) if isinstance(error, ArmorstackError) else UNFORESEEN


def _title(error: Exception, status: int) -> str:
    match error:
        case QueryError():
            return "This query cannot be understood"
        case ParameterError():
            return "This address asks for something unknown"
        case QueryStopped():
            return "This took too long"
        case StoreError():
            return "The store cannot be asked"
    return TITLES.get(status) or HTTPStatus(status).phrase


def _marked(request: Request, error: Exception) -> Marked | None:
    if not isinstance(error, QueryError):
        return None
    # As `parse_asked` reads it: the column counts from the first character that is no space.
    query = request.query_params.get("q", "").strip()
    return marked(query, error.column, error.length)


def _return_to(request: Request) -> str:
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def _is_known(request: Request) -> bool:
    return isinstance(request.scope.get("armorstack.grant"), Grant)
