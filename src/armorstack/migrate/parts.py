"""The embedded store as an origin: its parts, in the order in which they came.

A merged part has the cursor of the last one in it, so whoever goes on behind a cursor has seen all
that any part up to it holds. Invariant: nothing in the store's folder is made, locked or changed.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.core.gap import Gap
from armorstack.engines.duckdb.part import Part
from armorstack.engines.duckdb.snapshot import PartGone, View, opened
from armorstack.errors import StoreError
from armorstack.migrate.contract import Piece
from armorstack.store.events import Session
from armorstack.store.parts import list_parts

_BATCH_ROWS = 20_000
_TRIES = 5
_COLUMNS = ", ".join(f'"{name}"' for name in SCHEMA.names)
_NOTHING = pa.RecordBatch.from_pylist([], SCHEMA)


class PartsOrigin:
    """An `Origin`."""

    name = "store"

    def __init__(
        self, root: Path, memory_bytes: int, gaps: Callable[[], Iterable[Gap]] = tuple
    ) -> None:
        """`root` is the store's folder; `gaps` are those that it knows. Raises StoreError."""
        self._parts = root / "parts"
        self._gaps = gaps
        self._session = Session(memory_bytes, root)

    def total(self) -> int:
        """See `Origin`."""
        return sum(part.rows for part in list_parts(self._parts).parts)

    def pieces(self, place: str) -> Iterator[Piece]:
        """See `Origin`; the gaps come first, each time."""
        yield Piece(_NOTHING, place, gaps=tuple(self._gaps()))
        done = _read_place(place)
        for _ in range(_TRIES):
            try:
                for part in self._waiting(done):
                    yield from self._of(part)
                    done = part.cursor, part.name
            except PartGone:
                # It was merged; the one in its place comes behind it.
                continue
            return
        raise StoreError("the store's parts change too fast to be read", hint="try again")

    def close(self) -> None:
        """See `Origin`."""
        self._session.__exit__(None, None, None)

    def _waiting(self, done: tuple[int, str]) -> list[Part]:
        found = list_parts(self._parts).parts
        waiting = (part for part in found if (part.cursor, part.name) > done)
        return sorted(waiting, key=lambda part: (part.cursor, part.name))

    def _of(self, part: Part) -> Iterator[Piece]:
        """Its rows; only the last piece is a place to go on from."""
        rest = part.rows
        with opened(self._session.connection, self._parts, View(parts=(part,))) as snapshot:
            for batch in snapshot.stream(f"SELECT {_COLUMNS} FROM events", rows=_BATCH_ROWS):
                rest -= len(batch)
                place = "" if rest > 0 else f"{part.cursor} {part.name}"
                yield Piece(batch.cast(SCHEMA), place, read=len(batch))


def _read_place(place: str) -> tuple[int, str]:
    cursor, _, name = place.partition(" ")
    try:
        return (int(cursor), name) if place else (-1, "")
    except ValueError as error:
        raise StoreError(f"{place!r} is no place in the store", hint="say --again") from error
