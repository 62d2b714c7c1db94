"""`RemoteStore`: the questions of `EventStore`, answered by another process over HTTP.

Invariant: it answers as the store there would, within what its token allows. What HTTP gives in
another way is refused: arrivals (see `live`), and a view for another bearer (the server's token
decides that).
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import msgspec
import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.core.gap import Gap
from armorstack.core.query.question import Question
from armorstack.core.times import parse_time
from armorstack.errors import AccessError, StoreError
from armorstack.store.budget import QUESTION_S, Budget
from armorstack.store.contract import (
    Arrivals,
    Facet,
    FieldFacts,
    Histogram,
    Page,
    Row,
    Seen,
    Top,
)
from armorstack.store.cursor import Cursor, encode_id
from armorstack.store.event_json import row_of
from armorstack.store.remote import wire
from armorstack.store.remote.link import Link, NotThere, pieces


class RemoteStore:
    """See `EventStore`. May be used from several threads."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def events(
        self, question: Question, budget: Budget, *, size: int = 50,
        before: Cursor | None = None, after: Cursor | None = None,
        columns: Sequence[str] | None = None,
    ) -> Page:  # fmt: skip
        """See `EventStore`."""
        pairs = wire.question_pairs(question) + wire.column_pairs(columns) + [("size", str(size))]
        pairs += [("before", str(before))] if before else []
        pairs += [("after", str(after))] if after else []
        return wire.page(self._link.ask("events", pairs, budget))

    def event(self, id_: bytes, budget: Budget, *, near_us: int | None = None) -> Row | None:
        """See `EventStore`; without the columns that only rebuilding needs."""
        near = [] if near_us is None else [("near", str(near_us))]
        try:
            told = self._link.ask(f"events/{encode_id(id_)}", near, budget)
        except NotThere:
            return None
        with wire.Answer(told):
            return row_of(told["event"])

    def count(self, question: Question, budget: Budget) -> int:
        """See `EventStore`."""
        told = self._ask("count", question, budget)
        with wire.Answer(told):
            return int(told["count"])

    def histogram(
        self, question: Question, budget: Budget, *, by: str = "", buckets: int = 60,
        interval_us: int | None = None, size: int = 8,
    ) -> Histogram:  # fmt: skip
        """See `EventStore`; intervals are whole seconds."""
        more = [("buckets", str(buckets)), ("size", str(size))]
        more += [("by", by)] if by else []
        more += [("interval", f"{interval_us // 1_000_000}s")] if interval_us else []
        return wire.histogram(self._ask("histogram", question, budget, *more))

    def facets(
        self, question: Question, budget: Budget, *, fields: Sequence[str], size: int = 10
    ) -> tuple[Facet, ...]:
        """See `EventStore`."""
        more = [("f", field) for field in fields]
        return wire.facets(self._ask("facets", question, budget, *more, ("size", str(size))))

    def top(
        self, question: Question, budget: Budget, *, fields: Sequence[str], size: int = 10,
        distinct: str = "", smallest: bool = False,
    ) -> Top:  # fmt: skip
        """See `EventStore`."""
        more = [("f", field) for field in fields] + [("size", str(size))]
        more += [("distinct", distinct)] if distinct else []
        more += [("order", "smallest")] if smallest else []
        return wire.top(self._ask("top", question, budget, *more))

    def seen(self, question: Question, budget: Budget) -> Seen:
        """See `EventStore`."""
        told = self._ask("seen", question, budget)
        with wire.Answer(told):
            first, last = told["first"], told["last"]
            return Seen(int(told["count"]), first and row_of(first), last and row_of(last))

    def stream(
        self, question: Question, budget: Budget, *, columns: Sequence[str] | None = None,
        newest_first: bool = False,
    ) -> Iterator[pa.RecordBatch]:  # fmt: skip
        """See `EventStore`; the server's order, without the columns that only rebuilding needs."""
        del newest_first
        pairs = wire.question_pairs(question) + wire.column_pairs(columns)
        schema = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
        with self._link.open("export", [*pairs, ("format", "ndjson")], budget) as answer:
            rest = b""
            for piece in pieces(answer):
                *lines, rest = (rest + piece).split(b"\n")
                with wire.Answer(lines):
                    found = wire.rows(map(msgspec.json.decode, lines))
                if found:
                    yield _batch(found, schema)

    def arrivals(self, place: str = "", *, limit: int = 1000) -> Arrivals:
        """Refused: over HTTP they are a stream."""
        del place, limit
        _refuse("arrivals come as a stream over HTTP")

    def gaps(self, start_us: int | None, end_us: int | None) -> list[Gap]:
        """See `EventStore`."""
        pairs = wire.span_pairs(start_us, end_us)
        return list(wire.gaps(self._link.ask("gaps", pairs, Budget(QUESTION_S))))

    def fields(self) -> tuple[FieldFacts, ...]:
        """See `EventStore`."""
        return wire.fields(self._link.ask("fields", [], Budget(QUESTION_S)))

    def newest(self) -> int | None:
        """See `EventStore`."""
        told = self._link.ask("health", [], Budget(QUESTION_S))
        with wire.Answer(told):
            return parse_time(told["newest"]) if told["newest"] else None

    def at_one_moment(self) -> contextlib.AbstractContextManager["RemoteStore"]:
        """See `EventStore`; every question is one of its own there."""
        return contextlib.nullcontext(self)

    def within(self, namespaces: Sequence[str]) -> "RemoteStore":
        """Refused: the token says which namespaces may be read."""
        del namespaces
        raise AccessError("who may read what is decided where the store is")

    def _ask(self, path: str, question: Question, budget: Budget, *more: tuple[str, str]) -> Any:
        return self._link.ask(path, [*wire.question_pairs(question), *more], budget)


def _batch(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        pa.array([_pairs(row.get(field.name)) for row in rows], field.type) for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _pairs(value: object) -> object:
    return list(value.items()) if isinstance(value, dict) else value


def _refuse(what: str) -> NoReturn:
    raise StoreError(what, hint="follow them with `armorstack tail`")
