"""The newest versions of both engines: the same code, once through everything."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pytest
from msgspec.structs import replace

from armorstack.core.decode import decode
from armorstack.core.query.question import Question
from armorstack.engines.elastic.retention import list_kept, retain
from armorstack.engines.elastic.setup import plan
from armorstack.sample.recorded import events
from armorstack.sinks.elastic import ElasticSink
from armorstack.spool.rows import Row, row_of
from armorstack.store.contract import EventStore
from armorstack.store.duckdb import LiveStore
from tests.contract.test_event_store import GAP, LATER, QUESTIONS
from tests.engines.test_faults import ids_or_none
from tests.engines.test_migrate_elastic import (
    test_indices_of_the_relay_s_adapters_are_moved_each_event_once as check_migrate,
)
from tests.support.elastic_stores import prepared, rig_of, settings_of
from tests.support.engines import NEWER, Server, running
from tests.support.event_stores import embedded, keys, patience, put, varied
from tests.support.stores import DAY_US, NOW_US, Clock, batch, id_of

FIELDS = ["namespace", "severity", "tag"]


@pytest.fixture(params=["opensearch", "elasticsearch"], scope="module")
def newer(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(request.param, version=NEWER[request.param]) as server:
        yield server


def test_it_is_known_and_set_up_once(newer: Server) -> None:
    settings = settings_of(newer.url)
    with prepared(settings) as engine:
        assert engine.dialect.name == newer.kind
        assert ".".join(map(str, engine.dialect.version)) == NEWER[newer.kind]
        assert plan(engine, settings) == []
        other = replace(settings, shards=2)
        assert [change.kind for change in plan(engine, other)] == ["update"] * 5


def test_recorded_events_are_stored_once_and_go_when_they_are_old(
    newer: Server, tmp_path: Path
) -> None:
    settings = replace(settings_of(newer.url), period="day", max_age_days=30.0)
    with prepared(settings) as engine:
        sink = ElasticSink("es", settings, tmp_path, Clock())
        sink.open()
        recorded = decode([_recorded("alert"), _recorded("log")]).batch
        late = batch(9, ["late"], at_us=NOW_US - 90 * DAY_US, gaps=[GAP])
        distinct = len(set(recorded.rows.column("id").to_pylist()))
        first, again = sink.write(recorded), sink.write(recorded)
        assert first.accepted == distinct
        assert (again.accepted, again.duplicates) == (0, len(recorded.rows))
        assert sink.write(late).accepted == 1
        # A gap is a document as well.
        found = ids_or_none(newer, settings.prefix)
        assert len(found) == len(set(found)) == distinct + 2
        assert retain(engine, settings, NOW_US + 60 * DAY_US) == {"age": distinct + 1}
        assert list_kept(engine, settings.prefix) == []
        sink.close()


def _recorded(stream: Literal["alert", "log"]) -> Row:
    frames = [json.dumps(each).encode() for each in islice(events(stream), 50)]
    return row_of(frames, source="file/a", stream=stream, encoding="json", received_us=NOW_US)


READINGS: dict[str, Callable[[EventStore, Question], Any]] = {
    "events": lambda store, asked: keys(store.events(asked, patience(), size=100).rows),
    "count": lambda store, asked: store.count(asked, patience()),
    "histogram": lambda store, asked: store.histogram(asked, patience(), by="action"),
    "facets": lambda store, asked: [
        (each.field, each.values, each.rest)
        for each in store.facets(asked, patience(), fields=FIELDS)
    ],
    "top": lambda store, asked: [
        (each.values, each.count)
        for each in store.top(asked, patience(), fields=["namespace", "policy"]).groups
    ],
    "seen": lambda store, asked: store.seen(asked, patience()),
    "stream": lambda store, asked: sorted(
        key
        for each in store.stream(asked, patience(), columns=["resource"])
        for key in each.column("resource").to_pylist()
    ),
    "newest": lambda store, asked: store.newest(),
    "within": lambda store, asked: keys(
        store.within(["shop"]).events(asked, patience(), size=100).rows
    ),
    "gaps": lambda store, asked: store.gaps(None, None),
    "event": lambda store, asked: store.event(id_of(7), patience()),
}


@pytest.fixture(scope="module")
def both(
    newer: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[EventStore, EventStore]]:
    """The same events in the engine and in the embedded store."""
    folder = tmp_path_factory.mktemp("both")
    with (
        rig_of(newer.kind, newer.url).filled(folder, varied(), [LATER, GAP]) as asked,
        embedded(folder / "embedded") as store,
    ):
        for number, group in enumerate(varied()):
            put(store, group, number + 1, [LATER, GAP] if number == 0 else ())
        yield asked, LiveStore(store, Clock())


@pytest.mark.parametrize("reading", READINGS)
def test_it_answers_as_the_embedded_store_does(
    both: tuple[EventStore, EventStore], reading: str
) -> None:
    asked, known = both
    ask = READINGS[reading]
    for name, question in QUESTIONS.items():
        assert ask(asked, question) == ask(known, question), name
    with asked.at_one_moment() as one:
        assert ask(one, Question()) == ask(known, Question())


def test_what_the_relay_s_adapter_wrote_is_moved(newer: Server, tmp_path: Path) -> None:
    check_migrate(tmp_path, newer, "kubearmor-alerts")
