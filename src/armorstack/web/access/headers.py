"""What every answer carries, whatever became of the request.

Invariant: no page runs or loads what does not come from here, and no answer is kept by a browser or
proxy but style sheets, scripts and icons, which say for themselves how long.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:",
    "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
))  # fmt: skip
ALWAYS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: browsers then send `Origin: null` with forms, our own among them.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
KEPT_BY_NOBODY = "no-store"
STATIC = "/static/"


class SecurityHeaders:
    """Sets them on whatever the application inside answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with these headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(ALWAYS)
                if not scope["path"].startswith(STATIC):
                    headers["cache-control"] = KEPT_BY_NOBODY
                headers.setdefault("cache-control", KEPT_BY_NOBODY)
            await send(message)

        await self._app(scope, receive, with_headers)
