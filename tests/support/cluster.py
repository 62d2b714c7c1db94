"""A cluster of several OpenSearch nodes on loopback, any of which a test may kill.

Must not go here: how one node starts (`engines.py`), what is stored in them.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.engines import HINT, VERSIONS, Server, home_of, java_of
from tests.support.running import until
from tests.support.tools import missing

HEAP = "400m"
HEALTHY_S = 240.0


class Cluster:
    """Nodes that know each other."""

    def __init__(self, nodes: list[Server]) -> None:
        self.nodes = nodes

    @property
    def urls(self) -> list[str]:
        """Of all nodes."""
        return [node.url for node in self.nodes]

    def elected(self) -> Server:
        """The node that manages the cluster now."""
        (row,) = self.nodes[0].ask("GET", "/_cat/cluster_manager?format=json")
        (found,) = (node for node in self.nodes if node.name == row["node"])
        return found

    def others(self, node: Server) -> list[Server]:
        """All but this one."""
        return [each for each in self.nodes if each is not node]

    def wait_whole(self) -> None:
        """Until every node is in it, and every copy of every shard is there."""
        asked = (
            f"/_cluster/health?wait_for_status=green&timeout=10s&wait_for_nodes={len(self.nodes)}"
        )

        def is_whole() -> bool:
            try:
                return not self.nodes[0].ask("GET", asked)["timed_out"]
            except OSError:
                return False

        until(is_whole, "a cluster that is green", HEALTHY_S)


@contextmanager
def cluster(count: int = 3) -> Iterator[Cluster]:
    """So many nodes that are ready; skips where OpenSearch was not fetched."""
    version = VERSIONS["opensearch"]
    if not (home_of("opensearch", version, False) / "lib").is_dir() or java_of(version) is None:
        missing(f"opensearch {version} or Java is not there", HINT)
    with ExitStack() as opened:
        nodes: list[Server] = []
        for _ in range(count):
            made = tempfile.TemporaryDirectory(
                prefix="armorstack-node-", ignore_cleanup_errors=True
            )
            folder = Path(opened.enter_context(made))
            folder.chmod(0o755)
            nodes.append(Server("opensearch", folder, heap=HEAP))
        settings = {
            "cluster.name": nodes[0].name, "discovery.type": "zen",
            "discovery.seed_hosts": [f"127.0.0.1:{node.transport_port}" for node in nodes],
            "cluster.initial_cluster_manager_nodes": [node.name for node in nodes],
        }  # fmt: skip
        # A node goes with the thread that started it, so these stay as long as the nodes.
        starting = opened.enter_context(ThreadPoolExecutor(count))
        for node in nodes:
            node.settings |= settings
            opened.callback(node.kill)
        list(starting.map(Server.start, nodes))
        made_cluster = Cluster(nodes)
        made_cluster.wait_whole()
        yield made_cluster
