"""What an opening store makes of the folder that it finds, after a crash or a damaged disk.

Invariant: a part's file is removed only when the cursor has passed it, that is, when the catalogue
has known and dropped it; one beyond the highest cursor is taken in, since ids make it harmless
that the spool brings its rows again. What is missing or damaged is told as a gap.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from armorstack.core.gap import Gap
from armorstack.engines.duckdb.parquet import read_footer
from armorstack.engines.duckdb.part import Part

DAMAGED = ".damaged"


class Finding(Struct, frozen=True):
    """What differs between the catalogue and the folder."""

    adopted: tuple[Part, ...] = ()
    lost: tuple[Part, ...] = ()
    """Listed, but missing or of another size."""
    leftovers: tuple[Path, ...] = ()
    """Files to remove."""
    unreadable: tuple[Path, ...] = ()
    """Files that are no parts."""


def prepare(root: Path) -> None:
    """Make the folders; remove what only a running store needs."""
    for folder in (root, root / "parts", root / "tmp"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in [*(root / "parts").glob("*/*.tmp"), *(root / "tmp").iterdir()]:
        file.unlink()


def examine(root: Path, listed: Sequence[Part], highest: int) -> Finding:
    """Compare the files below `root` with what the catalogue lists."""
    sizes = {str(file.relative_to(root)): file.stat().st_size for file in root.glob("*/*.parquet")}
    names = {part.name for part in listed}
    found: list[Part] = []
    leftovers: list[Path] = []
    unreadable: list[Path] = []
    for name in sorted(sizes.keys() - names):
        try:
            part = read_footer(root, name)
        except ValueError:
            unreadable.append(root / name)
            continue
        if part.cursor > highest:
            found.append(part)
        else:
            leftovers.append(root / name)
    replaced = {name for part in found for name in part.sources}
    return Finding(
        adopted=tuple(part for part in found if part.name not in replaced),
        lost=tuple(part for part in listed if sizes.get(part.name) != part.bytes),
        leftovers=(*leftovers, *(root / part.name for part in found if part.name in replaced)),
        unreadable=tuple(unreadable),
    )


def told(finding: Finding, aside: str, now_us: int) -> tuple[tuple[Gap, ...], tuple[str, ...]]:
    """What was found, as gaps to keep and as sentences to show.

    `aside` is the new name of a catalogue that was damaged, or empty.
    """
    gaps = [damage(part, "missing or cut short") for part in finding.lost]
    details = [f"{file.name} cannot be read and was set aside" for file in finding.unreadable]
    if aside:
        details.append(f"the catalogue was damaged; it is {aside} now and was made anew from parts")
    gaps += (
        Gap(reason="store_damaged", source="store", start_us=now_us, end_us=now_us, detail=detail)
        for detail in details
    )
    return tuple(gaps), tuple(gap.detail for gap in gaps)


def set_aside(file: Path) -> None:
    """Rename a file that cannot be read, so that a person may look at it."""
    if file.exists():
        os.rename(file, file.with_name(file.name + DAMAGED))


def damage(part: Part, reason: str) -> Gap:
    """The gap that a part leaves which cannot be read any more."""
    return Gap(
        reason="store_damaged", source="store", start_us=part.min_time_us,
        end_us=part.max_time_us, lost=part.rows, detail=f"{part.name}: {reason}",
    )  # fmt: skip
