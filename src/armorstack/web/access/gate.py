"""The gate: pure ASGI, in front of every route.

Invariant: whatever is not in `OPEN` is reached only with a grant in the scope; a new route is
closed from its first day. Nothing is sent to a bearer whose token was revoked meanwhile, in the
middle of a stream neither. Must not go here: what a token is, what an answer looks like.
"""

from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import QueryParams
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from armorstack.errors import AccessError
from armorstack.web.access import cookie, crossing, front
from armorstack.web.access.front import Caller
from armorstack.web.access.porter import Porter, missing
from armorstack.web.access.refusal import Refusal
from armorstack.web.access.register import Record
from armorstack.web.access.streams import Streams
from armorstack.web.desk import Grant

PROBES = ("/health", "/ready", "/metrics")
"""For Prometheus and kubelets: no token, and no text of events in what they answer."""
OPEN = ("/sign-in",)
STATIC = "/static/"
TOLD = ("/api/v1/export", "/api/v1/snapshot")
"""Paths whose use is told in the log."""
LONGEST_BODY = 64 * 1024
SEE_OTHER = 303
# A strict cookie stays behind when a link on another site leads here; our own page asking again
# brings it along.
BOUNCE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>armorstack</title>'
    '<meta http-equiv="refresh" content="0"><p>One moment…</p></html>'
)


class Gate:
    """Lets requests in."""

    def __init__(self, app: ASGIApp, porter: Porter) -> None:
        self._app, self._porter, self._front = app, porter, porter.front
        self._streams = Streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or raise Refusal."""
        if scope["type"] != "http":
            return
        try:
            await self._let_in(scope, receive, send)
        except Refusal as refusal:
            self._porter.refused(refusal, _peer(scope), scope["method"], scope["path"])
            raise

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in PROBES:
            front.check_probe(self._front, scope["headers"])
            await self._app(scope, receive, send)
            return
        caller = self._caller(scope)
        headers = _single_headers(scope)
        name = cookie.name_of(self._front.port, caller.scheme)
        cookies = cookie.values(scope["headers"], name)
        has_cookie = "authorization" not in headers
        if has_cookie:
            crossing.check(scope["method"], path, headers, caller, has_cookie=bool(cookies))
        if path in OPEN or path.startswith(STATIC):
            await self._app(scope, receive, send)
            return
        answer = self._turned_away(scope, caller, headers, cookies)
        if answer is not None:
            await answer(scope, receive, send)
            return
        record = self._bearer(headers, cookies, caller)
        await self._answer(record, scope, receive, send)

    def _caller(self, scope: Scope) -> Caller:
        caller = front.caller_of(self._front, _peer(scope), scope["scheme"], scope["headers"])
        front.check_host(self._front, caller.host, is_local=caller.is_local)
        port = (scope.get("client") or ("", 0))[1]
        scope["client"], scope["scheme"] = (caller.address, port), caller.scheme
        scope["armorstack.caller"] = caller
        return caller

    def _turned_away(
        self, scope: Scope, caller: Caller, headers: dict[str, str], cookies: list[str]
    ) -> Response | None:
        """The answer to a person whose browser has no session yet; None: nothing to be said."""
        if scope["method"] not in ("GET", "HEAD") or crossing.is_api(scope["path"]):
            return None
        if "authorization" in headers:
            return None
        token = QueryParams(scope["query_string"]).get("token")
        if token is not None:
            return self._signed_in(scope, caller, token)
        if self._has_session(cookies, caller):
            return None
        if crossing.comes_from_elsewhere(headers):
            return HTMLResponse(BOUNCE)
        self._porter.refused(missing(), caller.address, scope["method"], scope["path"])
        return to_sign_in(_own_url(scope))

    def _has_session(self, cookies: list[str], caller: Caller) -> bool:
        try:
            return bool(cookies) and bool(self._porter.by_cookies(cookies, caller.address))
        except Refusal as refusal:
            if refusal.reason == "limited":
                raise
            return False

    def _signed_in(self, scope: Scope, caller: Caller, token: str) -> Response:
        """The same page without the token in its address, for which the browser has a cookie."""
        try:
            return welcome(self._porter, caller, token, _own_url(scope))
        except Refusal as refusal:
            self._porter.refused(refusal, caller.address, scope["method"], scope["path"])
            return to_sign_in(_own_url(scope), refusal)

    def _bearer(self, headers: dict[str, str], cookies: list[str], caller: Caller) -> Record:
        said = headers.get("authorization")
        if said is None:
            return self._porter.by_cookies(cookies, caller.address)
        scheme, _, token = said.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            told = "Authorization is not of the form Bearer TOKEN"
            raise Refusal(told, status=401, reason="malformed")
        return self._porter.by_token(token.strip(), caller.address)

    async def _answer(self, record: Record, scope: Scope, receive: Receive, send: Send) -> None:
        scope["armorstack.grant"] = Grant(record.name, record.namespaces, record.admin)
        scope["armorstack.bearer"] = record
        path = scope["path"]
        if path in TOLD:
            self._porter.used("events exported", record, _peer(scope), path)
        holds = partial(self._porter.bearers.holds, record)
        # A stream that has nothing to say asks, so that it ends with its token all the same.
        scope["armorstack.allowed"] = holds
        try:
            with self._streams.entered(record.id, path):
                await self._app(scope, receive, _while(holds, send))
        except AccessError as error:
            if isinstance(error, Refusal):
                raise
            raise Refusal(str(error), status=403, reason="scope", hint=error.hint) from error
        except _Revoked:
            self._porter.used("answer ended: the token was revoked", record, _peer(scope), path)


class _Revoked(Exception):
    """The token that an answer was begun with is no longer good."""


def _while(holds: Callable[[], bool], send: Send) -> Send:
    async def checked(message: Message) -> None:
        if not holds():
            raise _Revoked
        await send(message)

    return checked


def welcome(porter: Porter, caller: Caller, token: str, url: str) -> Response:
    """A session for this token, and on to the URL. Raises Refusal."""
    record = porter.by_token(token, caller.address)
    value, seconds = porter.bearers.session(record)
    response = RedirectResponse(url, SEE_OTHER)
    name = cookie.name_of(porter.front.port, caller.scheme)
    cookie.give(response, name, value, caller.scheme, seconds)
    porter.used("signed in", record, caller.address)
    return response


def to_sign_in(url: str, refusal: Refusal | None = None) -> Response:
    """To the form where a token is entered, and from there to the URL."""
    asked = {"next": url} if url != "/" else {}
    if refusal is not None:
        asked["failed"] = "limited" if refusal.reason == "limited" else "wrong"
    query = f"?{urlencode(asked)}" if asked else ""
    return RedirectResponse(f"/sign-in{query}", SEE_OTHER)


def _own_url(scope: Scope) -> str:
    """Path and query of the request, without a token. `//host` would lead elsewhere."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = "/" + raw.decode("latin-1").lstrip("/\\")
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    query = urlencode([(name, value) for name, value in pairs if name != "token"])
    return f"{path}?{query}" if query else path


def _single_headers(scope: Scope) -> dict[str, str]:
    """The headers by name. Raises Refusal where one that decides comes twice, or the body is
    larger than any that is read here."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1")
        if key in found and key in ("authorization", "origin", "sec-fetch-site"):
            told = f"the request has more than one {key.title()}"
            raise Refusal(told, status=400, reason="malformed")
        found[key] = value.decode("latin-1")
    if int(found.get("content-length") or 0) > LONGEST_BODY:
        told = f"the request's body is longer than {LONGEST_BODY} bytes"
        raise Refusal(told, status=413, reason="malformed")
    return found


def _peer(scope: Scope) -> str:
    return str((scope.get("client") or ("", 0))[0])
