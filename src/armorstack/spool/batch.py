"""What one group commit holds: rows from all lanes, and what becomes durable with them.

Invariant: lanes are credited only with what a successful append stored. Waiting and disk must not
go here.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from msgspec import Struct, field

from armorstack.spool.lane import Lane
from armorstack.spool.rows import Row, row_of

TAKE_FRAMES = 2048
"""Frames taken from one lane for one commit: a backlog in memory goes in portions that SQLite's
page cache holds."""
TAKE_BYTES = 2 * 1024 * 1024
"""Bytes of such a portion."""


class Credit(Struct, frozen=True):
    """What a lane is told once the batch is durable."""

    lane: Lane
    bytes: int
    positions: int


class Batch(Struct):
    """One group commit to be."""

    rows: list[Row] = field(default_factory=list)
    positions: dict[str, bytes] = field(default_factory=dict)
    credits: list[Credit] = field(default_factory=list)
    bytes: int = 0
    more: bool = False
    """Whether a lane had more than one portion."""

    def __bool__(self) -> bool:
        return bool(self.credits)

    def settle(self) -> None:
        """Tell the lanes that this much more is durable."""
        for credit in self.credits:
            credit.lane.durable_positions += credit.positions
            credit.lane.durable_bytes += credit.bytes


def gather(lanes: Sequence[Lane], row_bytes: int, now_us: int) -> Batch:
    """Take what the lanes hold; rows are cut at about `row_bytes`."""
    batch = Batch()
    for lane in lanes:
        frames, positions, count = lane.take(TAKE_FRAMES, TAKE_BYTES)
        if not frames and not count:
            continue
        size = 0
        for part in split(frames, row_bytes):
            row = row_of(
                part, source=lane.source, stream=lane.stream, encoding=lane.encoding,
                cluster=lane.cluster, received_us=now_us,
            )  # fmt: skip
            batch.rows.append(row)
            size += len(row.payload) + len(row.lengths)
        batch.bytes += size
        batch.positions.update(positions)
        batch.credits.append(Credit(lane, size, count))
        batch.more = batch.more or lane.waiting_frames() > 0
    return batch


def split(frames: list[bytes], row_bytes: int) -> Iterator[list[bytes]]:
    """The frames in portions that end with the frame that makes them `row_bytes`; few of them are
    not divided at all."""
    if sum(map(len, frames)) <= 2 * row_bytes:
        if frames:
            yield frames
        return
    start = base = 0
    for index, end in enumerate(accumulate(map(len, frames)), 1):
        if end - base >= row_bytes or index == len(frames):
            yield frames[start:index]
            start, base = index, end
