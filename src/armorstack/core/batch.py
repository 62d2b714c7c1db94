"""A batch of decoded events: one Arrow record batch with the columns of the field table.

Invariant: `rows` always has exactly `SCHEMA`; an absent value is null, never an empty string or a
zero, whichever spelling it came in. Ids are made before anything else touches the rows.
"""

import pyarrow as pa
from msgspec import Struct

from armorstack.core.fields import FIELDS, Kind
from armorstack.core.gap import Gap

ARROW: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "texts": pa.list_(pa.string()),
    "map": pa.map_(pa.string(), pa.string()),
}

OWN_COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("id", pa.binary(), "SHA-256 of the identifying values, 32 bytes (contract 2)."),
    ("time", pa.timestamp("us"), "UpdatedTime, UTC; else Timestamp; else the time of arrival."),
    ("received", pa.timestamp("us"), "When the receiver had it, UTC."),
    ("stream", pa.string(), "alert, log or message."),
    ("from_source", pa.string(), "Name of the source that brought it."),
    ("spelling", pa.string(), "protobuf, pascal, camel or protojson."),
    ("extra", pa.string(), "JSON: what the columns cannot rebuild, unknown members above all."),
    ("original", pa.binary(), "The bytes as they came, if they are kept."),
    ("fold_count", pa.int64(), "How many events a filter folded into this one; null: none."),
    ("fold_first", pa.timestamp("us"), "Time of the first of them."),
    ("fold_last", pa.timestamp("us"), "Time of the last of them."),
)
"""Columns that are not KubeArmor's: name, type, meaning."""

SCHEMA = pa.schema(
    [(name, type_) for name, type_, _ in OWN_COLUMNS]
    + [(field.column, ARROW[field.kind]) for field in FIELDS]
)


class Rejected(Struct, frozen=True):
    """One frame or row that can never be stored as it is; it becomes a dead letter."""

    frame: bytes
    """The bytes as they came."""
    error_type: str
    """A short class, such as `malformed_protobuf` or `mapper_parsing`."""
    reason: str
    """One sentence."""
    seq: int = 0
    """The spool row it lay in."""
    source: str = ""
    stream: str = ""
    encoding: str = ""
    received_us: int = 0


class Batch(Struct, frozen=True):
    """Events and gaps of the spool rows up to and including `last`."""

    rows: pa.RecordBatch
    gaps: tuple[Gap, ...]
    last: int
    """The cursor after this batch: sequence number of the last spool row in it."""
