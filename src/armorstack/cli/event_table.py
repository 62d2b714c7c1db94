"""Events as lines: a table that fits a terminal, or columns with tabs between them for programs.

Invariants: what an event says reaches the output through `printable` alone; an event is one line;
with tabs there is a cell for each column, whole, and an absent value is an empty cell. Must not go
here: where events come from.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, tzinfo

from msgspec import Struct
from rich.cells import cell_len, set_cell_size

from armorstack.cli.paint import Paint
from armorstack.cli.zones import brief_time, full_time, short_time
from armorstack.core.text import printable
from armorstack.store.contract import Row
from armorstack.store.event_json import COLUMNS as COLUMNS_OF
from armorstack.store.event_json import TIMES, plain

COLUMNS = (
    "time", "severity", "namespace", "pod", "policy", "action", "operation", "process", "resource",
)  # fmt: skip
"""What programs are given unless columns are named, and wide terminals show."""
NARROWER = (
    (130, ("time", "severity", "namespace", "pod", "policy", "action", "operation", "resource")),
    (100, ("time", "severity", "pod", "action", "operation", "resource")),
)
"""What terminals show that are less wide than this."""
BRIEF_BELOW = 130

_HEADS = {"severity": "sev"}
_FIXED = {"severity": 3, "action": 6, "operation": 10, "stream": 7}
"""Widths that hardly any value exceeds, so that lines printed one by one stay aligned."""
_LEAST = 8
_LEAST_OF = {"severity": 3, "action": 6, "operation": 7, "stream": 7}
_MOST = 60
_GAP = "  "
ABSENT = "-"

ShowTime = Callable[[int, tzinfo], str]


class Layout(Struct, frozen=True):
    """Columns with their widths in cells of the terminal; 0: as long as it is."""

    names: tuple[str, ...]
    widths: tuple[int, ...]


def columns_for(width: int) -> tuple[str, ...]:
    """What a terminal of this width shows; 0: no limit."""
    fits = [names for below, names in NARROWER if 0 < width < below]
    return fits[-1] if fits else COLUMNS


def cells(row: Row, names: Sequence[str], zone: tzinfo, show: ShowTime = short_time) -> list[str]:
    """The row's values as printable text; a message stands where a resource would."""
    values = _values(row, names, zone, show)
    if "message" in row and "resource" in names and not row.get("resource"):
        values[list(names).index("resource")] = printable(row["message"])
    return values


def tabbed(row: Row, names: Sequence[str], zone: tzinfo) -> str:
    """The row for a program."""
    return "\t".join(_values(row, names, zone, full_time))


def json_line(row: Row, names: Sequence[str]) -> str:
    """The row as one JSON object in ASCII, as the API shows it; absent values are absent."""
    document = plain(row)
    return json.dumps({name: document[name] for name in names if name in document})


def lines(
    rows: Sequence[Row], names: Sequence[str], zone: tzinfo, width: int, paint: Paint
) -> Iterator[str]:
    """A table with heads; nothing where there are no rows."""
    if not rows:
        return
    found = [cells(row, names, zone, time_for(width)) for row in rows]
    layout = fitted(names, found, width)
    yield heads(layout, paint)
    yield from (line(layout, values, paint) for values in found)


def time_for(width: int) -> ShowTime:
    """How a terminal of this width shows times."""
    return brief_time if 0 < width < BRIEF_BELOW else short_time


def fitted(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Layout:
    """Widths for these cells; the widest give way until the line fits."""
    widths = [
        max([len(head(name)), *(cell_len(row[at][:width]) for row in rows)])
        for at, name in enumerate(names)
    ]
    widths = [*(min(_MOST, each) for each in widths[:-1]), widths[-1]]
    least = [
        each if name in TIMES else min(each, _LEAST_OF.get(name, _LEAST))
        for name, each in zip(names, widths, strict=True)
    ]
    return Layout(tuple(names), tuple(_shrunk(widths, least, _room(names, width))))


def steady(names: Sequence[str], width: int, show: ShowTime) -> Layout:
    """Widths for lines that are printed before the others are known."""
    time_width = len(show(0, UTC))
    fixed = [time_width if name in TIMES else _FIXED.get(name, 0) for name in names]
    open_ = max(1, fixed.count(0))
    share = max(_LEAST, (_room(names, width) - sum(fixed)) // open_)
    widths = [each or share for each in fixed]
    widths[-1] += max(0, _room(names, width) - sum(widths))
    return Layout(tuple(names), tuple(widths))


def line(layout: Layout, values: Sequence[str], paint: Paint) -> str:
    """One event's line."""
    parts = []
    for name, width, value in zip(layout.names, layout.widths, values, strict=True):
        text = value or ABSENT
        padded = set_cell_size(cut(text, width), width)
        parts.append(paint.value(name, text, padded))
    return _GAP.join(parts).rstrip()


def heads(layout: Layout, paint: Paint) -> str:
    """The line above."""
    pairs = zip(layout.names, layout.widths, strict=True)
    return paint(
        _GAP.join(set_cell_size(head(name).upper(), width) for name, width in pairs).rstrip(),
        bold=True,
    )


def head(name: str) -> str:
    """A column's heading."""
    return _HEADS.get(name, name)


def cut(text: str, width: int) -> str:
    """The text in at most so many cells of a terminal."""
    # Of a megabyte only the beginning is looked at.
    begun = text[: 4 * width + 1]
    return begun if cell_len(begun) <= width else set_cell_size(begun, max(0, width - 1)) + "…"


def _values(row: Row, names: Sequence[str], zone: tzinfo, show: ShowTime) -> list[str]:
    document = plain(row)
    return [
        show(row[COLUMNS_OF[name]], zone)
        if name in TIMES and COLUMNS_OF[name] in row
        else _cell(document.get(name))
        for name in names
    ]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return printable(",".join(map(str, value)))
    if isinstance(value, dict):
        return printable(" ".join(f"{key}={each}" for key, each in value.items()))
    return printable(str(value))


def _room(names: Sequence[str], width: int) -> int:
    return width - len(_GAP) * (len(names) - 1)


def _shrunk(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Take from the widest until all fit, or none can give any more."""
    kept = list(widths)
    while sum(kept) > room:
        at = max(range(len(kept)), key=lambda index: (kept[index] > least[index], kept[index]))
        if kept[at] <= least[at]:
            break
        kept[at] -= 1
    return kept
