"""The API alone, on a real socket, without the access that a whole server puts in front of it.

And `Arriving`, the part of a store that streams ask, whose ring a test can cut and whose process
it can restart.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from armorstack.errors import ArmorstackError
from armorstack.health import Health
from armorstack.state import WorkerState
from armorstack.store.contract import Arrivals, Row
from armorstack.web.api import errors, routes
from armorstack.web.desk import Desk, Grant
from armorstack.web.server import Server, address, bind
from tests.support.policies import BOOK
from tests.support.stores import NOW_US, id_of

OWNER = Grant("owner", admin=True)


class Viewed:
    """A `View` of a worker that does nothing."""

    def health(self) -> Health:
        worker = WorkerState(pid=1, started_us=0, updated_us=0, resident_bytes=0)
        return Health("ok", (), None, worker)

    def not_ready(self) -> str:
        return ""

    def metrics(self) -> bytes:
        return b""

    def nodes(self) -> tuple[tuple[str, str, int], ...]:
        return ()

    def keeping(self) -> None:
        return None


class Granted:
    """Lets everybody in, with the grant and the check that are set here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.grant = OWNER
        self.allowed: Callable[[], bool] = lambda: True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["armorstack.grant"] = self.grant
        scope["armorstack.allowed"] = lambda: self.allowed()
        await self._app(scope, receive, send)


class Api:
    """A server that answers."""

    def __init__(self, url: str, door: Granted, stop: Callable[[], None]) -> None:
        self.url, self.door, self.stop = url, door, stop

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}/api/v1{path}", headers=headers, timeout=30, trust_env=False)

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @contextlib.contextmanager
    def stream(self, path: str = "/stream", **headers: str) -> Iterator["Messages"]:
        """A stream that is being read."""
        with (
            httpx.Client(trust_env=False, timeout=30) as client,
            client.stream("GET", f"{self.url}/api/v1{path}", headers=headers) as answer,
        ):
            assert answer.status_code == 200, answer.read()
            yield Messages(answer)


class Messages:
    """Server-sent events as they come."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()
        self.place = ""

    def next(self) -> tuple[str, Any]:
        """The next message: its event (empty: a stored event), its data."""
        said: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in said:
                self.place = said.get("id", self.place)
                return said.get("event", ""), json.loads(said["data"])
            name, _, value = line.partition(": ")
            if name:
                said[name] = value
        return "closed", None

    def events(self, count: int) -> list[Any]:
        """So many events; what else is told in between is passed over."""
        found: list[Any] = []
        while len(found) < count:
            kind, data = self.next()
            assert kind != "closed", f"closed after {len(found)} events"
            found += [data] if not kind else []
        return found

    def until(self, kind: str) -> Any:
        """The data of the next message of this kind."""
        while (told := self.next())[0] != kind:
            assert told[0] != "closed", f"closed before {kind}"
        return told[1]


@contextlib.contextmanager
def serving(store: Callable[[], Any]) -> Iterator[Api]:
    """The API over this store, until left."""
    view = Viewed()
    desk = Desk(view=view, store=store, now_us=lambda: NOW_US, book=BOOK)
    app = Starlette(
        routes=routes(desk),
        exception_handlers={ArmorstackError: _answer, 404: _answer, 405: _answer},
    )
    door = Granted(app)
    listener = bind("127.0.0.1:0")
    server = Server(door, listener)
    server.start()
    try:
        yield Api(f"http://{address(listener)}", door, server.stop)
    finally:
        server.stop()
        listener.close()


async def _answer(request: Request, error: Exception) -> Response:
    del request
    return errors.response(error)


class Arriving:
    """Events in the order in which they come. Places are `EPOCH.NUMBER`; the ring may be short.

    A place of another epoch is resumed at the event of the same number, as a store does that keeps
    what arrived.
    """

    def __init__(self, ring: int = 1_000_000) -> None:
        self.ring = ring
        self.epoch = 1
        self.polls = 0
        self.rows: list[Row] = []
        self.fault: ArmorstackError | None = None
        self._lock = threading.Lock()

    def add(self, keys: Sequence[object], **columns: Any) -> None:
        """One event per key comes."""
        fresh = [
            {"id": id_of(key), "time": NOW_US, "stream": "alert", "resource": str(key), **columns}
            for key in keys
        ]
        with self._lock:
            self.rows += fresh

    def restart(self) -> None:
        """Another process has the store from now on."""
        self.epoch += 1

    def arrivals(self, place: str = "", *, limit: int = 1000) -> Arrivals:
        """See `EventStore`."""
        with self._lock:
            self.polls += 1
            if self.fault:
                raise self.fault
            begin = int(place.partition(".")[2]) if place else len(self.rows)
            first = max(begin, len(self.rows) - self.ring)
            rows = tuple(self.rows[first : first + limit])
            return Arrivals(rows, f"{self.epoch}.{first + len(rows)}", first - begin)

    def within(self, namespaces: Sequence[str]) -> "Within":
        """See `EventStore`."""
        return Within(self, namespaces)


class Within:
    """What somebody sees who may read some namespaces."""

    def __init__(self, whole: Arriving, namespaces: Sequence[str]) -> None:
        self._whole, self._namespaces = whole, namespaces

    def arrivals(self, place: str = "", *, limit: int = 1000) -> Arrivals:
        """See `EventStore`."""
        found = self._whole.arrivals(place, limit=limit)
        rows = tuple(r for r in found.rows if r.get("namespace_name") in self._namespaces)
        return Arrivals(rows, found.place)
