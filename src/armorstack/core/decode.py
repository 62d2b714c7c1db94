"""Frames to events: whatever the encoding and the spelling, one batch with one schema.

A frame that cannot be read becomes a `Rejected`, with the reason, and takes no neighbour with it;
a line that is no event at all (the relay's own log) is only counted. Ids are made here, from the
values as they came; then a source's cluster name takes the place of a useless one.

Must not go here: where frames come from, what happens to events afterwards.
"""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import MsgspecError, Struct

from armorstack.core.batch import SCHEMA, Batch, Rejected
from armorstack.core.decode_json import decode_lines
from armorstack.core.decode_protobuf import decode_messages
from armorstack.core.fields import STREAMS
from armorstack.core.frames import FrameRow, Group, Part, group
from armorstack.core.gap import Gap, decode_gap

_CLUSTER = SCHEMA.get_field_index("cluster_name")
NOTHING = pa.RecordBatch.from_pylist([], SCHEMA)


class Decoded(Struct, frozen=True):
    """What came of some spool rows; every frame is an event, a gap, rejected or skipped."""

    batch: Batch
    rejected: tuple[Rejected, ...]
    skipped: dict[str, int]
    """Lines that are no events, by what they are."""
    unknown: int
    """Events that carry fields beyond the table (kept in `extra`)."""


def _decode_gaps(frames: Group) -> tuple[list[Gap], list[Rejected]]:
    gaps, rejected = [], []
    for index, frame in enumerate(frames.frames):
        try:
            gaps.append(decode_gap(frame))
        except MsgspecError as error:
            rejected.append(frames.reject(index, "malformed_gap", str(error)))
    return gaps, rejected


def _set_cluster(rows: pa.RecordBatch, cluster: str) -> pa.RecordBatch:
    """The source's cluster name where an event says nothing or only "default"."""
    if not cluster:
        return rows
    own = rows.column(_CLUSTER)
    useless = pc.fill_null(pc.equal(own, "default"), True)
    named = pc.if_else(useless, pa.scalar(cluster), own)
    return rows.set_column(_CLUSTER, SCHEMA.field(_CLUSTER), named)


def _decode_group(frames: Group, keep_original: bool) -> Part:
    head = frames.head
    if head.encoding == "json":
        return decode_lines(frames, keep_original)
    if head.encoding == "protobuf":
        for stream in STREAMS:
            if head.stream == stream:
                return decode_messages(frames, stream, keep_original)
    reason = f"nothing decodes encoding {head.encoding!r} of stream {head.stream!r}"
    every = range(len(frames.frames))
    return Part(rejected=tuple(frames.reject(i, "unknown_encoding", reason) for i in every))


def _merged(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) < 2:
        return batches[0] if batches else NOTHING
    return pa.concat_batches(batches)


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for kind, count in each.items():
            total[kind] = total.get(kind, 0) + count
    return total


def decode(rows: Sequence[FrameRow], *, keep_original: bool = False) -> Decoded:
    """Decode spool rows given in the order of their positions; there must be at least one.

    Events of one source and stream keep their order; those of different ones may change places.
    """
    batches: list[pa.RecordBatch] = []
    parts: list[Part] = []
    gaps: list[Gap] = []
    rejected: list[Rejected] = []
    for frames in group(rows):
        if frames.head.stream == "gap":
            new_gaps, bad = _decode_gaps(frames)
            gaps += new_gaps
            rejected += bad
            continue
        part = _decode_group(frames, keep_original)
        parts.append(part)
        rejected += part.rejected
        if part.rows is not None and len(part.rows):
            batches.append(_set_cluster(part.rows, frames.head.cluster))
    return Decoded(
        Batch(_merged(batches), tuple(gaps), rows[-1].seq),
        tuple(rejected),
        _sum(part.skipped for part in parts),
        sum(part.unknown for part in parts),
    )
