"""A table on a terminal: columns as wide as their widest cell, unsafe characters escaped."""

from collections.abc import Iterable, Sequence

from armorstack.core.text import printable

CELL_LIMIT = 60


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> str:
    """The table's lines; columns named in `right` are set flush right, the last is not cut."""
    cells = [[head.upper() for head in heads]]
    last = len(heads) - 1
    for row in rows:
        cells.append(
            [printable(cell, 0 if i == last else CELL_LIMIT) for i, cell in enumerate(row)]
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        parts = [
            cell.rjust(width) if head in right else cell.ljust(width)
            for cell, width, head in zip(row, widths, heads, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)
