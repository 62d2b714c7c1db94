"""Queries over parts and tail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from armorstack.core.batch import SCHEMA
from armorstack.engines.duckdb.store import Store
from armorstack.errors import StoreError
from tests.support.stores import HOUR_US, NOW_US, batch, open_store, stored


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """One event an hour, `0` now; the newest two in the tail, the others in parts of their own."""
    store = open_store(tmp_path)
    for hours in reversed(range(10)):
        store.write(batch(10 - hours, [hours], at_us=NOW_US - hours * HOUR_US))
        if hours > 1:
            store.flush()
    yield store
    store.close()


def test_a_query_sees_parts_and_tail_as_one_table(store: Store) -> None:
    assert stored(store) == [str(hours) for hours in range(10)]


def test_the_columns_are_those_of_the_schema(store: Store) -> None:
    assert store.query("SELECT * FROM events").schema.names == SCHEMA.names


def test_every_column_comes_back_as_it_was_written(tmp_path: Path) -> None:
    store = open_store(tmp_path / "other")
    event = {
        "host_pid": 7, "uid": 0, "atags": ["a", "b"], "event_data": [("Syscall", "openat")],
        "extra": '{"x":1}', "user_name": "",
    }  # fmt: skip
    written = batch(1, "a", **event)
    store.write(written)
    in_tail = store.query("SELECT * FROM events").to_pylist()
    store.flush()
    in_part = store.query("SELECT * FROM events").to_pylist()
    store.close()
    assert in_tail == in_part == written.rows.to_pylist()


def test_a_span_of_time_holds_its_start_and_not_its_end(store: Store) -> None:
    start_us = NOW_US - 3 * HOUR_US
    found = store.query("SELECT resource FROM events ORDER BY 1", (), start_us, NOW_US)
    assert found["resource"].to_pylist() == ["1", "2", "3"]


def test_only_parts_within_the_span_are_opened(store: Store, tmp_path: Path) -> None:
    for file in tmp_path.glob("parts/*/*.parquet"):
        if file.name != "8-0.parquet":
            file.unlink()
    found = store.query("SELECT resource FROM events ORDER BY 1", start_us=NOW_US - 2 * HOUR_US)
    assert found["resource"].to_pylist() == ["0", "1", "2"]


def test_a_span_without_events_is_empty(store: Store) -> None:
    assert store.query("SELECT * FROM events", end_us=0).num_rows == 0


def test_an_empty_store_answers(tmp_path: Path) -> None:
    store = open_store(tmp_path / "empty")
    found = store.query("SELECT count(*) AS n FROM events").to_pylist()
    store.close()
    assert found == [{"n": 0}]


def test_values_are_given_as_parameters(store: Store) -> None:
    hostile = "'; DROP VIEW events; --"
    assert store.query("SELECT 1 FROM events WHERE resource = ?", [hostile]).num_rows == 0
    assert store.query("SELECT 1 FROM events WHERE resource = $r", {"r": "3"}).num_rows == 1


@pytest.mark.parametrize("rows", [1, 2, 3, 10])
def test_the_newest_events_are_found_without_the_older_parts(store: Store, rows: int) -> None:
    start_us = store.newest_us(rows)
    newest = "SELECT resource FROM events ORDER BY time DESC LIMIT ?"
    found = store.query(newest, [rows], start_us=start_us)["resource"].to_pylist()
    assert found == [str(hours) for hours in range(rows)]
    # The two events of the tail are one slice.
    assert start_us == NOW_US - max(rows - 1, 1) * HOUR_US


def test_there_is_no_such_time_when_there_are_fewer_events(store: Store) -> None:
    assert store.newest_us(11) is None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '/tmp/copied.csv'",
        "ATTACH '/tmp/other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET threads = 64",
        "SELECT * FROM store",
    ],
)
def test_sql_reaches_nothing_but_the_events(store: Store, sql: str) -> None:
    with pytest.raises(StoreError, match="cannot answer"):
        store.query(sql)


def test_a_closed_store_refuses_queries(tmp_path: Path) -> None:
    store = open_store(tmp_path / "closed")
    store.close()
    with pytest.raises(StoreError):
        store.query("SELECT 1 FROM events")
    with pytest.raises(StoreError):
        store.gaps(0, 1)
