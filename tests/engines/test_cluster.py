"""Three OpenSearch nodes, of which one is killed under load: nothing lost, nothing doubled."""

import random
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from armorstack.sinks.elastic import ElasticSink
from tests.engines.test_faults import ids, settings_file
from tests.support.cluster import Cluster, cluster
from tests.support.elastic_stores import settings_of
from tests.support.engines import Server
from tests.support.proxy import proxy
from tests.support.running import Running, until
from tests.support.stores import batch, id_of
from tests.support.strikes import check, survive

RATE = 150


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    with cluster(3) as made:
        yield made


def nodes_of(node: Server) -> list[str]:
    """The names of the nodes in the cluster, as this one sees it."""
    return [row["name"] for row in node.ask("GET", "/_cat/nodes?h=name&format=json")]


def test_a_killed_elected_manager_under_load_loses_nothing_and_doubles_nothing(
    tmp_path: Path, three: Cluster
) -> None:
    settings = settings_file(
        tmp_path, three.nodes[0], "cluster", urls=three.urls, replicas=1, timeout_s=60.0
    )
    elected: list[str] = []

    def hit(run: Running, chance: random.Random) -> None:
        until(lambda: run.stored() > 0, "events before it", 120)
        victim = three.elected()
        victim.kill()
        rest = three.others(victim)
        until(lambda: len(nodes_of(rest[0])) == 2, "the others to notice", 120)
        elected[:] = [victim.name, *nodes_of(rest[0])]
        before = run.stored()
        until(lambda: run.stored() > before + RATE, "events over the other nodes", 120)
        victim.start()
        three.wait_whole()

    check(*survive(
        tmp_path / "data", 1, secrets.randbelow(1 << 32), words=("--config", str(settings)),
        hit=hit, held=lambda folder: ids(three.nodes[0], "cluster"), rate=RATE,
    ))  # fmt: skip
    assert elected[0] not in elected[1:]
    assert sorted(nodes_of(three.nodes[0])) == sorted(node.name for node in three.nodes)


def test_nodes_that_are_in_no_url_are_found_and_a_dead_one_is_left(
    tmp_path: Path, three: Cluster
) -> None:
    told, dead, last = three.nodes
    with proxy(told.port) as seed:
        asked = replace(settings_of(seed.url), sniff=True, replicas=1)
        sink = ElasticSink("es", asked, tmp_path)
        sink.open()
        assert sink.write(batch(1, range(10))).accepted == 10
        # The only node of the settings is gone for us, and another one for all.
        seed.refuse()
        dead.kill()
        until(lambda: len(nodes_of(last)) == 2, "the others to notice", 120)
        for number in range(10, 20):
            assert sink.write(batch(number, [number])).accepted == 1
        sink.close()
    assert sorted(ids(last, asked.prefix)) == sorted(map(id_of, range(20)))
