"""Groups of events as lines: how many, when first and last, and what they have in common."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Any

from armorstack.cli.event_table import fitted, heads, line
from armorstack.cli.paint import Paint, encodes
from armorstack.cli.zones import full_time, short_time
from armorstack.core.text import printable
from armorstack.store.contract import Top
from armorstack.store.event_json import time_text


def rows(
    found: Top, fields: Sequence[str], zone: tzinfo, width: int, paint: Paint
) -> Iterator[str]:
    """A table for a terminal of this width; 0: cells with tabs between them, no heads."""
    show = short_time if width else full_time
    cells = [
        [str(each.count), show(each.first_us, zone), show(each.last_us, zone),
         *map(printable, each.values)]
        for each in found.groups
    ]  # fmt: skip
    if not width:
        yield from ("\t".join(row) for row in cells)
        return
    if cells:
        layout = fitted(("count", "first", "last", *fields), cells, width)
        yield heads(layout, paint)
        yield from (line(layout, row, paint) for row in cells)
    if found.distinct > len(cells):
        yield paint(f"{found.distinct - len(cells):,} more groups: -n", dim=True)


def as_objects(found: Top, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One object per group; values by the names of their fields."""
    for each in found.groups:
        yield {
            "count": each.count, "first": time_text(each.first_us), "last": time_text(each.last_us),
            "values": dict(zip(fields, each.values, strict=True)),
        }  # fmt: skip


def bar(count: int, most: int, width: int) -> str:
    """A bar of that share, padded."""
    block = "█" if encodes("█") else "#"
    return (block * (max(1, round(count / most * width)) if count and most else 0)).ljust(width)
