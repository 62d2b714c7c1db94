"""The rights that armorstack needs in an engine, as that engine's own API takes them.

    writer   creates documents and the indices of a period; reads, changes and deletes nothing, so
             the sink has `setup = false` and `armorstack setup` is run by somebody else
    keeper   deletes our indices when their time is over; for the sink, where retention is ours
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


_ELASTICSEARCH: dict[str, tuple[list[str], list[str]]] = {
    # `monitor` in the cluster tells which engine it is, and its version.
    "writer": (["monitor"], ["create_doc", "create_index"]),
    "keeper": (["monitor"], ["monitor", "delete_index", "delete", "read"]),
    "reader": (["monitor"], ["read", "view_index_metadata", "monitor"]),
    "setup": (["monitor", "manage_index_templates"], ["view_index_metadata"]),
}
"""Role → its rights in the cluster and on our indices, in Elasticsearch."""

_BULK = "indices:data/write/bulk"
_OPENSEARCH: dict[str, tuple[list[str], list[str]]] = {
    "writer": (
        ["cluster:monitor/nodes/info", "cluster:monitor/main", _BULK],
        ["indices:data/write/index", f"{_BULK}*", "indices:admin/create",
         "indices:admin/mapping/put", "indices:admin/auto_create"],
    ),
    "keeper": (
        ["cluster:monitor/nodes/info", "cluster:monitor/main", _BULK, "indices:data/read/scroll*"],
        ["indices:monitor/stats", "indices:admin/delete", "indices:data/read/search*",
         "indices:data/write/delete*", f"{_BULK}*"],
    ),
    "reader": (
        ["cluster:monitor/nodes/info", "cluster:monitor/main", "indices:data/read/scroll*",
         "indices:data/read/msearch", "indices:data/read/mget"],
        ["indices:data/read*", "indices:admin/mappings/get", "indices:admin/get",
         "indices:admin/resolve/index", "indices:monitor/stats",
         "indices:data/read/point_in_time*"],
    ),
    "setup": (
        ["cluster:monitor/nodes/info", "cluster:monitor/main", "indices:admin/index_template/*"],
        ["indices:admin/mappings/get"],
    ),
}  # fmt: skip
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
