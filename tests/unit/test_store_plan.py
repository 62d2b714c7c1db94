"""Which pieces events are counted in."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.engines.duckdb.part import Part
from armorstack.engines.duckdb.recent import Recent
from armorstack.engines.duckdb.snapshot import View
from armorstack.engines.duckdb.tail import Slice
from armorstack.store.duckdb.plan import RUN_ROWS, UNIT_PARTS, Piece, plan


def part(cursor: int, day: str = "2026-11-23", **values: Any) -> Part:
    known: dict[str, Any] = {
        "name": f"day={day}/{cursor}-0.parquet", "day": day, "kind": "full", "layout": "",
        "cursor": cursor, "rows": 1, "bytes": 1, "min_time_us": cursor, "max_time_us": cursor,
        "min_received_us": 0, "max_received_us": 0, "runs": (),
    }  # fmt: skip
    return Part(**known | values)


def piece(rows: int, min_us: int = 0, max_us: int = 0) -> Slice:
    columns = [pa.nulls(rows, field.type) for field in SCHEMA]
    return Slice(pa.RecordBatch.from_arrays(columns, schema=SCHEMA), min_us, max_us)


def cursors(pieces: Sequence[Piece], *, cut: bool = False) -> list[list[int]]:
    return [[each.cursor for each in made.view.parts] for made in pieces if made.is_cut == cut]


def test_the_parts_of_a_day_are_together_and_those_of_the_last_single_until_they_are_enough() -> (
    None
):
    old = [part(n, "2026-11-22") for n in range(UNIT_PARTS + 2)]
    new = [part(n) for n in range(100, 103)]
    made = plan(View((*new, *reversed(old))), None, None)
    first = list(range(UNIT_PARTS))
    assert sorted(cursors(made)) == [first, [UNIT_PARTS, UNIT_PARTS + 1], [100], [101], [102]]
    assert cursors(made, cut=True) == []


def test_a_new_part_leaves_the_pieces_as_they_were() -> None:
    parts = [part(n) for n in range(9, 9 + UNIT_PARTS)]
    before = plan(View(tuple(parts)), None, None)
    after = plan(View((*parts, part(100))), None, None)
    assert after[: len(before)] == before
    assert cursors(after) == [*cursors(before), [100]]


def test_where_the_span_cuts_whole_parts_count_alone() -> None:
    parts = [part(n, min_time_us=n * 10, max_time_us=n * 10 + 9) for n in range(UNIT_PARTS)]
    view = View(tuple(parts))
    assert cursors(plan(view, 0, UNIT_PARTS * 10)) == [list(range(UNIT_PARTS))]
    made = plan(view, 15, UNIT_PARTS * 10 - 1)
    assert cursors(made) == [[n] for n in range(2, UNIT_PARTS - 1)]
    assert cursors(made, cut=True) == [[1, UNIT_PARTS - 1]]


def test_a_part_whose_last_event_lies_at_the_end_is_cut() -> None:
    view = View((part(5),))
    assert cursors(plan(view, 5, 6)) == [[5]]
    assert cursors(plan(view, 5, 5)) == [[]]
    assert cursors(plan(view, 6, None)) == [[]]


def test_a_span_without_anything_is_one_empty_piece() -> None:
    assert plan(View(), None, None) == (Piece(View(), ()),)


def test_only_the_last_run_of_the_tail_changes_when_more_comes() -> None:
    slices = (piece(RUN_ROWS - 1), piece(1), piece(10))
    before = plan(View((), slices, Recent((), 5000)), None, None)
    after = plan(View((), (*slices, piece(7)), Recent((), 5007)), None, None)
    start = 5000 - RUN_ROWS - 10
    middle = start + RUN_ROWS
    assert [each.name for each in before] == [("tail", start, middle), ("tail", middle, 5000)]
    assert [each.name for each in after] == [("tail", start, middle), ("tail", middle, 5007)]
    assert [len(each.view.slices) for each in after] == [2, 2]


def test_a_run_that_the_span_cuts_says_so_and_one_outside_is_no_piece() -> None:
    slices = (piece(RUN_ROWS, 0, 9), piece(RUN_ROWS, 10, 19), piece(RUN_ROWS, 20, 29))
    view = View((), slices, Recent((), 3 * RUN_ROWS))
    made = plan(view, 15, None)
    assert [(each.name, each.is_cut) for each in made] == [
        (("tail", RUN_ROWS, 2 * RUN_ROWS), True),
        (("tail", 2 * RUN_ROWS, 3 * RUN_ROWS), False),
    ]
