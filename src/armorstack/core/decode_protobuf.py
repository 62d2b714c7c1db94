"""Protobuf messages of one stream to rows, in native code, with every odd one handled alone.

The way of a group: each frame is looked at (malformed? fields beyond the table?), the sound ones
become columns in one call of ptars, the columns are brought into `SCHEMA`, ids are made.

Must not go here: JSON; anything per event on the sound path beyond the look and the hash.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.batch import ARROW, SCHEMA, Rejected
from armorstack.core.fields import FIELDS, Field, Stream
from armorstack.core.frames import Group, Part
from armorstack.core.ids import ids
from armorstack.core.proto import arrow_handler
from armorstack.core.times import event_times
from armorstack.core.wire import scan

_MICROSECONDS = pa.timestamp("us")


def _convert(
    frames: Sequence[bytes], stream: Stream
) -> tuple[list[pa.RecordBatch], dict[int, str]]:
    """Columns of the frames that ptars takes, and why it refuses the others, by index.

    One message that it refuses fails its whole call, so halves are tried until it stands alone.
    """
    handler = arrow_handler(stream)
    done: list[pa.RecordBatch] = []
    refused: dict[int, str] = {}
    todo = [(0, len(frames))]
    while todo:
        start, end = todo.pop()
        try:
            done.append(handler.array_to_record_batch(pa.array(frames[start:end], pa.binary())))
        except ValueError as error:
            if end - start == 1:
                refused[start] = str(error).replace("\n", " ")
                continue
            middle = (start + end) // 2
            todo += [(middle, end), (start, middle)]
    return done, refused


def _column(rows: pa.RecordBatch, field: Field, stream: Stream) -> pa.Array:
    """One column of `SCHEMA` out of what ptars made; absent is null."""
    if not field.number(stream):
        return pa.nulls(len(rows), ARROW[field.kind])
    if field.parent:
        column = pc.struct_field(rows.column(field.parent), field.leaf)
    else:
        column = rows.column(field.name)
    if field.always:
        return pc.fill_null(column, 0)
    if field.kind == "texts":
        return _null_where_empty(column, pc.list_value_length(column), ARROW["texts"])
    if field.kind == "map":
        lengths = pc.subtract(column.offsets[1:], column.offsets[:-1])
        return _null_where_empty(column, lengths, ARROW["map"])
    return _null_where_blank(column) if field.kind == "text" else _null_where_zero(column)


def _null_where_zero(column: pa.Array) -> pa.Array:
    zero = pc.equal(column, 0)
    return pc.if_else(zero, None, column) if pc.any(zero).as_py() else column


def _null_where_blank(column: pa.Array) -> pa.Array:
    if pc.min(pc.binary_length(column)).as_py() != 0:
        return column
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _null_where_empty(column: pa.Array, lengths: pa.Array, type_: pa.DataType) -> pa.Array:
    """The same values under `type_`, null where a list or map has no entries."""
    valid = pc.greater(lengths, 0)
    every = pc.all(valid).as_py()
    bitmap = None if every else valid.buffers()[1]
    children = [column.values] if pa.types.is_list(type_) else [_entries(column, type_)]
    return pa.Array.from_buffers(
        type_, len(column), [bitmap, column.offsets.buffers()[1]], children=children
    )


def _entries(column: pa.Array, type_: pa.DataType) -> pa.Array:
    fields = [type_.key_field, type_.item_field]
    return pa.StructArray.from_arrays([column.keys, column.items], fields=fields)


def _constant(value: str, length: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), length)


def _rows(
    columns: pa.RecordBatch, stream: Stream, frames: Group, kept: Sequence[int]
) -> dict[str, pa.Array]:
    length = len(columns)
    made = {field.column: _column(columns, field, stream) for field in FIELDS}
    by_name = {field.name: made[field.column] for field in FIELDS}
    received = frames.received(None if length == len(frames.frames) else kept)
    times, texts = event_times(made["updated_time"], made["timestamp"], received)
    nothing = pa.nulls(length, pa.string())
    return made | {
        "id": ids(by_name, stream),
        "time": times.cast(_MICROSECONDS),
        "updated_time": texts,
        "received": received.cast(_MICROSECONDS),
        "stream": _constant(stream, length),
        "from_source": _constant(frames.head.source, length),
        "spelling": _constant("protobuf", length),
        "extra": nothing,
        "original": pa.nulls(length, pa.binary()),
    }


def _extra(unknown: list[dict[str, Any]] | None, timeless: bool) -> str | None:
    extra: dict[str, Any] = {}
    if unknown:
        extra["protobuf"] = unknown
    if timeless:
        extra["unset"] = ["UpdatedTime"]
    return msgspec.json.encode(extra).decode() if extra else None


def decode_messages(frames: Group, stream: Stream, keep_original: bool) -> Part:
    """Decode one group; see `Part`."""
    found = scan(frames.frames, stream)
    sound = [i for i in range(len(frames.frames)) if i not in found.malformed]
    batches, refused = _convert([frames.frames[i] for i in sound], stream) if sound else ([], {})
    kept = [i for at, i in enumerate(sound) if at not in refused]
    faults = found.malformed | {sound[at]: reason for at, reason in refused.items()}
    rejected: tuple[Rejected, ...] = tuple(
        frames.reject(i, "malformed_protobuf", reason) for i, reason in sorted(faults.items())
    )
    if not kept:
        return Part(rejected=rejected)
    columns = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
    made = _rows(columns, stream, frames, kept)
    timeless = pc.is_null(_null_where_blank(columns.column("UpdatedTime")))
    if found.unknown or pc.any(timeless).as_py():
        absent = timeless.to_pylist()
        extras = [_extra(found.unknown.get(i), absent[at]) for at, i in enumerate(kept)]
        made["extra"] = pa.array(extras, pa.string())
    if keep_original:
        made["original"] = pa.array([frames.frames[i] for i in kept], pa.binary())
    rows = pa.RecordBatch.from_arrays(
        [made[f.name] if f.name in made else pa.nulls(len(kept), f.type) for f in SCHEMA],
        schema=SCHEMA,
    )
    return Part(rows, rejected, unknown=sum(i in found.unknown for i in kept))
