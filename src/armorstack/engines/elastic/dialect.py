"""Which of the two engines a cluster is, its version, and what differs between them.

Told apart by what a server shows of itself on any answer: Elasticsearch names itself in a header.
`GET /` alone would not do: OpenSearch can be told to say 7.10 there, and a server may not have it.

Must not go here: requests; whoever has a connection asks.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from armorstack.errors import EngineError

Name = Literal["elasticsearch", "opensearch"]
PRODUCT_HEADER = "x-elastic-product"
"""Elasticsearch sends it since 7.14, whatever the status."""
OLDEST: Mapping[Name, int] = {"elasticsearch": 8, "opensearch": 2}


class Dialect(Struct, frozen=True):
    """An engine, and its version as three numbers."""

    name: Name
    version: tuple[int, int, int]

    @property
    def flattened(self) -> str:
        """The type of a field that holds an object of any keys."""
        return "flattened" if self.name == "elasticsearch" else "flat_object"

    @property
    def pit_path(self) -> str:
        """What follows `/INDEX` to open a point in time."""
        return "/_pit" if self.name == "elasticsearch" else "/_search/point_in_time"


def parse_version(text: str) -> tuple[int, int, int] | None:
    """`8.19.0-SNAPSHOT` as three numbers; None where the text is no version."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def version_of_nodes(nodes: Any) -> str:
    """The lowest version in an answer of `/_nodes`; empty where it has none."""
    listed = nodes.get("nodes") if isinstance(nodes, dict) else None
    each = listed.values() if isinstance(listed, dict) else ()
    told = [str(node.get("version", "")) for node in each if isinstance(node, dict)]
    return min(told, key=lambda text: parse_version(text) or (0, 0, 0), default="")


def dialect_of(name: Name, version: str) -> Dialect:
    """Raises EngineError for a version that is too old, or none at all."""
    numbers = parse_version(version)
    if numbers is None:
        hint = "is this the address of Elasticsearch or OpenSearch? The role needs `monitor`"
        raise EngineError("the server does not say which version it is", hint=hint)
    if numbers[0] < OLDEST[name]:
        hint = "Elasticsearch 8 or 9, or OpenSearch 2 or 3, is needed"
        raise EngineError(f"{name} {version[:40]} is too old", hint=hint)
    return Dialect(name, numbers)
