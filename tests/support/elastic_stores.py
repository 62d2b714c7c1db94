"""Rigs for the contract of stores over a real engine: filled through the sink, as it is in life.

Every filled store has a prefix of its own, so that all of them share one server, and takes its
indices and templates away again. Must not go here: what a store must answer; how servers start.
"""

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from armorstack.config import ElasticSink as Settings
from armorstack.core.batch import Batch
from armorstack.core.gap import Gap
from armorstack.engines.elastic.connection import Engine
from armorstack.engines.elastic.setup import apply, plan
from armorstack.sinks.elastic import ElasticSink
from armorstack.store.contract import EventStore
from armorstack.store.elastic import elastic_store
from tests.support.event_stores import Event, Rig, batch_of
from tests.support.stores import Clock

_numbers = itertools.count()


def settings_of(url: str) -> Settings:
    """Settings with a prefix that nobody else has."""
    return Settings(
        urls=(url,), prefix=f"e4t{os.getpid()}x{next(_numbers)}", replicas=0, period="month",
        max_age_days=0,
    )  # fmt: skip


@contextlib.contextmanager
def prepared(settings: Settings) -> Iterator[Engine]:
    """The engine with our templates; what was made below the prefix goes away again."""
    engine = Engine(settings)
    try:
        apply(engine, plan(engine, settings))
        yield engine
    finally:
        take_away(engine, settings.prefix)
        engine.close()


def take_away(engine: Engine, prefix: str) -> None:
    """Delete all indices and templates of this prefix."""
    listed = engine.demand("GET", f"/{prefix}-*", params={"filter_path": "*.aliases"}).json()
    if listed:
        engine.demand("DELETE", f"/{','.join(listed)}")
    for kind in ("_index_template", "_component_template"):
        named = engine.ask("GET", f"/{kind}/{prefix}*").json()
        for each in named.get(f"{kind[1:]}s", ()):
            engine.demand("DELETE", f"/{kind}/{each['name']}")


def refresh(engine: Engine, prefix: str) -> None:
    """Make all that was written searchable."""
    engine.demand("POST", f"/{prefix}-*/_refresh", params={"ignore_unavailable": "true"})


def rig_of(name: str, url: str) -> Rig:
    """A rig over this server."""

    @contextlib.contextmanager
    def filled(
        folder: Path, groups: Sequence[Sequence[Event]], gaps: Sequence[Gap]
    ) -> Iterator[EventStore]:
        settings = settings_of(url)
        with prepared(settings) as engine, contextlib.ExitStack() as opened:
            sink = ElasticSink(name, settings, folder, Clock())
            opened.callback(sink.close)
            sink.open()
            for number, events in enumerate(groups):
                batch = Batch(batch_of(events), tuple(gaps) if number == 0 else (), number + 1)
                outcome = sink.write(batch)
                assert outcome.accepted == len(events), outcome
            refresh(engine, settings.prefix)
            yield elastic_store(engine, settings.prefix, Clock())

    return Rig(name, filled)
