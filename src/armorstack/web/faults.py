"""What becomes of an error on its way out: the API's form, or a page.

Invariant: every exception that no endpoint caught becomes an answer here, once; what is no error of
ours is told in the log and nowhere else. Once an answer has begun it can only be broken off.
"""

from collections.abc import Callable

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from armorstack.errors import ArmorstackError
from armorstack.web.access.crossing import is_api
from armorstack.web.api.errors import response as of_api
from armorstack.web.pages.errors import response as of_page

log = structlog.get_logger()


class Faults:
    """Answers what the application inside raises."""

    def __init__(self, app: ASGIApp, respond: Callable[[Request, Exception], Response]) -> None:
        self._app, self._respond = app, respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, whatever happens."""
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if has_begun or scope["type"] != "http":
                raise
            if not isinstance(error, ArmorstackError | HTTPException):
                log.exception("a request failed", method=scope["method"], path=scope["path"])
            await self._respond(Request(scope), error)(scope, receive, send)


def respond(request: Request, error: Exception) -> Response:
    """The answer to an error."""
    made = of_api(error) if is_api(request.url.path) else of_page(request, error)
    made.headers.update(getattr(error, "headers", None) or {})
    return made
