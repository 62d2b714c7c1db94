"""Pages are asked once after a start."""

import time
from pathlib import Path

from armorstack.config import DuckdbSink
from armorstack.engines.duckdb.store import Store
from armorstack.errors import StoreError
from armorstack.store.contract import EventStore
from armorstack.store.duckdb import LiveStore
from armorstack.web import warming
from armorstack.web.warming import Warming
from tests.support.web import fill, now_us


def test_the_first_pages_are_counted_as_soon_as_the_store_is_open(tmp_path: Path) -> None:
    store = Store.open(tmp_path, DuckdbSink(part_interval_s=1e9), now_us)
    fill(store, 200)
    store.flush()
    live = LiveStore(store)
    asked: list[str] = []

    def given() -> EventStore:
        asked.append("")
        if len(asked) == 1:
            raise StoreError("the store is not open yet")
        return live

    made = Warming(given)
    made.start()
    made._thread.join(30)
    # Once in vain, then once for each span.
    assert len(asked) == 1 + len(warming.SPANS)
    assert live._partials._tables
    made.stop()
    store.close()


def test_it_ends_when_it_is_told_to_although_there_is_no_store() -> None:
    def none() -> EventStore:
        raise StoreError("no sink keeps events")

    made = Warming(none)
    made.start()
    time.sleep(0.05)
    made.stop()
    assert not made._thread.is_alive()
