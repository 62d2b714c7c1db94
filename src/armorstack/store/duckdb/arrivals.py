"""Events in the order in which they came.

What has just come is taken from the store's memory by its number. Whoever was away for longer, or
comes from before a restart, goes on by `received`: what came at the same microsecond is counted,
so nothing is passed over, and at worst some of it is given again. Must not go here: waiting.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from armorstack.engines.duckdb.recent import Recent
from armorstack.engines.duckdb.snapshot import View
from armorstack.engines.place import Place
from armorstack.store.contract import Row
from armorstack.store.duckdb.inquiry import Inquiry
from armorstack.store.duckdb.rows import batch_rows, rows_of, selected, selection
from armorstack.store.duckdb.where import Parameters

CATCH_UP = 5_000
"""The most events that are made up for; those before are told as missed."""


class Came(Struct, frozen=True):
    """What came, and behind what one then is."""

    rows: tuple[Row, ...]
    place: Place
    missed: int = 0


def now(view: View, opened: int) -> Place:
    """Behind all that there is."""
    seen = [part.max_received_us for part in view.parts]
    seen += [_span(piece.rows)[1] for piece in (*view.slices, *view.recent.slices)]
    return Place(opened, view.recent.end, max(seen, default=-1) + 1)


def is_held(recent: Recent, place: Place, opened: int) -> bool:
    """Whether what came since the place is in memory, whole."""
    return place.opened == opened != 0 and recent.start <= place.number <= recent.end


def held(recent: Recent, place: Place, limit: int, namespaces: Sequence[str] | None) -> Came:
    """At most `limit` of those in memory."""
    rows: list[Row] = []
    for batch in recent.since(place.number):
        taken, used = _allowed(batch, namespaces, limit - len(rows))
        rows += batch_rows(_with_values(taken))
        place = _behind(place, batch, used)
        if len(rows) >= limit:
            break
    return Came(tuple(rows), place)


def stored(inquiry: Inquiry, place: Place, limit: int, opened: int) -> Came:
    """At most `limit` of those in the store, by `received`; from there on by number, if that is
    known and there are no more."""
    view = inquiry.view.received_since(place.received_us)
    total, same = _count(inquiry, view, place.received_us)
    # What another part of them were, nobody knows; so they are given again.
    given = place.given if place.given == same or not place.opened else 0
    missed = 0
    if total - given > CATCH_UP:
        start_us = _start(inquiry, view)
        kept, _ = _count(inquiry, view, start_us)
        missed, given, total = max(0, total - given - kept), 0, kept
        place = Place(received_us=start_us)
    rows = _read(inquiry, view, place.received_us, limit, given)
    if rows:
        last_us = rows[-1]["received"]
        before = given if last_us == place.received_us else 0
        same = before + sum(row["received"] == last_us for row in rows)
        place = Place(received_us=last_us, given=same)
    if given + len(rows) >= total:
        place = Place(opened, inquiry.view.recent.end, place.received_us, place.given)
    return Came(tuple(rows), place, missed)


def _read(inquiry: Inquiry, view: View, start_us: int, limit: int, skip: int) -> list[Row]:
    parameters = Parameters()
    put = parameters.put
    sql = f"""
        SELECT {selected(selection(None))} FROM events
        WHERE events.received >= make_timestamp({put(start_us)}::BIGINT)
        ORDER BY events.received, id LIMIT {put(limit)} OFFSET {put(skip)}"""
    return rows_of(inquiry.answer(sql, parameters, view=view))


def _count(inquiry: Inquiry, view: View, start_us: int) -> tuple[int, int]:
    """How many were received since then, and how many at that very moment."""
    parameters = Parameters()
    start = f"make_timestamp({parameters.put(start_us)}::BIGINT)"
    sql = f"""
        SELECT count(*) AS total, count(*) FILTER (received = {start}) AS same
        FROM events WHERE received >= {start}"""
    total, same = inquiry.answer(sql, parameters, view=view).rows[0]
    return total, same


def _start(inquiry: Inquiry, view: View) -> int:
    """When the last `CATCH_UP` events began to come; there must be so many."""
    parameters = Parameters()
    sql = f"""
        SELECT epoch_us(received) AS start_us FROM events
        ORDER BY events.received DESC LIMIT 1 OFFSET {parameters.put(CATCH_UP - 1)}"""
    found: int = inquiry.answer(sql, parameters, view=view).rows[0][0]
    return found


def _allowed(
    batch: pa.RecordBatch, namespaces: Sequence[str] | None, limit: int
) -> tuple[pa.RecordBatch, int]:
    """At most `limit` rows of these namespaces, and how many rows of the batch that took."""
    if namespaces is None:
        return batch.slice(0, limit), min(limit, len(batch))
    wanted = pa.array(namespaces, pa.string())
    mask = pc.is_in(batch.column("namespace_name"), value_set=wanted)
    at = pc.indices_nonzero(mask)
    if len(at) < limit:
        return batch.take(at), len(batch)
    return batch.take(at.slice(0, limit)), at[limit - 1].as_py() + 1


def _behind(place: Place, batch: pa.RecordBatch, used: int) -> Place:
    """The place behind the first `used` rows."""
    taken = batch.slice(0, used)
    received_us = max(place.received_us, _span(taken)[1])
    if used < len(batch):
        # Rows of a batch do not stand in the order of their arrival.
        received_us = max(place.received_us, min(received_us, _span(batch.slice(used))[0]))
    at_once = pc.equal(taken.column("received").cast(pa.int64()), received_us).true_count
    before = place.given if received_us == place.received_us else 0
    return Place(place.opened, place.number + used, received_us, before + at_once)


def _span(batch: pa.RecordBatch) -> tuple[int, int]:
    span = pc.min_max(batch.column("received").cast(pa.int64()))
    return span["min"].as_py(), span["max"].as_py()


def _with_values(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without columns in which nothing is."""
    kept = [name for name in batch.schema.names if batch.column(name).null_count < len(batch)]
    return batch.select(kept)
