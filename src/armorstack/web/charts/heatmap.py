"""Two fields against each other: a table whose cells are the darker the more events they have.

Invariant: each cell says its number; the shade only makes large ones easy to find.
"""

from collections.abc import Callable, Mapping, Sequence
from math import log

from markupsafe import Markup
from msgspec import Struct

from armorstack.web.charts.element import element, linked, number, shown

SHADES = 5


class Heatmap(Struct, frozen=True):
    """What is drawn: rows down, columns across, and the cells that are not zero."""

    title: str
    row_head: str
    column_head: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], int]
    href: Callable[[str, str], str]
    """The page of a cell."""
    row_href: Callable[[str], str]


def draw(heatmap: Heatmap) -> Markup:
    """The table."""
    if not heatmap.cells:
        return element("p", "No values in this time.", class_="rest")
    most = max(heatmap.cells.values())
    corner = element("th", f"{heatmap.row_head} \\ {heatmap.column_head}", scope="col")
    heads = [element("th", shown(column, 40), scope="col") for column in heatmap.columns]
    rows = [_row(heatmap, row, most) for row in heatmap.rows]
    table = element(
        "table", element("caption", heatmap.title, class_="hidden"),
        element("thead", element("tr", corner, *heads)), element("tbody", *rows), class_="heatmap",
    )  # fmt: skip
    return element("div", table, class_="scroll", tabindex=0, role="region",
                   aria_label=heatmap.title)  # fmt: skip


def shade(count: int, most: int) -> int:
    """0 for none, else 1 to `SHADES`: by its logarithm, or one large cell would hide the rest."""
    if count <= 0 or most <= 0:
        return 0
    return 1 + round((SHADES - 1) * log(count + 1) / log(most + 1)) if most > 1 else SHADES


def largest(counts: Mapping[tuple[str, str], int], place: int, most: int) -> tuple[str, ...]:
    """The values at this place of the keys, those with most events first, `most` at most."""
    sums: dict[str, int] = {}
    for key, count in counts.items():
        sums[key[place]] = sums.get(key[place], 0) + count
    return tuple(sorted(sums, key=lambda value: (-sums[value], value))[:most])


def _row(heatmap: Heatmap, row: str, most: int) -> Markup:
    cells: Sequence[Markup] = [
        _cell(heatmap, row, column, heatmap.cells.get((row, column), 0), most)
        for column in heatmap.columns
    ]
    name = linked(heatmap.row_href(row), shown(row, 60))
    return element("tr", element("th", name, scope="row"), *cells)


def _cell(heatmap: Heatmap, row: str, column: str, count: int, most: int) -> Markup:
    text = linked(heatmap.href(row, column), number(count)) if count else "·"
    return element("td", text, class_=f"n heat-{shade(count, most)}")
