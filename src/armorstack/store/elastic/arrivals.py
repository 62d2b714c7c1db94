"""Events in the order in which they came to an engine.

Engines know no such order, so one follower asks for all who wait, at most twice a second: what was
received since shortly before the newest event that it knows, and is not known yet. An event that
becomes searchable later than others which came after it is so found, too. Whoever was away for
longer, or comes from before a restart, goes on by `received`; at worst some of it is given again.

Invariant: of what is held in memory, a number stands for an event, and none is given twice to who
follows the numbers. Must not go here: waiting.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable

from armorstack.core.ecs.exact import ORDER, order_of
from armorstack.core.query.tree import Compare
from armorstack.engines.place import Place
from armorstack.store.budget import Budget
from armorstack.store.contract import Row
from armorstack.store.elastic.fields import RECEIVED
from armorstack.store.elastic.inquiry import Body, Inquiry
from armorstack.store.elastic.pages import fetched, hits, rows_of, selection
from armorstack.store.elastic.query import all_of, between, none_of

CATCH_UP = 5_000
"""The most events that are made up for; those before are told as missed."""
HELD = 5_000
"""Events in memory, and known ones that are not asked for again."""
LAG_US = 30_000_000
"""How much later than its neighbours an event may become searchable."""
PAUSE_S = 0.5
BATCH = 1_000
ARRIVALS_S = 10.0
_ASCENDING = [{RECEIVED: {"order": "asc", "unmapped_type": "long"}},
              {ORDER: {"order": "asc", "unmapped_type": "long"}}]  # fmt: skip
_DESCENDING = [{RECEIVED: {"order": "desc", "unmapped_type": "long"}},
               {ORDER: {"order": "desc", "unmapped_type": "long"}}]  # fmt: skip

Ask = Callable[[Budget], Inquiry]


class Follower:
    """What came lately, numbered. Every method may be called from any thread."""

    def __init__(self, ask: Ask, now_us: Callable[[], int]) -> None:
        """`ask` makes inquiries of all namespaces."""
        self._ask = ask
        self._now_us = now_us
        self._lock = threading.Lock()
        self._rows: deque[Row] = deque(maxlen=HELD)
        self._known: deque[tuple[int, int]] = deque(maxlen=HELD)
        self._end = 0
        self._last_us = -1
        self._polled_s = 0.0
        self.opened = 0
        """Names this one among others, before and beside it; 0: it has not begun."""

    def now(self) -> Place:
        """Behind all that there is."""
        with self._lock:
            self._poll()
            return Place(self.opened, self._end, self._last_us + 1)

    def since(self, place: Place, limit: int) -> tuple[list[Row], Place] | None:
        """At most `limit` events behind this place; None where they are not in memory."""
        with self._lock:
            self._poll()
            first = self._end - len(self._rows)
            if place.opened != self.opened or not first <= place.number <= self._end:
                return None
            skipped = place.number - first
            rows = [self._rows[at] for at in range(skipped, min(len(self._rows), skipped + limit))]
            last_us = max([place.received_us, *(row["received"] + 1 for row in rows)])
            return rows, Place(self.opened, place.number + len(rows), last_us)

    def _poll(self) -> None:
        """Ask what is new, unless that was just done."""
        if self.opened and time.monotonic() - self._polled_s < PAUSE_S:
            return
        # Also where the engine does not answer: whoever waits asks again.
        self._polled_s = time.monotonic()
        inquiry = self._ask(Budget(ARRIVALS_S))
        if not self.opened:
            self._begin(inquiry)
        else:
            self._go_on(inquiry)

    def _begin(self, inquiry: Inquiry) -> None:
        """From here on: what there is already is known, and is not given."""
        body = {"query": inquiry.query(), "size": HELD, "sort": _DESCENDING, "_source": False,
                "track_total_hits": False}  # fmt: skip
        found = hits(inquiry.search(body))
        places = [(int(hit["sort"][0]), int(hit["sort"][1])) for hit in reversed(found)]
        self._known.clear()
        self._rows.clear()
        self._known.extend(places)
        self._last_us = min(places[-1][0] if places else -1, self._now_us())
        self.opened = self.opened or secrets.randbits(60) + 1

    def _go_on(self, inquiry: Inquiry) -> None:
        seen = 0
        while True:
            found = inquiry.search(self._new(inquiry))
            total = found.get("hits", {}).get("total", {}).get("value", 0)
            if seen + total > CATCH_UP:
                # Whoever waits for them is given what he missed from the store.
                self._end += seen + total + 1
                self._begin(inquiry)
                return
            rows = rows_of(found, selection(None))
            self._take(rows)
            seen += len(rows)
            if len(rows) < BATCH:
                return

    def _new(self, inquiry: Inquiry) -> Body:
        """Events that are not known, since shortly before the newest that is."""
        start_us = self._last_us - LAG_US
        if len(self._known) == HELD:
            start_us = max(start_us, min(received for received, _ in self._known))
        known = [order for received, order in self._known if received >= start_us]
        query = all_of([
            inquiry.query(), between(RECEIVED, start_us, None), none_of({"terms": {ORDER: known}}),
        ])  # fmt: skip
        return {"query": query, "size": BATCH, "sort": _ASCENDING} | fetched(selection(None)) | {
            "track_total_hits": CATCH_UP + 1
        }  # fmt: skip

    def _take(self, rows: list[Row]) -> None:
        self._rows.extend(rows)
        self._end += len(rows)
        self._known.extend((row["received"], order_of(row["id"])) for row in rows)
        if rows:
            # A clock that runs ahead must not hide what comes from others meanwhile.
            newest_us = min(max(row["received"] for row in rows), self._now_us())
            self._last_us = max(self._last_us, newest_us)


def stored(inquiry: Inquiry, place: Place, limit: int) -> tuple[list[Row], Place, int]:
    """At most `limit` of those in the store behind this place, by `received`; behind which place
    one then is; and how many can not be given."""
    came = inquiry.query(Compare("received", ">=", place.received_us))
    body = {"query": came, "sort": _ASCENDING} | fetched(selection(None))
    counted = inquiry.search({"query": came, "size": 0, "track_total_hits": True})
    total = counted.get("hits", {}).get("total", {}).get("value", 0) - place.given
    missed = max(0, total - CATCH_UP)
    if missed:
        rows, place = _newest(inquiry, body), Place()
        missed, rows = max(0, total - len(rows)), rows[:limit]
    else:
        found = inquiry.search(body | {"size": limit + place.given})
        rows = rows_of(found, selection(None))[place.given :]
    if not rows:
        return [], place, 0
    last_us = rows[-1]["received"]
    given = place.given if last_us == place.received_us else 0
    same = given + sum(row["received"] == last_us for row in rows)
    return rows, Place(0, 0, last_us, same), missed


def _newest(inquiry: Inquiry, body: Body) -> list[Row]:
    """The last `CATCH_UP` events, oldest first."""
    found = inquiry.search(body | {"size": CATCH_UP, "sort": _DESCENDING})
    return rows_of(found, selection(None))[::-1]
