"""The engines that tests run against are what they are taken for."""

from armorstack.config import ElasticSink
from armorstack.engines.elastic.connection import Engine
from tests.support.engines import VERSIONS, Server


def test_each_engine_is_told_apart_by_itself(server: Server) -> None:
    engine = Engine(ElasticSink(urls=(server.url,)))
    assert engine.dialect.name == server.kind
    assert ".".join(map(str, engine.dialect.version)) == VERSIONS[server.kind]
    engine.close()
