"""Which parts are counted together, and how many counts are kept."""

from typing import Any

import pyarrow as pa
import pytest

from armorstack.engines.duckdb.part import Part
from armorstack.engines.duckdb.snapshot import View
from armorstack.store.duckdb import partials
from armorstack.store.duckdb.partials import UNIT_PARTS, Key, Partials, plan


def part(cursor: int, day: str = "2026-11-23", **values: Any) -> Part:
    known: dict[str, Any] = {
        "name": f"day={day}/{cursor}-0.parquet", "day": day, "kind": "full", "layout": "",
        "cursor": cursor, "rows": 1, "bytes": 1, "min_time_us": cursor, "max_time_us": cursor,
        "min_received_us": 0, "max_received_us": 0, "runs": (),
    }  # fmt: skip
    return Part(**known | values)


def cursors(units: tuple[tuple[Part, ...], ...]) -> list[list[int]]:
    return [[each.cursor for each in unit] for unit in units]


def test_the_parts_of_a_day_are_units_and_those_of_the_last_are_single_until_they_are_enough() -> (
    None
):
    old = [part(n, "2026-11-22") for n in range(UNIT_PARTS + 2)]
    new = [part(n) for n in range(100, 103)]
    made = plan(View((*new, *reversed(old))), None, None)
    first = list(range(UNIT_PARTS))
    assert sorted(cursors(made.units)) == [
        first, [UNIT_PARTS, UNIT_PARTS + 1], [100], [101], [102],
    ]  # fmt: skip
    assert made.rest == View()


def test_a_new_part_leaves_the_units_as_they_were() -> None:
    parts = [part(n) for n in range(9, 9 + UNIT_PARTS)]
    before = plan(View(tuple(parts)), None, None).units
    after = plan(View((*parts, part(100))), None, None).units
    assert cursors(after) == [*cursors(before), [100]]


def test_where_the_span_cuts_a_unit_whole_parts_count_alone() -> None:
    parts = [part(n, min_time_us=n * 10, max_time_us=n * 10 + 9) for n in range(UNIT_PARTS)]
    view = View(tuple(parts))
    assert cursors(plan(view, 0, UNIT_PARTS * 10).units) == [list(range(UNIT_PARTS))]
    made = plan(view, 15, UNIT_PARTS * 10 - 1)
    assert cursors(made.units) == [[n] for n in range(2, UNIT_PARTS - 1)]
    assert [each.cursor for each in made.rest.parts] == [1, UNIT_PARTS - 1]


def test_a_part_whose_last_event_lies_at_the_end_is_cut() -> None:
    view = View((part(5),))
    assert plan(view, 5, 6).units
    assert plan(view, 5, 5).units == ()
    assert plan(view, 6, None).units == ()


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
