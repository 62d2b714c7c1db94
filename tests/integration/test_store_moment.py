"""Answers that fit together while events come and parts go."""

import contextlib
import queue
import threading
from pathlib import Path

import pytest

from armorstack.core.query.question import Question
from armorstack.engines.duckdb.store import Store
from armorstack.errors import StoreError
from armorstack.store.duckdb import LiveStore
from tests.support.event_stores import embedded, event, keys, patience, put
from tests.support.stores import NOW_US, Clock, open_store


def test_what_comes_meanwhile_is_seen_by_the_next_moment(tmp_path: Path) -> None:
    with embedded(tmp_path) as store:
        put(store, [event(1, action="Block"), event(2)], 1)
        live = LiveStore(store, Clock())
        with live.at_one_moment() as moment:
            assert moment.count(Question(), patience()) == 2
            put(store, [event(3, action="Block")], 2)
            assert moment.count(Question(), patience()) == 2
            assert len(moment.events(Question(), patience()).rows) == 2
            [facet] = moment.facets(Question(), patience(), fields=("action",))
            assert {value.value: value.count for value in facet.values} == {"Block": 1, "": 1}
            assert live.count(Question(), patience()) == 3
        with live.at_one_moment() as moment:
            assert moment.count(Question(), patience()) == 3


def test_a_part_that_goes_away_makes_it_a_later_moment(tmp_path: Path) -> None:
    with embedded(tmp_path) as store:
        put(store, [event(1)], 1)
        store.flush()
        live = LiveStore(store, Clock())
        with live.at_one_moment() as moment:
            assert keys(moment.events(Question(), patience()).rows) == ["1"]
            put(store, [event(2)], 2)
            store.flush()
            # As a merge does it: the rows lie in another file from now on.
            [old] = [part for part in live.view().parts if part.rows == 1][:1]
            file = next(tmp_path.rglob(old.name))
            kept = file.read_bytes()
            file.unlink()
            with pytest.raises(StoreError, match="went away"):
                moment.events(Question(), patience())
            file.write_bytes(kept)
            assert sorted(keys(moment.events(Question(), patience()).rows)) == ["1", "2"]


def test_each_run_of_the_tail_is_counted_once_and_none_is_counted_twice(tmp_path: Path) -> None:
    with embedded(tmp_path) as store:
        live = LiveStore(store, Clock())
        for number in range(30):
            put(store, [event((number, n), pod_name=f"p{n % 3}") for n in range(300)], number + 1)
            assert live.count(Question(), patience()) == 300 * (number + 1)
            [facet] = live.facets(Question(), patience(), fields=("pod",))
            assert {value.count for value in facet.values} == {100 * (number + 1)}
        store.flush()
        assert live.count(Question(), patience()) == 9000


def test_closing_ends_what_is_asked_and_refuses_what_is_asked_later(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    put(store, [event(n) for n in range(2000)], 1)
    store.flush()
    begun, told = threading.Event(), queue.SimpleQueue[str]()

    def ask() -> None:
        with store.snapshot() as snapshot:
            begun.set()
            try:
                snapshot.query(
                    "SELECT count(*) FROM events a, events b, events c WHERE a.id > b.id"
                )
            except StoreError as error:
                told.put(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    assert begun.wait(30)
    store.close()
    assert told.get(timeout=30)
    thread.join()
    with pytest.raises(StoreError):
        LiveStore(store, Clock()).count(Question(), patience())


def test_a_store_is_closed_while_its_gaps_are_asked_for(tmp_path: Path) -> None:
    for number in range(10):
        store = open_store(tmp_path / str(number))
        put(store, [event(number)], 1)
        threads = [threading.Thread(target=ask_until_refused, args=(store,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        store.close()
        for thread in threads:
            thread.join()


def ask_until_refused(store: Store) -> None:
    with contextlib.suppress(StoreError):
        while True:
            store.gaps(0, NOW_US)
