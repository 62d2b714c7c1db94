"""Where a reader has been, so that it can tell how many frames were deleted before it had them.

Frames are numbered through within one file (`schema.py`): from a row that was read to the oldest
one left, the difference is what is missing. A new file begins anew, and after a start nothing is
known of the row at the cursor; then only `trimmed` tells that something is missing. Reading must
not go here.
"""

from msgspec import Struct

PLACE_COLUMNS = "seq, frames_total, count, received_us"
"""In the order of `Place`, behind `inode`."""


class Missed(Struct, frozen=True):
    """Rows that were deleted before they were read."""

    after: int
    """They lay behind this position."""
    last: int
    """The highest position ever deleted."""
    frames: int | None
    """Frames in them; None where nobody knows."""
    start_us: int
    """When the row before them was received; where nobody knows, the row behind them."""
    end_us: int
    """When the row behind them was received."""


class Place(Struct, frozen=True):
    """A row that was met."""

    inode: int
    """Of its file; not positive: nobody knows which one it is."""
    seq: int
    frames_total: int
    """Frames of its file up to and including the row."""
    count: int
    received_us: int


class Walk:
    """One read, from the first row it met to the last."""

    def __init__(self, after: int, ends: tuple[Place, ...]) -> None:
        self.after = after
        self.last: Place | None = None
        self.missed: Missed | None = None
        self._ends = ends

    def begin(self, first: Place, trimmed: int) -> None:
        """The first row was met, while `trimmed` was the highest position ever deleted."""
        for known in self._ends:
            if known.seq == self.after and known.inode == first.inode > 0:
                frames = first.frames_total - first.count - known.frames_total
                if frames > 0:
                    times = known.received_us, first.received_us
                    self.missed = Missed(self.after, trimmed, frames, *times)
                return
        if 0 < self.after < trimmed:
            when = first.received_us
            self.missed = Missed(self.after, trimmed, None, when, when)


class Trail:
    """The way of one reader along the rows."""

    def __init__(self) -> None:
        self._missed: list[Missed] = []
        self._ends: tuple[Place, ...] = ()
        """Where the last read began and ended, as far as that is known."""

    def walk(self, after: int) -> Walk:
        """A read behind this position begins."""
        return Walk(after, self._ends)

    def went(self, walk: Walk) -> None:
        """The read ended well; one that did not is done again and must not tell things twice."""
        if walk.missed is not None:
            self._missed.append(walk.missed)
        if walk.last is not None:
            began = [place for place in self._ends if place.seq == walk.after]
            self._ends = (*began[:1], walk.last)

    def take_missed(self) -> list[Missed]:
        """What was missed since the last call."""
        found, self._missed = self._missed, []
        return found
