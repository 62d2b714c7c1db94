"""Decoding that survives a fault of the decoder itself.

A frame that cannot be read is a value in the decoder's result. Should the decoder raise all the
same, the rows are tried one by one, then the frames one by one; the one that still raises is
rejected. So no frame can stop all that come after it.
"""

from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa
import structlog

from armorstack.core.batch import SCHEMA, Batch, Rejected
from armorstack.core.decode import Decoded
from armorstack.spool.rows import Row, frames_of, row_of

Decode = Callable[[Sequence[Row]], Decoded]


def decode_surely(rows: Sequence[Row], decode: Decode) -> Decoded:
    """What `decode` says of the rows; where it raises, of each frame by itself."""
    if not rows:
        return _nothing(0)
    try:
        return decode(rows)
    except Exception as error:
        structlog.get_logger().exception("the decoder failed; frames follow one by one")
        if len(rows) > 1:
            return _joined([decode_surely([row], decode) for row in rows], rows[-1].seq)
        if rows[0].count > 1:
            singles = _singles(rows[0])
            return _joined([decode_surely([row], decode) for row in singles], rows[0].seq)
        return _refused(rows[0], error)


def _singles(row: Row) -> list[Row]:
    """The row as rows of one frame each."""
    return [
        row_of(
            [frame], source=row.source, stream=row.stream, encoding=row.encoding,
            cluster=row.cluster, received_us=row.received_us, seq=row.seq,
        )
        for frame in frames_of(row)
    ]  # fmt: skip


def _refused(row: Row, error: Exception) -> Decoded:
    reason = f"the decoder failed: {type(error).__name__}: {error}"
    rejected = Rejected(
        row.payload, "decoder_failed", reason, row.seq, row.source, row.stream, row.encoding,
        row.received_us,
    )  # fmt: skip
    return Decoded(_nothing(row.seq).batch, (rejected,), {}, 0)


def _nothing(last: int) -> Decoded:
    return Decoded(Batch(pa.RecordBatch.from_pylist([], SCHEMA), (), last), (), {}, 0)


def _joined(parts: Iterable[Decoded], last: int) -> Decoded:
    parts = list(parts)
    table = pa.Table.from_batches([part.batch.rows for part in parts], SCHEMA).combine_chunks()
    rows = (table.to_batches() or [pa.RecordBatch.from_pylist([], SCHEMA)])[0]
    skipped: dict[str, int] = {}
    for part in parts:
        for kind, count in part.skipped.items():
            skipped[kind] = skipped.get(kind, 0) + count
    return Decoded(
        Batch(rows, tuple(gap for part in parts for gap in part.batch.gaps), last),
        tuple(rejected for part in parts for rejected in part.rejected),
        skipped,
        sum(part.unknown for part in parts),
    )
