"""Which parts hold the events of a span of time, found without the catalogue, which is locked.

Invariant: no event is counted twice: a part that a merged one replaced is left out, whether its
file is still there or not. Parts come and go while this is read; who reads them must be ready for
a file that is gone.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from armorstack.engines.duckdb.parquet import read_footer
from armorstack.engines.duckdb.part import DAY_US, LATE, Part


class Listing(Struct, frozen=True):
    """What lies in the store's folder at one moment."""

    parts: tuple[Part, ...] = ()
    unreadable: int = 0
    """Files that are no parts, or damaged."""


Known: TypeAlias = dict[tuple[str, int, int], Part]
"""Parts that were read before, by name, size and time of change."""


def list_parts(
    root: Path, start_us: int | None = None, end_us: int | None = None, known: Known | None = None
) -> Listing:
    """The parts below `root` (the folder `parts`) that may hold events of this span.

    Bounds are microseconds since 1970, the end exclusive; None: no bound. With `known`, files that
    were read before are not opened again.
    """
    known = {} if known is None else known
    found: list[Part] = []
    unreadable = 0
    for file in sorted(root.glob("day=*/*.parquet")):
        if not _touches(file.parent.name.removeprefix("day="), start_us, end_us):
            continue
        try:
            found.append(_read(root, file, known))
        except ValueError:
            # A part that was merged away since the folder was read is no fault.
            unreadable += file.exists()
        except FileNotFoundError:
            continue
    kept = [part for part in _current(found) if _overlaps(part, start_us, end_us)]
    return Listing(tuple(kept), unreadable)


def _read(root: Path, file: Path, known: Known) -> Part:
    told, name = file.stat(), str(file.relative_to(root))
    key = (name, told.st_size, told.st_mtime_ns)
    if key not in known:
        known[key] = read_footer(root, name)
    return known[key]


def _current(found: list[Part]) -> list[Part]:
    """Without those that a merged part replaced.

    A name may be given again after its file has gone; such a part arrived after the merged one.
    """
    merged = {name: part for part in found for name in part.sources}
    return [
        part
        for part in found
        if part.name not in merged
        or part.max_received_us > merged[part.name].max_received_us
    ]  # fmt: skip


def _overlaps(part: Part, start_us: int | None, end_us: int | None) -> bool:
    after = start_us is None or part.max_time_us >= start_us
    return after and (end_us is None or part.min_time_us < end_us)


def _touches(day: str, start_us: int | None, end_us: int | None) -> bool:
    """Whether a day's folder may hold such events, so that few footers are read."""
    if day == LATE:
        return True
    try:
        begins = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return True
    begins_us = int(begins.timestamp()) * 1_000_000
    after = start_us is None or begins_us + DAY_US > start_us
    return after and (end_us is None or begins_us < end_us)
