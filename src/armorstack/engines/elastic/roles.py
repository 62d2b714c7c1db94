"""The rights that armorstack needs in an engine, as that engine's own API takes them.

    writer   creates documents and the indices of a period; reads, changes and deletes nothing, so
             the sink has `setup = false` and `armorstack setup` is run by somebody else
    keeper   what the writer does, and deletes our indices when their time is over; for the sink
             where retention is ours (`max_age_days`, `max_bytes`)
    reader   searches; for pages, API and commands
    setup    index templates; for `armorstack setup`, or for the sink where `setup = true`

Invariant: each names just our own indices. Must not go here: users, and who gets which role.
"""

from typing import Any

from msgspec import Struct

from armorstack.engines.elastic.dialect import Name
from armorstack.engines.elastic.periods import KINDS, pattern, policies_index

Body = dict[str, Any]


class Role(Struct, frozen=True):
    """One role: its name, the path that it is put to, and what it says."""

    name: str
    path: str
    body: Body


def roles(prefix: str, name: Name) -> tuple[Role, ...]:
    """Writer, keeper, reader and setup in one dialect."""
    build = _elasticsearch if name == "elasticsearch" else _opensearch
    return build(prefix)


def patterns(prefix: str) -> list[str]:
    """All our indices."""
    return [*(pattern(prefix, kind) for kind in KINDS), policies_index(prefix)]


Rights = tuple[list[str], list[str]]
"""In the cluster, and on our indices."""


def _with_writer(rights: dict[str, Rights]) -> dict[str, Rights]:
    """The keeper is the user of a sink, so it may do what the writer may."""
    (cluster, index), (more, further) = rights["writer"], rights["keeper"]
    return rights | {"keeper": ([*cluster, *more], [*index, *further])}


_ELASTICSEARCH = _with_writer({
    # `monitor` in the cluster tells which engine it is, and its other nodes.
    "writer": (["monitor"], ["create_doc", "create_index"]),
    "keeper": ([], ["monitor", "delete_index", "delete", "read"]),
    "reader": (["monitor"], ["read"]),
    "setup": (["monitor", "manage_index_templates"], ["view_index_metadata"]),
})  # fmt: skip
"""Role → its rights in Elasticsearch."""

_NODES = "cluster:monitor/nodes/info"
_OPENSEARCH = _with_writer({
    "writer": (
        [_NODES, "indices:data/write/bulk"],
        ["indices:data/write/index", "indices:data/write/bulk*", "indices:admin/create"],
    ),
    "keeper": (
        ["indices:data/read/scroll*"],
        ["indices:monitor/stats", "indices:admin/delete", "indices:data/read/search*",
         "indices:data/write/delete", "indices:data/write/delete/byquery"],
    ),
    "reader": (
        [_NODES],
        ["indices:data/read/search*", "indices:data/read/point_in_time/*"],
    ),
    "setup": (
        [_NODES, "indices:admin/index_template/*"],
        ["indices:admin/mappings/get"],
    ),
})  # fmt: skip
"""The same in OpenSearch, by the names of its actions."""


def _elasticsearch(prefix: str) -> tuple[Role, ...]:
    return tuple(
        Role(
            f"{prefix}_{role}",
            f"/_security/role/{prefix}_{role}",
            {
                "cluster": cluster,
                "indices": [{"names": patterns(prefix), "privileges": index}],
                "metadata": {"armorstack": True},
            },
        )
        for role, (cluster, index) in _ELASTICSEARCH.items()
    )


def _opensearch(prefix: str) -> tuple[Role, ...]:
    return tuple(
        Role(
            f"{prefix}_{role}",
            f"/_plugins/_security/api/roles/{prefix}_{role}",
            {
                "description": f"armorstack: {role}",
                "cluster_permissions": cluster,
                "index_permissions": [
                    {"index_patterns": patterns(prefix), "allowed_actions": index}
                ],
            },
        )
        for role, (cluster, index) in _OPENSEARCH.items()
    )
