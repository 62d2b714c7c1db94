"""The HTTP side on a real socket, over a real store with the sample's events.

`serving(tmp_path)` is for tests; `python -m tests.support.web [DIR]` prints an address to open in a
browser, and goes on storing events until it is interrupted.
"""

import itertools
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from armorstack import log
from armorstack.config import DuckdbSink, Log, Web, WebTls
from armorstack.core.decode import decode
from armorstack.core.gap import Gap, encode_gap
from armorstack.engines.duckdb.store import Store
from armorstack.health import Health, health
from armorstack.policies.book import Book
from armorstack.sample.recorded import encode
from armorstack.sample.replay import plan, stamped
from armorstack.spool.rows import Row, row_of
from armorstack.state import ReceiverState, SinkState, SourceState, SpoolState, WorkerState
from armorstack.store.duckdb import LiveStore
from armorstack.web.access.attempts import Attempts
from armorstack.web.access.bearers import Bearers
from armorstack.web.access.front import front_of
from armorstack.web.access.owner import folder_of, owner_token
from armorstack.web.access.porter import Porter
from armorstack.web.access.register import Record, Register
from armorstack.web.access.token import digest, make
from armorstack.web.app import build
from armorstack.web.desk import Desk, Keeping
from armorstack.web.server import Server, address, bind, tls_context

EVENTS = 400
"""The incident and what lies between its steps."""
MINUTE_US = 60_000_000
TRUST = ssl.create_default_context()
"""Made once: reading the authorities of the system takes longer than most requests."""


def now_us() -> int:
    return time.time_ns() // 1000


class Sight:
    """A worker's view of itself, without a worker."""

    def __init__(self) -> None:
        self.reason = ""

    def health(self) -> Health:
        at = now_us()
        source = SourceState("relay/sample", "relay", connected=True, last_frame_us=at)
        receiver = ReceiverState(
            pid=1, started_us=at - MINUTE_US, updated_us=at, phase="running",
            sources=(source,), spool=SpoolState(max_bytes=2**32), received=EVENTS,
        )  # fmt: skip
        sinks = (SinkState(name="duckdb", is_open=True, stored=EVENTS),)
        worker = WorkerState(
            pid=2, started_us=at - MINUTE_US, updated_us=at, phase="running", spool_ready=True,
            sinks=sinks,
        )  # fmt: skip
        return health(receiver, worker, at)

    def not_ready(self) -> str:
        return self.reason

    def metrics(self) -> bytes:
        return b"# none\n"

    def nodes(self) -> tuple[tuple[str, str, int], ...]:
        return (("synthetic", "synthetic-node-1", now_us()), ("synthetic", "synthetic-node-2", 1))

    def keeping(self) -> Keeping | None:
        return Keeping(max_age_days=30.0, max_bytes=0, disk_bytes=123_456)


class Site:
    """What is served, and what it is served from."""

    def __init__(self, url: str, data_dir: Path, store: Store, porter: Porter, app: Any) -> None:
        self.url, self.data_dir, self.store, self.porter, self.app = (
            url, data_dir, store, porter, app,
        )  # fmt: skip
        self.token = owner_token(str(data_dir))
        self.register = Register(folder_of(str(data_dir)))
        self._seq = itertools.count(10_000)

    def get(self, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        """GET with this token, the owner's unless another is given; an empty one: none."""
        return self.ask("GET", path, token, **options)

    def ask(
        self, method: str, path: str, token: str | None = None, headers: Any = None, **options: Any
    ) -> httpx.Response:
        token = self.token if token is None else token
        headers = ({"authorization": f"Bearer {token}"} if token else {}) | (headers or {})
        options = {"timeout": 30, "trust_env": False, "verify": TRUST} | options
        return httpx.request(method, self.url + path, headers=headers, **options)

    def make_token(
        self, name: str, *namespaces: str, admin: bool = False, expires_s: int | None = None
    ) -> str:
        """A token, as `armorstack token create` makes it."""
        text = make()
        self.register.add(
            Record(name, digest(text), int(time.time()), expires_s, namespaces or None, admin)
        )
        return text

    def write(self, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Store events more: stream and PascalCase values each."""
        self.store.write(decode(rows_of(events, next(self._seq))).batch)


def rows_of(events: Sequence[tuple[str, dict[str, Any]]], first_seq: int = 1) -> list[Row]:
    """Spool rows with these events, as the sample's relay would have sent them."""
    return [
        row_of(
            [encode(stream, values)],
            source="relay/sample",
            stream=stream,
            encoding="protobuf",
            received_us=now_us(),
            seq=first_seq + number,
        )
        for number, (stream, values) in enumerate(events)
    ]


def sample_events(count: int = EVENTS, over_us: int = 20 * 3600_000_000) -> list[tuple[str, Any]]:
    """The sample's first events, spread evenly over the time until now."""
    end = now_us()
    planned = list(itertools.islice(plan(20.0, 7), count))
    return [
        (each.stream, stamped(each.values, end - (count - number) * over_us // count))
        for number, each in enumerate(planned)
    ]


def fill(store: Store, count: int = EVENTS) -> None:
    """The sample's events, half of them in a part, and a gap."""
    events = sample_events(count)
    half = len(events) // 2
    store.write(decode(rows_of(events[:half])).batch)
    store.flush()
    end = now_us()
    gap = Gap("disconnect", "relay/sample", end - 120 * MINUTE_US, end - 100 * MINUTE_US)
    row = row_of(
        [encode_gap(gap)], source="relay/sample", stream="gap", encoding="json", seq=half + 1
    )
    store.write(decode([row, *rows_of(events[half:], half + 2)]).batch)


@contextmanager
def serving(
    folder: Path, *, events: int = EVENTS, web: Web | None = None, tls: WebTls | None = None,
    store_settings: DuckdbSink | None = None, attempts: Attempts | None = None,
    book: Book | None = None,
) -> Iterator[Site]:  # fmt: skip
    """The application over a store in this folder, on a free port of the loopback address."""
    log.configure("web", Log(format="json"))
    web = web or Web(listen="127.0.0.1:0", tls=tls or WebTls())
    settings = store_settings or DuckdbSink(part_interval_s=1e9, max_age_days=0.0)
    store = Store.open(folder / "store", settings, now_us)
    try:
        if events:
            fill(store, events)
        with bind(web.listen) as bound:
            front = front_of(web, bound.getsockname()[:2])
            porter = Porter(Bearers(str(folder)), front, attempts)
            live = LiveStore(store)
            app = build(Desk(Sight(), lambda: live, now_us, book), porter)
            server = Server(app, bound, tls_context(web.tls))
            server.start()
            scheme = "https" if web.tls.cert_file else "http"
            try:
                yield Site(f"{scheme}://{address(bound)}", folder, store, porter, app)
            finally:
                server.stop()
    finally:
        store.close()


def _serve_for_people(folder: Path, listen: str) -> None:
    stop = threading.Event()
    with serving(folder, events=2000, web=Web(listen=listen)) as site:
        print(f"{site.url}/?token={site.token}", flush=True)
        for number, each in enumerate(plan(20.0, 8)):
            site.write([(each.stream, stamped(each.values, now_us()))])
            if number % 1000 == 999:
                site.store.flush()
            if stop.wait(each.wait_s):
                break


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    with suppress(KeyboardInterrupt):
        _serve_for_people(where, sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:0")
