"""What is read from an engine beside the contract: arrivals, pages over HTTP, what goes wrong."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from armorstack.config import Config, ElasticSink, Web
from armorstack.core.decode import decode
from armorstack.core.query.question import Question
from armorstack.engines.elastic.connection import Engine
from armorstack.errors import StoreError
from armorstack.sinks.elastic import ElasticSink as Sink
from armorstack.store.contract import EventStore, Row
from armorstack.store.elastic import elastic_store
from armorstack.store.place import Local
from armorstack.web.access.bearers import Bearers
from armorstack.web.access.front import front_of
from armorstack.web.access.owner import owner_token
from armorstack.web.access.porter import Porter
from armorstack.web.app import build
from armorstack.web.desk import Desk
from armorstack.web.server import Server, address, bind
from tests.support.elastic_stores import prepared, refresh, settings_of
from tests.support.event_stores import Event, batch_of, event, keys, patience
from tests.support.stores import NOW_US, SECOND_US, Clock
from tests.support.web import Sight, now_us, rows_of, sample_events

PATIENCE_S = 20.0


class Bench:
    """An engine with templates, a sink to write through, and what makes stores over it."""

    def __init__(self, engine: Engine, settings: ElasticSink, folder: Path) -> None:
        self.engine, self.settings, self.folder = engine, settings, folder
        self._sink = Sink("elastic", settings, folder, Clock())
        self._last = 0

    def put(self, *events: Event) -> None:
        """Store these events, searchable at once."""
        self.write(batch_of(events))

    def write(self, rows: object) -> None:
        from armorstack.core.batch import Batch

        self._last += 1
        outcome = self._sink.write(Batch(rows, (), self._last))  # type: ignore[arg-type]
        assert not outcome.rejected
        refresh(self.engine, self.settings.prefix)

    def store(self, clock: Callable[[], int] | None = None) -> EventStore:
        """A new one, as after a restart."""
        return elastic_store(
            self.engine, self.settings.prefix, clock or Clock(), folder=self.folder
        )

    def close(self) -> None:
        self._sink.close()


@pytest.fixture(params=["opensearch", "elasticsearch"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Over each engine."""
    settings = settings_of(request.getfixturevalue(f"{request.param}_server").url)
    with prepared(settings) as engine, ExitStack() as opened:
        made = Bench(engine, settings, tmp_path)
        opened.callback(made.close)
        yield made


def came(store: EventStore, place: str, count: int) -> tuple[list[Row], str]:
    """The next events behind the place, as soon as there are so many."""
    rows: list[Row] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(rows) < count and time.monotonic() < deadline:
        found = store.arrivals(place, limit=2)
        rows += found.rows
        place = found.place
        assert not found.missed
        time.sleep(0.05)
    return rows, place


def test_what_comes_is_given_once_in_the_order_of_its_arrival(bench: Bench) -> None:
    bench.put(event("old"))
    store = bench.store()
    place = store.arrivals().place
    assert store.arrivals(place).rows == ()
    bench.put(event("b", NOW_US - 5, received=NOW_US + 2), event("a", received=NOW_US + 1))
    rows, place = came(store, place, 2)
    assert keys(rows) == ["a", "b"]
    # It was received before those, but can be searched only now.
    bench.put(event("late", received=NOW_US - SECOND_US), event("c", received=NOW_US + 3))
    rows, place = came(store, place, 2)
    assert keys(rows) == ["late", "c"]
    assert store.arrivals(place).rows == ()


def test_a_place_outlives_the_process(bench: Bench) -> None:
    bench.put(event("old"))
    place = bench.store().arrivals().place
    bench.put(*(event(n, received=NOW_US + n) for n in range(1, 6)))
    after = bench.store()
    rows, place = came(after, place, 5)
    assert keys(rows) == ["1", "2", "3", "4", "5"]
    bench.put(event("next", received=NOW_US + 9))
    rows, _ = came(after, place, 1)
    assert keys(rows) == ["next"]


def test_arrivals_within_a_namespace_are_its_own(bench: Bench) -> None:
    store = bench.store().within(["shop"])
    place = store.arrivals().place
    bench.put(
        event("mine", received=NOW_US + 1, namespace_name="shop"),
        event("foreign", received=NOW_US + 2, namespace_name="billing"),
    )
    rows, _ = came(store, place, 1)
    assert keys(rows) == ["mine"]


def test_many_values_are_counted_and_said_to_be_approximate(bench: Bench) -> None:
    names = [f"pod-{n:04}" for n in range(700)]
    bench.put(*(event(n, pod_name=name) for n, name in enumerate(names)))
    store = bench.store()
    [facet] = store.facets(Question(), patience(), fields=("pod",), size=3)
    assert facet.approximate
    assert abs(facet.distinct - 700) < 20
    assert facet.rest == 697
    [few] = store.facets(Question(), patience(), fields=("stream",), size=3)
    assert not few.approximate
    top = store.top(Question(), patience(), fields=("pod", "stream"), size=3)
    assert (top.distinct, top.total, top.approximate) == (700, 700, False)
    many = store.histogram(Question(), patience(), by="pod", size=3)
    assert many.approximate
    assert sum(sum(each.counts) for each in many.series) == 700
    assert not store.histogram(Question(), patience(), by="stream", size=3).approximate
    assert not store.histogram(Question(), patience()).approximate


def test_a_value_too_long_to_be_indexed_exists_is_given_whole_and_told(bench: Bench) -> None:
    bench.put(event("long", data="x" * 10_000), event("none"))
    store = bench.store()
    [row] = store.events(asked("data:*"), patience()).rows
    assert row["data"] == "x" * 10_000
    assert keys(store.events(asked("not data:*"), patience()).rows) == ["none"]
    [facet] = store.facets(Question(), patience(), fields=("data",))
    assert facet.approximate


def asked(query: str) -> Question:
    from armorstack.core.query.parse import parse

    return Question(parse(query, NOW_US))


def test_a_query_that_could_take_an_engines_memory_is_refused_here(bench: Bench) -> None:
    with pytest.raises(StoreError, match="too much for the search engine"):
        bench.store().count(asked("a" * 4000), patience())


def test_where_no_worker_runs_the_engine_is_asked(bench: Bench, tmp_path: Path) -> None:
    bench.put(event("here"))
    config = Config(data_dir=str(tmp_path), sink={"elastic": bench.settings})
    with Local(config).reach() as reach:
        assert keys(reach.store.events(Question(), patience()).rows) == ["here"]


def test_a_silent_engine_is_told_in_one_sentence() -> None:
    engine = Engine(ElasticSink(urls=("http://127.0.0.1:9",), prefix="none"))
    with pytest.raises(StoreError, match="the search engine does not answer"):
        elastic_store(engine, "none").count(Question(), patience())
    engine.close()


@contextmanager
def serving(store: EventStore, folder: Path) -> Iterator[httpx.Client]:
    """Pages and API over this store."""
    web = Web(listen="127.0.0.1:0")
    with bind(web.listen) as bound:
        porter = Porter(Bearers(str(folder)), front_of(web, bound.getsockname()[:2]))
        server = Server(build(Desk(Sight(), lambda: store, now_us), porter), bound, None)
        server.start()
        headers = {"authorization": f"Bearer {owner_token(str(folder))}"}
        url = f"http://{address(bound)}"
        try:
            with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
                yield client
        finally:
            server.stop()


PAGES = ("/", "/events", "/events?q=action:Block&from=all", "/executed?what=sh", "/policies",
         "/pods", "/status")  # fmt: skip


def test_every_page_is_shown_over_an_engine(bench: Bench, tmp_path: Path) -> None:
    for stream_rows in _by_stream(sample_events(200)):
        bench.write(decode(rows_of(stream_rows)).batch.rows)
    with serving(bench.store(now_us), tmp_path) as client:
        for path in PAGES:
            answer = client.get(path, follow_redirects=True)
            assert answer.status_code == 200, (path, answer.text[:500])
        counted = client.get("/api/v1/count", params={"from": "all"}).json()
        assert 200 in counted.values()


def _by_stream(events: Sequence[tuple[str, object]]) -> list[list[tuple[str, object]]]:
    return [list(events)]
