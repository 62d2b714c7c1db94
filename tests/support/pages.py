"""Further pages on a real socket, over a real store with the scripted incident in it.

Access is left out: everybody comes in with the grant that is set on `door`. Whole servers are the
matter of `tests/support/web.py`.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from armorstack.core.batch import Batch
from armorstack.core.decode import decode
from armorstack.core.gap import Gap
from armorstack.engines.duckdb.store import Store
from armorstack.errors import ArmorstackError
from armorstack.health import Health, health
from armorstack.sample import incident
from armorstack.sample.replay import stamped
from armorstack.spool.rows import row_of
from armorstack.state import ReceiverState, SinkState, SourceState, SpoolState, WorkerState
from armorstack.store.duckdb import LiveStore
from armorstack.web import static_files
from armorstack.web.desk import Desk, Keeping
from armorstack.web.pages import errors, event, executed, sign_in, status
from armorstack.web.server import Server, address, bind
from tests.support.api import Granted
from tests.support.stores import NOW_US, SECOND_US, open_store

SOURCE = SourceState("relay/relay.example:32767", "relay", connected=True,
                     since_us=NOW_US - 100 * SECOND_US, last_frame_us=NOW_US)  # fmt: skip
RECEIVER = ReceiverState(
    pid=1, started_us=NOW_US - 100 * SECOND_US, updated_us=NOW_US, phase="running", received=30,
    sources=(SOURCE,), spool=SpoolState(bytes=10, max_bytes=1 << 30),
)  # fmt: skip
WORKER = WorkerState(
    pid=2, started_us=NOW_US - 100 * SECOND_US, updated_us=NOW_US, phase="running",
    spool_ready=True, sinks=(SinkState(name="duckdb", is_open=True, stored=30),),
)  # fmt: skip


class Viewed:
    """A `View` that shows what it was told."""

    def __init__(self) -> None:
        self.receiver: ReceiverState | None = RECEIVER
        self.worker = WORKER
        self.heard: tuple[tuple[str, str, int], ...] = (("synthetic", "node-1", NOW_US),)

    def health(self) -> Health:
        return health(self.receiver, self.worker, NOW_US)

    def not_ready(self) -> str:
        return ""

    def metrics(self) -> bytes:
        return b""

    def nodes(self) -> tuple[tuple[str, str, int], ...]:
        return self.heard

    def keeping(self) -> Keeping | None:
        return Keeping(30.0, 0, 5 << 20)

    def with_source(self, **changes: Any) -> None:
        """A receiver whose only source is so."""
        self.receiver = replace(RECEIVER, sources=(replace(SOURCE, **changes),))


class Pages:
    """A server that answers, its store, its view."""

    def __init__(self, url: str, store: Store, view: Viewed, door: Granted) -> None:
        self.url, self.store, self.view, self.door = url, store, view, door
        self.fault: ArmorstackError | None = None
        self._last = 0

    def asked(self) -> LiveStore:
        """The store, unless a fault is set."""
        if self.fault:
            raise self.fault
        return LiveStore(self.store, lambda: NOW_US)

    def write(self, *events: tuple[str, dict[str, Any]], gaps: Sequence[Gap] = ()) -> None:
        """Store these events, as (stream, KubeArmor's members) each."""
        self._last += 1
        rows = [
            row_of([msgspec.json.encode(values) for each, values in events if each == stream],
                   source="relay", stream=stream, encoding="json", received_us=NOW_US)
            for stream in dict(events)
        ]  # fmt: skip
        for row in rows:
            found = decode([row])
            assert not found.rejected, found.rejected
            self.store.write(Batch(found.batch.rows, tuple(gaps), self._last))

    def write_rows(self, rows: Any) -> None:
        """Store these rows."""
        self._last += 1
        self.store.write(Batch(rows, (), self._last))

    def perform(self, start_us: int = NOW_US - 600 * SECOND_US) -> None:
        """Store the scripted incident, one event a second."""
        steps = incident.steps(0)
        self.write(*[
            (step.stream, stamped(step.values, start_us + n * SECOND_US))
            for n, step in enumerate(steps)
        ])  # fmt: skip

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=60, trust_env=False)

    def text(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Pages]:
    """The pages over an empty store, until left."""
    store, view = open_store(folder), Viewed()
    found: list[Pages] = []
    desk = Desk(view=view, store=lambda: found[0].asked(), now_us=lambda: NOW_US)
    rooms = (event, executed, status, sign_in, static_files)
    app = Starlette(
        routes=[route for room in rooms for route in room.routes(desk)],
        exception_handlers={ArmorstackError: _answer, HTTPException: _answer},
    )
    door = Granted(app)
    listener = bind("127.0.0.1:0")
    server = Server(door, listener)
    server.start()
    try:
        found.append(Pages(f"http://{address(listener)}", store, view, door))
        yield found[0]
    finally:
        server.stop()
        listener.close()
        store.close()


async def _answer(request: Request, error: Exception) -> Response:
    return errors.response(request, error)
