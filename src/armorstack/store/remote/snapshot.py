"""What a worker has in no part yet, for SQL in another process.

Invariant: rows and names of parts are of one moment. Must not go here: SQL.
"""

import msgspec
import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.errors import StoreError
from armorstack.store.budget import QUESTION_S, Budget
from armorstack.store.remote.link import Link
from armorstack.store.sql import Tail

PARTS = b"armorstack.parts"
"""In the metadata of the schema: the names of the parts, as a JSON list."""


def tail_of(link: Link) -> Tail:
    """The tail of the worker that answers there. Raises StoreError."""
    body = link.fetch("snapshot", [], Budget(QUESTION_S))
    try:
        with pa.ipc.open_stream(pa.py_buffer(body)) as reader:
            names = msgspec.json.decode(reader.schema.metadata[PARTS], type=frozenset[str])
            rows = reader.read_all().select(SCHEMA.names)
    except (pa.ArrowException, msgspec.MsgspecError, KeyError, TypeError) as error:
        hint = "is the worker of another version? Start it again"
        raise StoreError("the worker's snapshot cannot be read", hint=hint) from error
    return Tail(rows, names)
