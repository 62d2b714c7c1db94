"""A row of the spool: one batch of raw frames and where they came from.

Invariant: `lengths` and `payload` are exactly the frames in their order, and `crc32` covers both.
What a frame means must not go here; source, stream, encoding and cluster are opaque names.
"""

import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence

from msgspec import Struct


class Row(Struct, frozen=True):
    """One batch of frames of one source and stream, as it lies on disk."""

    seq: int
    """Position; each row's is larger than any before, but not by one: it jumps at every opening."""
    source: str
    stream: str
    """alert, log, message, gap or auto."""
    encoding: str
    """`protobuf`, or `json` with one line per frame."""
    cluster: str
    received_us: int
    """When the group was committed, microseconds since 1970."""
    lengths: bytes
    """Little-endian uint32 per frame; with `payload` it is Arrow's own layout."""
    payload: bytes
    """The frames, one after the other."""
    crc32: int
    """Over `lengths`, then `payload`."""
    count: int


def row_of(
    frames: Sequence[bytes], *, source: str, stream: str, encoding: str, cluster: str = "",
    received_us: int = 0, seq: int = 0,
) -> Row:  # fmt: skip
    """The frames as one row; the spool gives it its position when it appends it."""
    lengths, payload = pack(frames)
    crc = checksum(lengths, payload)
    return Row(
        seq, source, stream, encoding, cluster, received_us, lengths, payload, crc, len(frames)
    )


def pack(frames: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Lengths and payload of the frames. A frame of 4 GiB or more raises OverflowError."""
    lengths = array("I", map(len, frames))
    if sys.byteorder == "big":
        lengths.byteswap()
    return lengths.tobytes(), b"".join(frames)


def checksum(lengths: bytes, payload: bytes) -> int:
    """The CRC-32 that a row carries."""
    return zlib.crc32(payload, zlib.crc32(lengths))


def frame_lengths(row: Row) -> "array[int]":
    """The length of each frame."""
    lengths = array("I", row.lengths)
    if sys.byteorder == "big":
        lengths.byteswap()
    return lengths


def frames_of(row: Row) -> Iterator[bytes]:
    """The frames of a row, each a copy."""
    start = 0
    for length in frame_lengths(row):
        yield row.payload[start : start + length]
        start += length


def is_whole(row: Row) -> bool:
    """Whether the row holds what was put into it."""
    try:
        lengths_fit = len(row.lengths) == 4 * row.count
        return lengths_fit and checksum(row.lengths, row.payload) == row.crc32
    except TypeError:
        # A damaged record may hold anything in any column.
        return False
