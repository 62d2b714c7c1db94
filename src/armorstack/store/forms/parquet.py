"""Parquet of events, written to a stream as it grows.

Invariant: memory is bounded by one row group. Times are timestamps in UTC, ids the text that
answers have, severity a number (null where a strange relay sent none); all else as it is stored.
"""

import io
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.batch import SCHEMA
from armorstack.core.select import Columns
from armorstack.store.event_json import COLUMNS
from armorstack.store.forms.columns import id_texts

MEDIA_TYPE = "application/vnd.apache.parquet"
GROUP_ROWS = 32_768
GROUP_BYTES = 16 * 1024 * 1024
_UTC = pa.timestamp("us", "UTC")


def chunks(batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> Iterator[bytes]:
    """The file, piece by piece; a piece is empty where a batch waits for its row group."""
    # Only here: it takes 4 MB, and a worker over an engine needs it for such exports alone.
    import pyarrow.parquet as pq

    sink = _Sink()
    with pq.ParquetWriter(sink, _schema(names), compression="zstd") as writer:
        for group in _groups(batches):
            writer.write_table(_table(group, names), row_group_size=GROUP_ROWS * 2)
            yield sink.take()
    yield sink.take()


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows += len(batch)
        size += batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield waiting
            waiting, rows, size = [], 0, 0
    if rows:
        yield waiting


def _table(group: Sequence[pa.RecordBatch], names: Sequence[str]) -> pa.Table:
    schema = _schema(names)
    return pa.Table.from_batches(
        [
            pa.RecordBatch.from_arrays([_column(rows, name) for name in names], schema=schema)
            for rows in group
        ],
        schema,
    )


def _schema(names: Sequence[str]) -> pa.Schema:
    return pa.schema([(name, _type(name)) for name in names])


def _type(name: str) -> pa.DataType:
    type_ = SCHEMA.field(COLUMNS[name]).type
    if name == "severity":
        return pa.int32()
    return {pa.timestamp("us"): _UTC, pa.binary(): pa.string()}.get(type_, type_)


def _column(rows: pa.RecordBatch, name: str) -> pa.Array:
    column = rows.column(COLUMNS[name])
    if name == "id":
        return id_texts(column)
    if name == "severity":
        return Columns(rows).severity()
    return pc.cast(column, _type(name))


class _Sink(io.RawIOBase):
    """Takes what the writer writes, and gives it away."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Bytes written so far."""
        return self._at

    def write(self, piece: "bytes | pa.Buffer") -> int:
        """Keep a copy: the writer uses its buffer again."""
        self._pieces.append(bytes(piece))
        self._at += len(self._pieces[-1])
        return len(self._pieces[-1])

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self._pieces = b"".join(self._pieces), []
        return taken
