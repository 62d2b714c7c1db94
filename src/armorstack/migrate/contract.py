"""What events are moved from."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa
from msgspec import Struct

from armorstack.core.batch import Rejected
from armorstack.core.gap import Gap


class Piece(Struct, frozen=True):
    """Some events, and where to go on after them."""

    rows: pa.RecordBatch
    """Columns of `core.batch.SCHEMA`."""
    place: str
    """What `Origin.pieces` takes; empty: the next piece belongs to this one."""
    unread: Sequence[Rejected] = ()
    """What lay between them and is no event."""
    gaps: tuple[Gap, ...] = ()
    read: int = 0
    """What was read for it: rows, and what is no event."""


class Origin(Protocol):
    """Somewhere that events lie. To be closed."""

    name: str
    """What it is called in the file that says how far it is."""

    def total(self) -> int:
        """About how many events there are. Raises ArmorstackError."""

    def pieces(self, place: str) -> Iterator[Piece]:
        """All from this place on; empty: from the start. Raises ArmorstackError.

        After an interruption some may come again, none is left out.
        """

    def close(self) -> None:
        """Let go."""
