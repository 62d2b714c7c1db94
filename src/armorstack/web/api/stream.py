"""The live stream: events in the order in which they arrive, by server-sent events.

Invariant: a stream costs a waiting coroutine and its place in the feed; it ends when the client
leaves or takes nothing for a minute, when its token is no longer good, and when the server ends.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from armorstack.core.query.asked import DEFAULT_FROM, DEFAULT_TO, Asked
from armorstack.errors import QueryStopped
from armorstack.store.budget import QUESTION_S
from armorstack.store.event_json import SHOWN, columns_of
from armorstack.web.api import messages
from armorstack.web.api.endpoint import Call, head
from armorstack.web.api.events import ALWAYS
from armorstack.web.api.feed import Feed
from armorstack.web.api.listener import Listener
from armorstack.web.api.messages import Audience
from armorstack.web.api.parameters import ColumnNames, PlaceText
from armorstack.web.desk import grant_of

MEDIA_TYPE = "text/event-stream"
STALLED_S = 60.0
DOC = (
    "A message without `event:` is an event, as in `/events`. `alive` comes at the beginning and "
    "each 15 s with the place; `gap` says how many events are not in the stream, since the client "
    "was too slow (`slow`) or the place too old (`missed`); `end` says why the stream ends. "
    "`Last-Event-ID`, or `last_event_id`, resumes. A span is heeded where one is given."
)
COLS = ColumnNames("cols", "Members to show, separated by commas; id, time, stream come anyway.",
                   SHOWN)  # fmt: skip
LAST = PlaceText("last_event_id", "The last `id:` that was received, to go on behind it.", "")
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


async def stream(call: Call) -> Response:
    """The stream, once the store has said where now is."""
    store, place = call.store(), _last(call)
    if call.request.method == "HEAD":
        return head(HEADERS | {"content-type": MEDIA_TYPE})
    audience, listener = _audience(call), Listener(_is_allowed(call.request))
    if place:
        listener.hold()
    try:
        async with asyncio.timeout(QUESTION_S):
            now = await call.feed.join(audience, listener)
    except BaseException as error:
        call.feed.leave(audience, listener)
        if isinstance(error, TimeoutError):
            raise QueryStopped("the store does not say what arrives", hint="try again") from error
        raise
    group = call.feed.group(audience)
    before = call.feed.since(place, group, listener, store) if place else _here(now)
    return EventStream(call.feed, audience, listener, before)


class EventStream(Response):
    """The response: what came before, then whatever the listener is given."""

    def __init__(
        self, feed: Feed, audience: Audience, listener: Listener, before: AsyncIterator[bytes]
    ) -> None:
        super().__init__(headers=HEADERS, media_type=MEDIA_TYPE)
        del self.headers["content-length"]
        self._feed, self._audience = feed, audience
        self._listener, self._before = listener, before

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until either side ends."""
        watch = asyncio.create_task(self._watch(receive))
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            await self._send_all(send)
        except (TimeoutError, asyncio.CancelledError):
            # The client takes nothing, or the server ends: the client may come again.
            pass
        finally:
            watch.cancel()
            self._feed.leave(self._audience, self._listener)
            with contextlib.suppress(asyncio.CancelledError):
                await watch
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, send: Send) -> None:
        await _send(send, messages.RETRY)
        async for text in self._before:
            await _send(send, text)
        while text := await self._listener.take():
            await _send(send, text)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._listener.leave()


async def _send(send: Send, text: bytes) -> None:
    async with asyncio.timeout(STALLED_S):
        await send({"type": "http.response.body", "body": text, "more_body": True})


async def _here(place: str) -> AsyncIterator[bytes]:
    """What a stream begins with that resumes nothing."""
    yield messages.alive(place).text


def _last(call: Call) -> str:
    """Where to go on. The header is sent by browsers that reconnect, so it is the newer one."""
    header = call.request.headers.get("last-event-id", "")
    return LAST.read([header]) if header else call.get(LAST)


def _is_allowed(request: Request) -> Callable[[], bool]:
    """Asks again what the access middleware said of the token; it is cheap to ask."""
    asked = request.scope.get("armorstack.allowed")
    return asked if callable(asked) else lambda: True


def _audience(call: Call) -> Audience:
    asked, namespaces = call.asked, grant_of(call.request).namespaces
    names = (*ALWAYS, *(name for name in call.get(COLS) if name not in ALWAYS))
    is_spanned = _names_a_span(asked)
    return Audience(
        tree=asked.question.tree(),
        namespaces=None if namespaces is None else frozenset(namespaces),
        columns=tuple(columns_of(names)),
        start_us=asked.start_us if is_spanned else None,
        end_us=asked.end_us if is_spanned else None,
    )


def _names_a_span(asked: Asked) -> bool:
    """Whether a span was asked for: by default an event is shown when it arrives, however old."""
    return (asked.start, asked.end) != (DEFAULT_FROM, DEFAULT_TO)
