"""How many counts are kept, and which are made together."""

import pyarrow as pa
import pytest

from armorstack.store.duckdb import partials
from armorstack.store.duckdb.partials import Key, Partials


def test_what_was_not_asked_for_longest_is_let_go() -> None:
    table = pa.table({"x": list(range(1000))})
    kept = Partials(max_bytes=3 * (table.nbytes + 1024))
    for key in "abc":
        kept.put(key, table)
    assert kept.get("a") is not None
    kept.put("d", table)
    assert [kept.get(key) is not None for key in "abcd"] == [True, False, True, True]


def test_a_table_larger_than_all_room_is_not_kept() -> None:
    kept = Partials(max_bytes=10)
    kept.put("a", pa.table({"x": list(range(1000))}))
    assert kept.get("a") is None
    kept.put("a", pa.table({"x": [1]}))
    assert kept.get("a") is None


def test_what_was_asked_a_moment_ago_under_the_same_condition_keeps_company() -> None:
    kept = Partials()
    pods, nodes, bars = Key(("pod_name",)), Key(("host_name",)), Key(("severity",), 60)
    assert kept.companions("alerts", [pods, nodes]) == []
    assert kept.companions("alerts", [bars]) == [pods, nodes]
    # Buckets have the length that is asked for now; without one there are none.
    assert kept.companions("alerts", [Key((), 5)]) == [pods, nodes, Key(("severity",), 5)]
    assert kept.companions("alerts", [pods]) == [nodes]
    assert kept.companions("logs", [pods]) == []


def test_what_was_asked_longer_ago_keeps_no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partials, "COMPANY_S", 0.0)
    kept = Partials()
    kept.companions("alerts", [Key(("pod_name",))])
    assert kept.companions("alerts", [Key(("host_name",))]) == []


def test_a_new_condition_has_the_company_of_the_last_that_was_begun_alike() -> None:
    kept = Partials()
    bars, pods, nodes = Key(("severity",), 60), Key(("pod_name",)), Key(("host_name",))
    assert kept.companions("alerts", [bars]) == []
    assert kept.companions("alerts", [pods, nodes]) == []
    assert kept.companions("logs", [Key(("severity",), 5)]) == [pods, nodes]
    # It goes on with its own.
    assert kept.companions("logs", [pods]) == []
    assert kept.companions("others", [pods]) == []
