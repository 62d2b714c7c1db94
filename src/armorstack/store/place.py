"""Where events are asked: from a worker that runs, on disk beside it, or far away.

Invariant: a worker that runs is asked first, since it knows what is in no part yet; where it cannot
answer, the parts on disk do, and a remark says what may be missing. Nothing is locked or made.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from msgspec import Struct

from armorstack.config import Config, DuckdbSink, ElasticSink
from armorstack.config.sinks import first_searched
from armorstack.core.gap import Gap, decode_gaps
from armorstack.errors import ArmorstackError, ConfigError, StoreError
from armorstack.open_gaps import open_gaps
from armorstack.spool.history import look
from armorstack.state import ReceiverState, WorkerState, read_state, receiver_path, worker_path
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore
from armorstack.store.remote import Address, Link, RemoteStore
from armorstack.store.remote.snapshot import tail_of
from armorstack.store.sql import NO_TAIL, Tail

MAY_MISS = "what came in the last minutes may be missing"
LIVE_S = 60
"""A report that is older is of a worker that has died."""
_PROBE_S = 10.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
"""Addresses that listen on all, and those that reach them from here."""


class Reach(Struct, frozen=True):
    """Something that can be asked."""

    store: EventStore
    link: Link | None = None
    """How to reach the API, where there is one."""
    remark: str = ""
    """What a person should know about the answers; empty: nothing."""


class Place(Protocol):
    """Where events are asked. What is there may change: a worker ends, another begins."""

    @property
    def is_here(self) -> bool:
        """Whether it is this machine's, so that a worker that is not there yet may be waited
        for."""

    def reach(self) -> contextlib.AbstractContextManager[Reach]:
        """What answers just now. Raises an error of ours where nothing does."""

    def link(self) -> Link | None:
        """The API that answers just now; None: there is none yet. Raises an error of ours where it
        may not be asked."""

    def sql(self) -> tuple[Path, Callable[[], Tail], str]:
        """For SQL in this process: the store's folder, what gives the rows that are in no part yet,
        and a remark. Raises StoreError where there is no such folder."""


class Elsewhere(Struct, frozen=True):
    """An armorstack at an address."""

    there: Link
    is_here: bool = False

    @contextlib.contextmanager
    def reach(self) -> Iterator[Reach]:
        """See `Place`."""
        yield Reach(RemoteStore(self.there), self.there)

    def link(self) -> Link | None:
        """See `Place`."""
        return self.there

    def sql(self) -> tuple[Path, Callable[[], Tail], str]:
        """See `Place`."""
        hint = "run it where the data folder is, or ask with --top, --count or `armorstack export`"
        raise StoreError("SQL is not sent to another machine", hint=hint)


class FileOfLines(Struct, frozen=True):
    """Lines of events, which are read once."""

    file: IO[bytes]
    is_here: bool = True

    @contextlib.contextmanager
    def reach(self) -> Iterator[Reach]:
        """See `Place`."""
        from armorstack.store.duckdb import LinesStore
        from armorstack.store.lines import Lines

        lines = Lines(self.file, time.time_ns() // 1000)
        with LinesStore(lines.batches()) as store:
            unread = f"{lines.unread:,} lines are no events; not counted." if lines.unread else ""
            yield Reach(store, remark=unread)

    def link(self) -> Link | None:
        """See `Place`."""
        raise StoreError("lines of a file are no store that can be followed")

    def sql(self) -> tuple[Path, Callable[[], Tail], str]:
        """See `Place`."""
        hint = "let `armorstack run --file` store them"
        raise StoreError("SQL is for what is stored", hint=hint)


class Local(Struct, frozen=True):
    """The data folder of these settings."""

    config: Config
    is_here: bool = True

    @contextlib.contextmanager
    def reach(self) -> Iterator[Reach]:
        """The worker if it runs and answers, else the parts on disk."""
        from armorstack.store.duckdb import PartsStore

        link, remark = self.worker()
        if link:
            yield Reach(RemoteStore(link), link)
            return
        first = first_searched(self.config.sink.values())
        if isinstance(first, ElasticSink):
            with self._engine(first) as over:
                yield Reach(over, None, remark)
            return
        with PartsStore(self.root(), gaps=self._gaps) as store:
            yield Reach(store, None, remark)

    def worker(self) -> tuple[Link | None, str]:
        """The worker's API if it answers; else None, and what that means for answers."""
        try:
            link = self.link()
            if link is not None:
                link.ask("health", [], Budget(_PROBE_S))
            return link, ""
        except ArmorstackError as error:
            return None, f"{MAY_MISS}, since the worker does not answer: {error}"

    def link(self) -> Link | None:
        """The API of the worker that runs on this folder."""
        state = read_state(worker_path(self.config.data_dir), WorkerState)
        if state is None or state.phase == "stopped" or not state.http:
            return None
        if time.time() - state.updated_us / 1e6 > LIVE_S:
            return None
        return Link(own_address(self.config, state.http))

    def sql(self) -> tuple[Path, Callable[[], Tail], str]:
        """See `Place`."""
        link, remark = self.worker()
        return self.root(), partial(tail_of, link) if link else lambda: NO_TAIL, remark

    def root(self) -> Path:
        """The folder of the embedded store. Raises ConfigError or StoreError."""
        root = _sink(self.config)[1]
        if not root.is_dir():
            hint = "start `armorstack run`, name another folder with --data-dir, or read --file"
            raise StoreError(f"there is no store in {root} yet", hint=hint)
        return root

    @contextlib.contextmanager
    def _engine(self, settings: ElasticSink) -> Iterator[EventStore]:
        """The store over this engine, asked from here."""
        from armorstack.engines.elastic.connection import Engine
        from armorstack.store.elastic import elastic_store

        engine = Engine(settings)
        try:
            yield elastic_store(engine, settings.prefix, open_gaps=self._open_gaps)
        finally:
            engine.close()

    def _open_gaps(self) -> tuple[Gap, ...]:
        """Gaps that have not ended."""
        receiver = read_state(receiver_path(self.config.data_dir), ReceiverState)
        return open_gaps(receiver, time.time_ns() // 1000)

    def _gaps(self, start_us: int | None, end_us: int | None) -> Iterator[Gap]:
        """Gaps that the worker noted, which lie beside the spool, and those that are open."""
        now_us = time.time_ns() // 1000
        since_us, until_us = start_us or 0, now_us if end_us is None else end_us
        yield from decode_gaps(look(Path(self.config.data_dir) / "spool", since_us, until_us).gaps)
        for gap in self._open_gaps():
            if since_us <= gap.end_us and gap.start_us < until_us:
                yield gap


def elsewhere(url: str, token: str, ca_file: str = "") -> Elsewhere:
    """The armorstack at this address. Raises StoreError where the address cannot be used."""
    return Elsewhere(Link(Address(url, token, ca_file)))


def own_address(config: Config, http: str) -> Address:
    """The address of the worker here, with the owner's token. Raises StoreError without it."""
    file = Path(config.data_dir) / "web" / "token"
    try:
        token = file.read_text("ascii", "replace").strip()
    except OSError as error:
        hint = "run this as the user that runs armorstack, or use --url with a token of your own"
        raise StoreError(f"the token of the worker cannot be read: {error}", hint=hint) from error
    if not config.web.tls.cert_file:
        return Address(f"http://{_reachable(http)}", token)
    return Address(f"https://{_reachable(http)}", token, pinned=config.web.tls.cert_file)


def _reachable(http: str) -> str:
    """An address of this machine where one says every address."""
    host, _, port = http.rpartition(":")
    return f"{_EVERYWHERE.get(host, host)}:{port}"


def _sink(config: Config) -> tuple[DuckdbSink, Path]:
    """The first embedded store of the settings, and its folder."""
    for settings in config.sink.values():
        if isinstance(settings, DuckdbSink):
            return settings, Path(settings.path or Path(config.data_dir) / "store").absolute()
    hint = "give events with --file, or add a sink of type duckdb"
    raise ConfigError("$.sink: none is an embedded store", hint=hint)
