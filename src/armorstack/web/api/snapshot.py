"""The rows that are in no part yet, for SQL in a process of its own.

Invariant: rows and names of parts are of one moment, so together they hold every event once. A part
may be merged away before it is read; whoever reads asks again then. For an admin without bounds
only: no query of ours stands between these rows and who gets them.
"""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec
import pyarrow as pa
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from armorstack.core.batch import SCHEMA
from armorstack.errors import StoreError
from armorstack.web.access.refusal import Refusal
from armorstack.web.api.endpoint import Call
from armorstack.web.desk import grant_of

if TYPE_CHECKING:
    from armorstack.engines.duckdb.snapshot import View

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
PARTS = "armorstack.parts"
"""In the metadata of the schema: the names of the parts below the store's folder, a JSON list."""


@runtime_checkable
class Viewed(Protocol):
    """A store that has parts and a tail."""

    def view(self) -> "View":
        """Both, of one moment."""


async def snapshot(call: Call) -> Response:
    """An Arrow stream with the columns of `SCHEMA`."""
    if grant_of(call.request).namespaces is not None:
        raise Refusal("this needs a token for all namespaces", status=403, reason="scope")
    store = call.store()
    if not isinstance(store, Viewed):
        raise StoreError("this store has no parts", hint="ask it with /api/v1/events")
    body = await run_in_threadpool(_encoded, store.view())
    return Response(body, media_type=MEDIA_TYPE)


def _encoded(view: "View") -> bytes:
    names = msgspec.json.encode([part.name for part in view.parts])
    schema = SCHEMA.with_metadata({PARTS: names})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for piece in view.slices:
            writer.write_batch(piece.rows.replace_schema_metadata(schema.metadata))
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded
