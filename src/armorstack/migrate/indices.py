"""Indices of the relay's own adapters as an origin: what they wrote into `kubearmor-alerts`,
`alert` or whatever they were told.

Such a document is an event as the relay prints it, under a random id, once or several times; its
own id is made here from its values, so each comes once. They are read in the order of `Timestamp`
(seconds), and those of a second again after an interruption. Invariant: nothing is changed there.
"""

import time
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from armorstack.core.decode import decode
from armorstack.engines.elastic.connection import Engine
from armorstack.errors import StoreError
from armorstack.migrate.contract import Piece
from armorstack.spool.rows import row_of

PAGE = 2_000
KEEP = "5m"
"""How long the engine remembers a reading between two pages."""
ADAPTER = "adapter"
"""What stands as the source of such events."""


class _Hit(Struct):
    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw(b"{}"))
    sort: list[Any] = []


class _Hits(Struct):
    hits: list[_Hit]


class _Page(Struct):
    hits: _Hits
    scroll_id: str = msgspec.field(name="_scroll_id", default="")
    timed_out: bool = False


_decode_page = msgspec.json.Decoder(_Page).decode


class IndexOrigin:
    """An `Origin` over one index, or several by a pattern."""

    def __init__(self, engine: Engine, index: str) -> None:
        """The engine stays the caller's."""
        self.name = index
        self._engine = engine

    def total(self) -> int:
        """See `Origin`."""
        answer = self._engine.demand("GET", f"/{self.name}/_count")
        return int(answer.json()["count"])

    def pieces(self, place: str) -> Iterator[Piece]:
        """See `Origin`."""
        body = _first_page(place)
        answer = self._engine.demand(
            "POST", f"/{self.name}/_search", body, params={"scroll": KEEP}
        )  # fmt: skip
        scroll = ""
        try:
            while (page := _decode_page(answer.body)).hits.hits:
                scroll = page.scroll_id
                if page.timed_out:
                    raise StoreError(f"{self.name}: the engine took too long", hint="run it again")
                yield _piece(page.hits.hits)
                again = {"scroll": KEEP, "scroll_id": scroll}
                answer = self._engine.demand("POST", "/_search/scroll", again)
        finally:
            if scroll:
                self._engine.ask("DELETE", "/_search/scroll", {"scroll_id": scroll})

    def close(self) -> None:
        """See `Origin`."""


def _first_page(place: str) -> dict[str, Any]:
    query: dict[str, Any] = {"match_all": {}}
    if place:
        query = {"bool": {"must_not": {"range": {"Timestamp": {"lt": int(place)}}}}}
    order = {"order": "asc", "unmapped_type": "long", "missing": "_first"}
    return {"size": PAGE, "query": query, "sort": [{"Timestamp": order}]}


def _piece(hits: list[_Hit]) -> Piece:
    frames = [bytes(hit.source) for hit in hits]
    row = row_of(
        frames, source=ADAPTER, stream="auto", encoding="json",
        received_us=time.time_ns() // 1000,
    )  # fmt: skip
    found = decode([row])
    last = hits[-1].sort[0] if hits[-1].sort else None
    place = str(last) if isinstance(last, int) and last > 0 else ""
    return Piece(found.batch.rows, place, found.rejected, read=len(hits))
