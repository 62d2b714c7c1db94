"""Pages of events by (time, id), and single events.

Invariant: a page never costs a reading of the whole store unless the whole store has less than a
page of what is asked for: it looks into the newest pieces first, then into four times as many, and
so on, each event once. Must not go here: counting.
"""

from collections.abc import Iterator, Sequence

from armorstack.core.query.question import Question
from armorstack.engines.duckdb.snapshot import View
from armorstack.store.contract import Page, Row
from armorstack.store.cursor import Cursor
from armorstack.store.duckdb.inquiry import Filter, Inquiry
from armorstack.store.duckdb.rows import ALWAYS, rows_of, selected, selection
from armorstack.store.duckdb.where import Parameters

Span = tuple[int | None, int | None]
_WIDER = 4
_AROUND_US = 1_000_000


def page(
    inquiry: Inquiry, question: Question, size: int, before: Cursor | None, after: Cursor | None,
    columns: Sequence[str],
) -> Page:  # fmt: skip
    """See `EventStore.events`."""
    upwards = after is not None
    found = _take(inquiry, question, size + 1, before, after, columns)
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


def event(inquiry: Inquiry, id_: bytes, near_us: int | None) -> Row | None:
    """See `EventStore.event`."""
    spans: list[Span] = [(None, None)]
    if near_us is not None:
        spans.insert(0, (near_us - _AROUND_US, near_us + _AROUND_US))
    for start_us, end_us in spans:
        parameters = Parameters()
        every = selected(selection(None))
        sql = f"SELECT {every} FROM events WHERE id = {parameters.put(id_)} LIMIT 1"
        if rows := rows_of(inquiry.answer(sql, parameters, start_us, end_us)):
            return rows[0]
    return None


def edge(inquiry: Inquiry, question: Question, *, newest: bool) -> Row | None:
    """The newest event, or the oldest, with all its columns."""
    after = None if newest else Cursor(-(1 << 60), b"")
    rows = _take(inquiry, question, 1, None, after, selection(None))
    return rows[0] if rows else None


def newest(inquiry: Inquiry) -> int | None:
    """Time of the newest event."""
    rows = _take(inquiry, Question(), 1, None, None, ALWAYS)
    return rows[0]["time"] if rows else None


def _take(
    inquiry: Inquiry, question: Question, rows: int, before: Cursor | None,
    after: Cursor | None, columns: Sequence[str],
) -> list[Row]:  # fmt: skip
    """So many events: those next older than `before`, or next newer than `after`, nearest first."""
    start_us, end_us = question.start_us, question.end_us
    if before is not None:
        end_us = before.time_us + 1 if end_us is None else min(before.time_us + 1, end_us)
    if after is not None:
        start_us = after.time_us if start_us is None else max(after.time_us, start_us)
    found: list[Row] = []
    # The event at the cursor lies in the nearest piece, too.
    wanted = rows if before is after is None else rows + 1
    for span in spans(inquiry.view, (start_us, end_us), wanted, upwards=after is not None):
        found += _read(inquiry, question, span, rows - len(found), before, after, columns)
        if len(found) >= rows:
            break
    return found


def _read(
    inquiry: Inquiry, question: Question, span: Span, rows: int, before: Cursor | None,
    after: Cursor | None, columns: Sequence[str],
) -> list[Row]:  # fmt: skip
    asked = Filter(question.tree())
    where, put = [asked.sql], asked.parameters.put
    for cursor, sign in ((before, "<"), (after, ">")):
        if cursor is not None:
            time = f"make_timestamp({put(cursor.time_us)}::BIGINT)"
            where.append(f"(time {sign} {time} OR time = {time} AND id {sign} {put(cursor.id)})")
    order = "ASC" if after is not None else "DESC"
    sql = (
        f"SELECT {selected(columns)} FROM events WHERE {' AND '.join(where)} "
        f"ORDER BY events.time {order}, id {order} LIMIT {put(rows)}"
    )
    return rows_of(inquiry.answer(sql, asked.parameters, *span))


def spans(view: View, span: Span, rows: int, *, upwards: bool) -> Iterator[Span]:
    """Spans that lie one after the other and cover this one, nearest to its end first (or to its
    start): the first holds at least `rows` events of anyone, each further one many more."""
    start_us, end_us = span
    seen = view.within(start_us, end_us)
    pieces = [(p.min_time_us, p.max_time_us, p.rows) for p in seen.parts]
    pieces += [(s.min_time_us, s.max_time_us, len(s.rows)) for s in seen.slices]
    if upwards:
        cuts = _cuts(sorted((high + 1, rows) for _, high, rows in pieces), rows)
        for cut in (cut for cut in cuts if end_us is None or cut < end_us):
            yield start_us, cut
            start_us = cut
    else:
        cuts = _cuts(sorted(((low, rows) for low, _, rows in pieces), reverse=True), rows)
        for cut in (cut for cut in cuts if start_us is None or cut > start_us):
            yield cut, end_us
            end_us = cut
    yield start_us, end_us


def _cuts(ends: list[tuple[int, int]], rows: int) -> Iterator[int]:
    """Times up to which there are about `rows`, then four times as many, and so on."""
    found = 0
    for time_us, count in ends:
        found += count
        if found >= rows:
            yield time_us
            rows = found * _WIDER
