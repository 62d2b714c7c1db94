"""The main path: configuration → receiver process, worker process.

Here the rooms are put together and nothing else happens. Each function runs one process from its
start to its end. What each imports is loaded when it is called: the receiver must stay free of
Arrow and DuckDB, the supervisor of all that and of gRPC.
"""

import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from armorstack import log, runlock
from armorstack.config import Config, DuckdbSink, ElasticSink, Sink, source_name
from armorstack.config.sinks import first_searched
from armorstack.control import Orders
from armorstack.errors import ConfigError

if TYPE_CHECKING:
    from armorstack.core.gap import Gap
    from armorstack.engines.duckdb.store import Store
    from armorstack.sinks.contract import Sink as SinkContract
    from armorstack.store.contract import EventStore

TAKE_OVER_S = 2.0
"""How long a process waits for its killed predecessor's lock."""


def require_sources(config: Config) -> None:
    """Raise `ConfigError` when there is nothing to receive from."""
    if not config.source:
        hint = (
            "give --relay HOST:PORT, --file PATH, --stdin or --sample, "
            "or [[source]] in a file named with --config"
        )
        raise ConfigError("$.source: no source of events is given", hint=hint)


def run_receiver(config: Config, orders: Orders) -> None:
    """Receive until told to stop or until every source is finished."""
    from armorstack.receiver import Receiver
    from armorstack.sources import make_source

    _begin("receiver", config)
    require_sources(config)
    with runlock.hold(config.data_dir, "receiver", TAKE_OVER_S):
        names = [source_name(source) for source in config.source]
        structlog.get_logger().info("receiver starts", sources=names, data_dir=config.data_dir)
        Receiver(config, make_source, orders).run()
        structlog.get_logger().info("receiver ends")


def run_worker(config: Config, orders: Orders, listener: socket.socket | None = None) -> None:
    """Store and answer until told to stop, or until the spool is empty after a `drain`."""
    import pyarrow

    from armorstack.core.decode import decode
    from armorstack.core.rules import compile_rules
    from armorstack.pipeline.job import Job
    from armorstack.policy_watch import watched
    from armorstack.sinks import make_sink
    from armorstack.web.access.bearers import Bearers
    from armorstack.web.access.front import GIVE_TLS, PLAIN, front_of
    from armorstack.web.access.porter import Porter
    from armorstack.web.app import build
    from armorstack.web.desk import Desk
    from armorstack.web.server import Server, address, bind, tls_context
    from armorstack.web.warming import Warming
    from armorstack.worker import Worker

    _begin("worker", config)
    # Arrow's own pool keeps what it had: at 10,000 events/s 40 MB more than the system's.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    with (
        runlock.hold(config.data_dir, "worker", TAKE_OVER_S),
        listener or bind(config.web.listen) as bound,
        ExitStack() as held,
    ):
        folder = Path(config.data_dir)
        leader = leading_sink(config)
        jobs = [
            Job(
                sink=make_sink(name, sink, folder),
                decode=partial(decode, keep_original=keeps_original(sink)),
                rules=compile_rules(config, name),
                leads=name == leader,
                max_lag_s=sink.max_lag_s,
            )
            for name, sink in config.sink.items()
        ]
        front = front_of(config.web, bound.getsockname()[:2])
        porter = Porter(Bearers(config.data_dir), front)
        worker = Worker(config, jobs, orders, address(bound), porter.denied)
        store = searched(config, [job.sink for job in jobs], worker.open_gaps, held)
        book = held.enter_context(watched(config, store, _now_us))
        desk = Desk(worker, store, _now_us, book)
        server = Server(build(desk, porter), bound, tls_context(config.web.tls))
        server.start()
        warming = Warming(store)
        warming.start()
        if not front.shows_events:
            structlog.get_logger().warning(PLAIN, http=address(bound), hint=GIVE_TLS)
        structlog.get_logger().info("worker starts", http=address(bound), data_dir=config.data_dir)
        try:
            worker.run()
        finally:
            warming.stop()
            server.stop()
        structlog.get_logger().info("worker ends")


def searched(
    config: Config, sinks: Sequence["SinkContract"], open_gaps: "Callable[[], Iterable[Gap]]",
    held: ExitStack,
) -> Callable[[], "EventStore"]:  # fmt: skip
    """What gives the store that pages and API ask: that of the first sink which has one.

    `open_gaps` are those that have not ended, which no store knows yet; `held` closes what is
    opened here.
    """
    from armorstack.errors import EngineError, StoreError

    first = first_searched(config.sink.values())
    if isinstance(first, ElasticSink):
        from armorstack.engines.elastic.connection import Engine
        from armorstack.store.elastic import elastic_store

        engine = held.enter_context(closing(Engine(first)))
        over = elastic_store(
            engine, first.prefix, open_gaps=open_gaps, folder=Path(config.data_dir)
        )
        return lambda: over
    # A worker that stores elsewhere does not load DuckDB, which takes 20 MB.
    from armorstack.sinks.duckdb import StoreSink
    from armorstack.store.duckdb import LiveStore

    sink = next((each for each in sinks if isinstance(each, StoreSink)), None)
    asked: list[tuple[Store, LiveStore]] = []

    def store() -> LiveStore:
        if sink is None:
            hint = "add [sink.duckdb] or [sink.elastic] to the settings"
            raise StoreError("no sink keeps events so that they can be searched", hint=hint)
        try:
            held = sink.store
        except EngineError as error:
            hint = "look again in a moment; /ready says what it waits for"
            raise StoreError("the store is not open yet", hint=hint) from error
        # A sink that broke down opens another store.
        if not asked or asked[0][0] is not held:
            asked[:] = [(held, LiveStore(held, open_gaps=open_gaps))]
        return asked[0][1]

    return store


def vet(config: Config) -> None:
    """Raise `ConfigError` where these settings could not be run; nothing is opened or reached."""
    from armorstack.core.rules import compile_rules
    from armorstack.sinks import make_sink
    from armorstack.sources import make_source

    for source in config.source:
        make_source(source)
    for name, sink in config.sink.items():
        make_sink(name, sink, Path(config.data_dir))
    compile_rules(config)


def leading_sink(config: Config) -> str:
    """The sink in whose loop events, gaps and nodes are counted: one that must not fall behind."""
    required = [name for name, sink in config.sink.items() if sink.required]
    return (required or list(config.sink))[0]


def keeps_original(sink: Sink) -> bool:
    """Whether the sink wants each event's bytes as they came."""
    return isinstance(sink, DuckdbSink | ElasticSink) and sink.keep_original


def _now_us() -> int:
    return time.time_ns() // 1000


def _begin(process: str, config: Config) -> None:
    """What each process does first. Files of engines are for their owner alone, too."""
    os.umask(0o077)
    log.configure(process, config.log)
