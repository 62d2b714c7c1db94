"""Following what comes into the embedded store, also over a restart."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from armorstack.engines.duckdb.recent import Recent
from armorstack.engines.duckdb.store import Store
from armorstack.store.contract import EventStore
from armorstack.store.duckdb import LiveStore, PartsStore, arrivals
from tests.support.event_stores import Event, event, keys, put
from tests.support.stores import NOW_US, Clock, open_store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    store = open_store(folder)
    yield store
    store.close()


def came(names: Sequence[object], received_us: int, namespace: str = "shop") -> list[Event]:
    """Events that came at this moment; they happened in another order."""
    return [
        event(name, NOW_US - len(str(name)), received=received_us, namespace_name=namespace)
        for name in names
    ]


def followed(asked: EventStore, place: str, limit: int = 1000) -> tuple[list[str], str, int]:
    """All that came since the place, where that ends, and how many were missed."""
    seen: list[str] = []
    missed = 0
    while True:
        found = asked.arrivals(place, limit=limit)
        assert len(found.rows) <= limit
        seen += keys(found.rows)
        missed += found.missed
        place = found.place
        if len(found.rows) < limit:
            return seen, place, missed


def forget(store: Store) -> None:
    """Hold only the last events, as if the others had come long ago."""
    store._recent = Recent(store._recent.slices[-1:], store._recent.end)
    store._publish()


def test_events_come_in_the_order_of_their_arrival_once(store: Store) -> None:
    asked = LiveStore(store)
    put(store, came(["before"], NOW_US), 1)
    place = asked.arrivals().place
    assert followed(asked, place)[0] == []
    put(store, came(["ccc", "a"], NOW_US + 1), 2)
    put(store, came(["bb"], NOW_US + 2), 3)
    seen, place, _ = followed(asked, place)
    assert seen == ["ccc", "a", "bb"]
    put(store, came(["d"], NOW_US + 3), 4)
    store.flush()
    assert followed(asked, place)[0] == ["d"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_a_limit_passes_over_nothing(store: Store, limit: int) -> None:
    asked = LiveStore(store)
    place = asked.arrivals().place
    for number in range(7):
        put(store, came([f"{number}-{n}" for n in range(number)], NOW_US + number), number + 1)
    expected = [f"{number}-{n}" for number in range(7) for n in range(number)]
    assert followed(asked, place, limit)[0] == expected


def test_an_event_that_came_before_does_not_come_again(store: Store) -> None:
    asked = LiveStore(store)
    place = asked.arrivals().place
    put(store, came(["a"], NOW_US), 1)
    put(store, came(["a", "b"], NOW_US + 1), 2)
    assert followed(asked, place)[0] == ["a", "b"]


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_place_outlives_the_process(folder: Path, limit: int) -> None:
    store = open_store(folder, Clock(NOW_US))
    place = LiveStore(store).arrivals().place
    put(store, came(["a", "b"], NOW_US + 1), 1)
    seen, place, _ = followed(LiveStore(store), place)
    assert seen == ["a", "b"]
    put(store, came(["c", "d"], NOW_US + 2), 2)
    store.close()
    store = open_store(folder, Clock(NOW_US + 9))
    put(store, came(["e"], NOW_US + 3), 3)
    seen, place, missed = followed(LiveStore(store), place, limit)
    put(store, came(["f"], NOW_US + 4), 4)
    more, _, _ = followed(LiveStore(store), place, limit)
    store.close()
    assert (sorted(seen[:2]), seen[2:], more, missed) == (["c", "d"], ["e"], ["f"], 0)


def test_what_came_at_one_moment_is_not_passed_over_where_a_batch_ended_within_it(
    folder: Path,
) -> None:
    store = open_store(folder, Clock(NOW_US))
    place = LiveStore(store).arrivals().place
    put(store, came(["a", "b"], NOW_US + 1), 1)
    _, place, _ = followed(LiveStore(store), place)
    put(store, came(["c"], NOW_US + 1), 2)
    store.close()
    store = open_store(folder, Clock(NOW_US + 9))
    seen, _, _ = followed(LiveStore(store), place)
    store.close()
    assert "c" in seen


def test_a_place_within_a_batch_loses_none_that_was_received_before(folder: Path) -> None:
    store = open_store(folder, Clock(NOW_US))
    place = LiveStore(store).arrivals().place
    # Events of one stream stand together in a batch, whenever they were received.
    put(store, [*came(["later"], NOW_US + 2), *came(["earlier"], NOW_US + 1)], 1)
    found = LiveStore(store).arrivals(place, limit=1)
    store.close()
    store = open_store(folder, Clock(NOW_US + 9))
    seen, _, _ = followed(LiveStore(store), found.place)
    store.close()
    assert keys(found.rows) == ["later"]
    assert "earlier" in seen


def test_whoever_was_away_for_long_is_told_how_much_was_missed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "CATCH_UP", 3)
    asked = LiveStore(store)
    place = asked.arrivals().place
    put(store, came(["first"], NOW_US), 1)
    seen, place, missed = followed(asked, place)
    for number in range(10):
        names = [f"{number}-{n}" for n in range(300)]
        put(store, came(names, NOW_US + 1 + number), number + 2)
    forget(store)
    assert (seen, missed) == (["first"], 0)
    seen, place, missed = followed(asked, place)
    assert len(seen) + missed == 3000
    # All of the moment that the last three came at.
    assert len(seen) == 300
    assert followed(asked, place)[0] == []


def test_what_memory_has_let_go_is_taken_from_the_store(store: Store) -> None:
    asked = LiveStore(store)
    place = asked.arrivals().place
    for number in range(4):
        put(store, came([f"{number}-{n:03}" for n in range(300)], NOW_US + number), number + 1)
    forget(store)
    seen, _, missed = followed(asked, place)
    assert sorted(seen) == sorted(f"{number}-{n:03}" for number in range(4) for n in range(300))
    assert missed == 0


@pytest.mark.parametrize("limit", [1, 100])
def test_within_a_namespace_only_its_events_come(folder: Path, limit: int) -> None:
    store = open_store(folder, Clock(NOW_US))
    inside = LiveStore(store).within(["shop"])
    place = inside.arrivals().place
    put(store, came(["x", "y"], NOW_US + 1, "billing") + came(["a"], NOW_US + 1), 1)
    put(store, came(["z"], NOW_US + 2, "billing"), 2)
    seen, later, missed = followed(inside, place, limit)
    assert (seen, missed) == (["a"], 0)
    store.close()
    store = open_store(folder, Clock(NOW_US + 9))
    inside = LiveStore(store).within(["shop"])
    assert followed(inside, place, limit)[0] == ["a"]
    assert followed(inside, later, limit)[0] == []
    store.close()


def test_missed_events_of_others_are_not_counted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "CATCH_UP", 2)
    store = open_store(folder, Clock(NOW_US))
    place = LiveStore(store).within(["shop"]).arrivals().place
    for number in range(5):
        put(store, came([f"x{number}"], NOW_US + number, "billing"), number + 1)
    store.close()
    store = open_store(folder, Clock(NOW_US + 9))
    seen, _, missed = followed(LiveStore(store).within(["shop"]), place)
    store.close()
    assert (seen, missed) == ([], 0)


def test_parts_beside_a_worker_are_followed_as_they_are_written(store: Store, folder: Path) -> None:
    with PartsStore(folder) as asked:
        put(store, came(["before"], NOW_US), 1)
        store.flush()
        place = asked.arrivals().place
        put(store, came(["a", "b"], NOW_US + 1), 2)
        assert followed(asked, place)[0] == []
        store.flush()
        seen, place, _ = followed(asked, place)
        assert sorted(seen) == ["a", "b"]
        put(store, came(["c"], NOW_US + 2), 3)
        store.flush()
        assert followed(asked, place)[0] == ["c"]
