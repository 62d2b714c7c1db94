"""`EventStore` over DuckDB: the embedded store live, its parts beside it, or lines.

What belongs here: a question as SQL over the table `events`, and its answer as the contract's
shapes. Values go into SQL as parameters only. Forbidden: finding out where events lie (`sources`
of `event_store.py` do that), anything that writes.

    live.py, parts.py, lines.py   where events lie; what each module exports is an `EventStore`
    event_store.py                the methods: snapshot, budget, namespaces, then one of:
    pages.py  histogram.py  groups.py  exporting.py  arrivals.py
    counting.py  partials.py      groups of events, as far as possible from what was counted before
    inquiry.py                    one statement under a budget
    where.py  columns.py          tree → condition; field → expression
"""

from armorstack.store.duckdb.lines import LinesStore
from armorstack.store.duckdb.live import LiveStore
from armorstack.store.duckdb.parts import PartsStore

__all__ = ["LinesStore", "LiveStore", "PartsStore"]
