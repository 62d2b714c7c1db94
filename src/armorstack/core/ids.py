"""The id of an event (contract 2): the same event has the same id on every path and in every store.

`base64(sha256(…))` over the raw values of the identifying fields joined by `_`, absent ones empty;
just what Fluentd's `elasticsearch_genid` makes with `use_record_as_seed` and these `record_keys`.
Stored as the 32 bytes of the digest; `text` is what Elasticsearch's `_id` and people see.

Invariant: ids are made from values as they came, before any filter or enrichment.
"""

import base64
import binascii
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.fields import Stream

RECORD_KEYS: tuple[str, ...] = (
    "UpdatedTime",
    "HostName",
    "ContainerID",
    "HostPID",
    "Type",
    "Operation",
    "Resource",
    "Data",
    "PolicyName",
    "Action",
    "Result",
)
MESSAGE_KEYS: tuple[str, ...] = (*RECORD_KEYS, "Level", "Message")
SEPARATOR = "_"


def record_keys(stream: Stream) -> tuple[str, ...]:
    """The identifying fields of a stream, in order."""
    return MESSAGE_KEYS if stream == "message" else RECORD_KEYS


def ids(columns: dict[str, pa.Array], stream: Stream) -> pa.Array:
    """Digests (binary, 32 bytes each) of rows given as columns by KubeArmor's own names.

    A column that is missing counts as empty in every row. Integers are written in decimal.
    """
    length = len(next(iter(columns.values())))
    empty = pa.scalar("", pa.string())
    parts = [
        pc.cast(columns[key], pa.string()) if key in columns else empty
        for key in record_keys(stream)
    ]
    seeds = pc.binary_join_element_wise(
        *parts, SEPARATOR, null_handling="replace", null_replacement=""
    )
    digests = [sha256(seed).digest() for seed in seeds.cast(pa.binary()).to_pylist()]
    assert len(digests) == length
    return pa.array(digests, pa.binary())


def text(digest: bytes) -> str:
    """The id as it is written: base64 of the digest."""
    return base64.b64encode(digest).decode()


def digest(written: str) -> bytes:
    """The 32 bytes of a written id; raises ValueError where it is none."""
    try:
        raw = base64.b64decode(written, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not an event id: {written[:60]!r}") from error
    if len(raw) != 32:
        raise ValueError(f"not an event id: {written[:60]!r}")
    return raw
