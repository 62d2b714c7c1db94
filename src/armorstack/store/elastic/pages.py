"""Pages of events by (time, id), and single events.

Events of one moment stand in the order of their ids by `armorstack.exact.order`. Invariant: a page
goes on behind the event that the one before ended with, never behind a number of events. Must not
go here: counting.
"""

from collections.abc import Sequence
from typing import Any

from armorstack.core.batch import SCHEMA
from armorstack.core.ecs.exact import ORDER, order_of
from armorstack.core.ecs.stored import from_stored
from armorstack.core.ids import text as stored_id
from armorstack.core.query.question import Question
from armorstack.store.contract import Page, Row
from armorstack.store.cursor import Cursor
from armorstack.store.elastic.fields import TIME
from armorstack.store.elastic.inquiry import Body, Inquiry
from armorstack.store.elastic.query import all_of

ALWAYS = ("id", "time", "stream")
_HEAVY = {"original": "event.original"}
"""Columns that are not fetched unless they are asked for, and where they lie."""


def selection(columns: Sequence[str] | None) -> tuple[str, ...]:
    """The columns of `SCHEMA` that are asked for, in its order; None: all. Raises ValueError."""
    if columns is None:
        return tuple(SCHEMA.names)
    if unknown := set(columns).difference(SCHEMA.names):
        raise ValueError(f"there are no columns {sorted(unknown)}")
    wanted = {*columns, *ALWAYS}
    return tuple(name for name in SCHEMA.names if name in wanted)


def order(*, newest_first: bool) -> list[Body]:
    """The order of pages."""
    way = "desc" if newest_first else "asc"
    return [
        {path: {"order": way, "unmapped_type": "long"}} for path in (TIME, ORDER)
    ]  # fmt: skip


def fetched(columns: Sequence[str]) -> Body:
    """What of the documents is fetched for these columns."""
    left = [path for column, path in _HEAVY.items() if column not in columns]
    return {"_source": {"excludes": left} if left else True, "track_total_hits": False}


def rows_of(found: Body, columns: Sequence[str]) -> list[Row]:
    """The events in an answer."""
    every = len(columns) == len(SCHEMA.names)
    rows = [from_stored(hit["_source"], hit["_id"]) for hit in hits(found)]
    if every:
        return rows
    return [{name: row[name] for name in columns if name in row} for row in rows]


def hits(found: Body) -> list[dict[str, Any]]:
    """The documents in an answer, also in one of indices that do not exist."""
    listed: list[dict[str, Any]] = found.get("hits", {}).get("hits", [])
    return listed


def page(
    inquiry: Inquiry, question: Question, size: int, before: Cursor | None, after: Cursor | None,
    columns: Sequence[str],
) -> Page:  # fmt: skip
    """See `EventStore.events`."""
    upwards = after is not None
    found = _take(inquiry, question, size + 1, after if upwards else before, columns, not upwards)
    more, rows = len(found) > size, found[:size]
    if upwards:
        rows.reverse()
    first, last = (cursor_of(rows[0]), cursor_of(rows[-1])) if rows else (None, None)
    if upwards:
        return Page(tuple(rows), older=last or after, newer=first if more else None)
    return Page(
        tuple(rows), older=last if more else None, newer=(first or before) if before else None
    )  # fmt: skip


def cursor_of(row: Row) -> Cursor:
    """The place of an event."""
    return Cursor(row["time"], row["id"])


def place_of(cursor: Cursor) -> list[int]:
    """The same as the engine knows it."""
    return [cursor.time_us, order_of(cursor.id)]


def _take(
    inquiry: Inquiry, question: Question, rows: int, behind: Cursor | None, columns: Sequence[str],
    newest_first: bool,
) -> list[Row]:  # fmt: skip
    start_us, end_us = question.start_us, question.end_us
    if behind is not None and newest_first:
        # So that the engine passes over what is newer; the order alone would make it look.
        end_us = min(behind.time_us + 1, behind.time_us + 1 if end_us is None else end_us)
    elif behind is not None:
        start_us = max(behind.time_us, behind.time_us if start_us is None else start_us)
    body = {
        "query": inquiry.query(question.tree(), start_us, end_us), "size": rows,
        "sort": order(newest_first=newest_first), **fetched(columns),
    }  # fmt: skip
    if behind is not None:
        body["search_after"] = place_of(behind)
    return rows_of(inquiry.search(body), columns)


def event(inquiry: Inquiry, id_: bytes) -> Row | None:
    """See `EventStore.event`. An engine finds an id at once, so its time is not needed."""
    query = all_of([inquiry.query(), {"ids": {"values": [stored_id(id_)]}}])
    every = selection(None)
    rows = rows_of(inquiry.search({"query": query, "size": 1, **fetched(every)}), every)
    return rows[0] if rows else None


def edge(inquiry: Inquiry, question: Question, *, newest: bool) -> Row | None:
    """The newest event, or the oldest, with all its columns."""
    rows = _take(inquiry, question, 1, None, selection(None), newest)
    return rows[0] if rows else None


def newest(inquiry: Inquiry) -> int | None:
    """Time of the newest event."""
    body = {
        "query": inquiry.query(), "size": 1, "sort": order(newest_first=True), "_source": False,
        "track_total_hits": False,
    }  # fmt: skip
    found = hits(inquiry.search(body))
    return int(found[0]["sort"][0]) if found else None
