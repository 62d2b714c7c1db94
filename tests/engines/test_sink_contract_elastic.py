"""The contract of sinks over real engines, and what an engine's own refusals do to a batch."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from armorstack.config import ElasticSink as Settings
from armorstack.engines.elastic.connection import Engine
from armorstack.errors import EngineError
from armorstack.sinks import make_sink
from armorstack.sinks.contract import Outcome, Sink
from armorstack.sinks.elastic import ElasticSink
from tests.contract.test_sink_contract import *  # noqa: F403
from tests.contract.test_sink_contract import CASES, Bench, keys_of
from tests.support.elastic_stores import refresh, settings_of, take_away
from tests.support.stores import NOW_US, batch


@pytest.fixture(params=["opensearch", "elasticsearch"])
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings for a real server, with a prefix of their own."""
    server = request.getfixturevalue(f"{request.param}_server")
    made = settings_of(server.url)
    yield made
    engine = Engine(made)
    take_away(engine, made.prefix)
    engine.close()


@pytest.fixture
def bench(settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    """Tests of the contract ask for it by this name."""

    def make(name: str, asked: Settings, folder: Path) -> Sink:
        folder.mkdir(exist_ok=True)
        return make_sink(name, asked, folder)

    bench = Bench(Settings, tmp_path / "data")
    bench.case = replace(CASES[Settings], settings=lambda _: settings, held=held, make=make)
    yield bench
    for sink in bench.opened:
        sink.close()


def held(sink: Sink) -> list[str]:
    """The keys of all events that the engine has."""
    assert isinstance(sink, ElasticSink)
    engine, prefix = sink.engine, sink.prefix
    refresh(engine, prefix)
    path = f"/{prefix}-alerts-*,{prefix}-logs-*,{prefix}-messages-*/_search"
    params = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    found = engine.demand("POST", path, {"size": 1000}, params=params).json()
    return keys_of(b"\n".join(json.dumps(hit["_source"]).encode() for hit in found["hits"]["hits"]))


@pytest.fixture
def sink(settings: Settings, tmp_path: Path) -> Iterator[ElasticSink]:
    """An open sink."""
    made = ElasticSink("es", settings, tmp_path)
    made.open()
    yield made
    made.close()


def test_a_block_keeps_the_whole_batch_until_it_is_lifted(sink: ElasticSink) -> None:
    assert sink.write(batch(1, "a")).accepted == 1
    path = f"/{sink.prefix}-alerts-2026.11/_settings"
    sink.engine.demand("PUT", path, {"index.blocks.read_only_allow_delete": True})
    with pytest.raises(EngineError, match="cluster_block_exception"):
        sink.write(batch(2, "abc"))
    sink.engine.demand("PUT", path, {"index.blocks.read_only_allow_delete": None})
    assert sink.write(batch(2, "abc")) == Outcome(accepted=2, duplicates=1)


def test_a_mapping_conflict_is_set_aside_and_the_rest_is_stored(
    settings: Settings, tmp_path: Path
) -> None:
    """Somebody made the index with a type of their own before us."""
    sink = ElasticSink("es", replace(settings, setup=False), tmp_path)
    path = f"/{settings.prefix}-alerts-2026.11"
    of_ip = {"properties": {"kubearmor": {"properties": {"resource": {"type": "ip"}}}}}
    sink.engine.demand("PUT", path, {"mappings": of_ip})
    outcome = sink.write(batch(1, ["10.0.0.1", "no address", "10.0.0.2"]))
    (rejected,) = outcome.rejected
    assert outcome.accepted == 2
    assert rejected.error_type.endswith("_parsing_exception")
    assert b"no address" in rejected.frame
    sink.close()


@pytest.mark.parametrize("compress", [True, False])
def test_bodies_are_understood_packed_or_not(
    settings: Settings, tmp_path: Path, compress: bool
) -> None:
    asked = replace(settings, compress=compress, batch_events=7, concurrency=3)
    sink = ElasticSink("es", asked, tmp_path)
    sink.open()
    assert sink.write(batch(1, range(40), at_us=NOW_US)).accepted == 40
    assert len(held(sink)) == 40
    sink.close()


def test_the_engine_says_which_it_is(settings: Settings, request: pytest.FixtureRequest) -> None:
    engine = Engine(settings)
    assert engine.dialect.name in request.node.name
    assert engine.dialect.version >= (2, 0, 0)
    engine.close()
