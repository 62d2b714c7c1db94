"""Raw frames on their way to being decoded, and what decoding a group of them gives."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Protocol

import pyarrow as pa
from msgspec import Struct, field

from armorstack.core.batch import Rejected


class FrameRow(Protocol):
    """A row of the spool, as far as decoding looks at it; see `armorstack.spool.rows.Row`."""

    @property
    def seq(self) -> int:
        """Its position."""

    @property
    def source(self) -> str:
        """Name of the source that brought it."""

    @property
    def stream(self) -> str:
        """alert, log, message, gap; auto where the line itself must say."""

    @property
    def encoding(self) -> str:
        """protobuf, or json for one line a frame."""

    @property
    def cluster(self) -> str:
        """The name that the source was given for its cluster, or empty."""

    @property
    def received_us(self) -> int:
        """When it became durable, µs since 1970."""

    @property
    def count(self) -> int:
        """How many frames it holds."""

    @property
    def lengths(self) -> bytes:
        """Length of each frame, little-endian uint32."""

    @property
    def payload(self) -> bytes:
        """The frames, one after the other."""


def split(row: FrameRow) -> list[bytes]:
    """The frames of a row: `payload` cut by `lengths` (little-endian uint32 each)."""
    frames, at = [], 0
    for length in memoryview(row.lengths).cast("I"):
        frames.append(row.payload[at : at + length])
        at += length
    return frames


class Group(Struct, frozen=True):
    """Frames of one source, stream and encoding, in their order, maybe from several rows."""

    rows: tuple[FrameRow, ...]
    frames: list[bytes]
    ends: tuple[int, ...]
    """Index after the last frame of each row."""

    @property
    def head(self) -> FrameRow:
        """A row that stands for all: the same source, stream, encoding and cluster."""
        return self.rows[0]

    def row(self, index: int) -> FrameRow:
        """The row in which a frame lay."""
        return self.rows[bisect_right(self.ends, index)]

    def received(self, keep: Sequence[int] | None = None) -> pa.Array:
        """Time of arrival (int64, µs) of every frame, or of those at the indices `keep`."""
        times = [row.received_us for row in self.rows for _ in range(row.count)]
        return pa.array(times if keep is None else [times[i] for i in keep], pa.int64())

    def reject(self, index: int, error_type: str, reason: str) -> Rejected:
        """A frame that cannot be decoded."""
        row, frame = self.row(index), self.frames[index]
        return Rejected(
            frame, error_type, reason, row.seq, row.source, row.stream, row.encoding,
            row.received_us,
        )  # fmt: skip


def group(rows: Iterable[FrameRow]) -> list[Group]:
    """Rows put together that can be decoded in one go."""
    found: dict[tuple[str, str, str, str], list[FrameRow]] = {}
    for row in rows:
        found.setdefault((row.source, row.stream, row.encoding, row.cluster), []).append(row)
    return [
        Group(
            tuple(members),
            [frame for row in members for frame in split(row)],
            tuple(accumulate(row.count for row in members)),
        )
        for members in found.values()
    ]


class Part(Struct, frozen=True):
    """What one group gave; every frame is in exactly one of the three."""

    rows: pa.RecordBatch | None = None
    rejected: tuple[Rejected, ...] = ()
    skipped: dict[str, int] = field(default_factory=dict)
    unknown: int = 0
    """Events among `rows` that carry more than the field table knows."""
