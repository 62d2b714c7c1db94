"""Indices and templates of one test in a real engine that others use at the same time."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import Struct

from armorstack.config.sinks import ElasticSink
from armorstack.core.ecs.stored import to_stored
from armorstack.core.ids import text
from armorstack.engines.elastic import setup
from armorstack.engines.elastic.connection import Engine
from armorstack.engines.elastic.periods import INDEX_STREAMS, index_of
from armorstack.engines.elastic.templates import templates


class Space(Struct, frozen=True):
    """An engine, and settings whose prefix nobody else has."""

    engine: Engine
    settings: ElasticSink

    def set_up(self) -> None:
        """Apply what is missing."""
        setup.apply(self.engine, setup.plan(self.engine, self.settings))

    def put(self, documents: Iterable[tuple[str, str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """Create documents (index, id, body); what the engine says of each, all searchable."""
        lines = []
        for index, id_, document in documents:
            lines += [{"create": {"_index": index, "_id": id_}}, document]
        body = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        answer = self.engine.demand("POST", "/_bulk", body, params={"refresh": "true"})
        return [item["create"] for item in answer.json()["items"]]

    def put_rows(self, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Create the stored documents of rows where the sink would."""
        return self.put((self.index(row), text(row["id"]), to_stored(row)) for row in rows)

    def index(self, row: dict[str, Any]) -> str:
        """The index of a row, by day."""
        at_us = to_stored(row)["event"]["sequence"]
        return index_of(self.settings.prefix, INDEX_STREAMS[row["stream"]], at_us, "day")

    def find(self, query: dict[str, Any], size: int = 10) -> list[dict[str, Any]]:
        """The hits of a query over all our indices."""
        body = {"query": query, "size": size, "track_total_hits": True}
        answer = self.engine.demand("POST", f"/{self.settings.prefix}-*/_search", body)
        return answer.json()["hits"]["hits"]  # type: ignore[no-any-return]

    def count(self, query: dict[str, Any]) -> int:
        """How many documents a query finds."""
        answer = self.engine.demand("POST", f"/{self.settings.prefix}-*/_count", {"query": query})
        return int(answer.json()["count"])

    def indices(self) -> list[str]:
        """The names of all indices with this prefix."""
        answer = self.engine.demand("GET", f"/{self.settings.prefix}-*/_settings")
        return sorted(answer.json())


@contextmanager
def space(url: str, **settings: Any) -> Iterator[Space]:
    """A space of its own, without a template; all of it is deleted afterwards."""
    prefix = f"t{uuid.uuid4().hex[:12]}"
    own = ElasticSink(urls=(url,), prefix=prefix, **{"replicas": 0, **settings})
    engine = Engine(own)
    made = Space(engine, own)
    try:
        yield made
        for name in made.indices():
            engine.demand("DELETE", f"/{name}")
        for template in templates(own, engine.dialect):
            engine.ask("DELETE", f"/_index_template/{template.name}")
    finally:
        engine.close()
