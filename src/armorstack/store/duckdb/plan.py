"""Into which pieces the events of a span are cut, so that what was counted once holds.

A part never changes, nor does a run of the tail. Parts of one day are put together, some of them to
a piece; a part that the span cuts is a piece of its own. Invariant: each event of the span lies in
one piece; a name stands for the same rows for as long as the store is open.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

from msgspec import Struct

from armorstack.engines.duckdb.part import Part
from armorstack.engines.duckdb.snapshot import View
from armorstack.engines.duckdb.tail import Slice

UNIT_PARTS = 8
"""Enough that few tables have to be put together, few enough that a lost one is soon made again."""
RUN_ROWS = 1024
"""Of the tail. Only its last run has to be counted again when more comes."""


class Piece(Struct, frozen=True):
    """Some of a view, and whether the span leaves some of its events out."""

    view: View
    name: Hashable
    is_cut: bool = False


def plan(view: View, start_us: int | None, end_us: int | None) -> tuple[Piece, ...]:
    """The pieces; one without anything where nothing lies in the span."""
    found = [*_of_parts(view.parts, start_us, end_us), *_of_tail(view, start_us, end_us)]
    return tuple(found) or (Piece(View(), ()),)


def _of_parts(
    parts: Sequence[Part], start_us: int | None, end_us: int | None
) -> Iterator[Piece]:  # fmt: skip
    cut: list[Part] = []
    for chunk, is_complete in _chunks(parts):
        whole = tuple(part for part in chunk if _is_within(part, start_us, end_us))
        if is_complete and len(whole) == len(chunk):
            yield _piece(chunk)
        else:
            yield from (_piece((part,)) for part in whole)
            cut += (part for part in chunk if part not in whole)
    if touched := View(tuple(cut)).within(start_us, end_us).parts:
        yield _piece(touched, is_cut=True)


def _piece(parts: tuple[Part, ...], *, is_cut: bool = False) -> Piece:
    name = tuple((part.name, part.bytes, part.rows) for part in parts)
    return Piece(View(parts), name, is_cut)


def _chunks(parts: Sequence[Part]) -> list[tuple[tuple[Part, ...], bool]]:
    """Parts of one day that belong together, and whether no more are expected among them."""
    days: defaultdict[str, list[Part]] = defaultdict(list)
    for part in parts:
        days[part.day].append(part)
    growing = max(parts, key=lambda part: part.cursor).day if parts else ""
    found = []
    for day, same in days.items():
        # In the order in which they were written, so that a new one leaves the others as they are.
        same.sort(key=lambda part: (part.cursor, part.name))
        for first in range(0, len(same), UNIT_PARTS):
            chunk = tuple(same[first : first + UNIT_PARTS])
            found.append((chunk, len(chunk) == UNIT_PARTS or day != growing))
    return found


def _of_tail(view: View, start_us: int | None, end_us: int | None) -> Iterator[Piece]:
    """Runs of slices, named by the numbers of their rows: the tail is what came last."""
    at = view.recent.end - sum(len(piece.rows) for piece in view.slices)
    run: list[Slice] = []
    rows = 0
    for number, piece in enumerate(view.slices, 1):
        run.append(piece)
        rows += len(piece.rows)
        if rows >= RUN_ROWS or number == len(view.slices):
            seen = View((), tuple(run)).within(start_us, end_us).slices
            is_cut = not all(_is_within(each, start_us, end_us) for each in run)
            if seen:
                yield Piece(View((), seen), ("tail", at, at + rows), is_cut)
            at, rows, run = at + rows, 0, []


def _is_within(piece: Part | Slice, start_us: int | None, end_us: int | None) -> bool:
    after = start_us is None or piece.min_time_us >= start_us
    return after and (end_us is None or piece.max_time_us < end_us)
