"""All events that are meant, as one file without a cap.

Invariant: the file is of one moment's view of the store. Must not go here: how it is sent
(`download.py`), how its formats look (`store/forms`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
from starlette.responses import Response

from armorstack.core.query.asked import ParameterError
from armorstack.store.budget import Budget
from armorstack.store.event_json import COLUMNS
from armorstack.store.forms.encoded import (
    FORMATS,
    FORMS,
    MEDIA_TYPES,
    Form,
    Format,
    columns_needed,
    encoded,
)
from armorstack.web.api.download import Download
from armorstack.web.api.endpoint import Call, head
from armorstack.web.api.parameters import Choice, ColumnNames

FORMAT: Choice[Format] = Choice("format", "Form of the file.", FORMATS)
FORM: Choice[Form] = Choice(
    "form", "Form of an event: flat columns, an ECS document, or as KubeArmor prints it; CSV and "
    "Parquet have columns only.", FORMS,
)  # fmt: skip
COLS = ColumnNames("cols", "Columns, separated by commas; all unless given.", tuple(COLUMNS))
EXPORT_S = 24 * 3600.0
"""No export is ended for its length, but none lives for ever."""


async def export(call: Call) -> Response:
    """The file. Its first piece is made before anything is answered."""
    format_, form, names = call.get(FORMAT), call.get(FORM), call.get(COLS)
    if form != "columns" and format_ in ("csv", "parquet"):
        told = f"form={form} has no columns, which format={format_} needs"
        raise ParameterError(told, parameter="form", hint="ask for format=ndjson or format=json")
    headers = {
        "content-type": MEDIA_TYPES[format_],
        "content-disposition": f'attachment; filename="{_file_name(call, format_)}"',
    }
    store = call.store()
    if call.request.method == "HEAD":
        return head(headers)
    budget = Budget(EXPORT_S)
    batches = store.stream(call.asked.question, budget, columns=columns_needed(form, names))
    return await Download.begun(_closing(batches, format_, form, names), budget, headers)


def _closing(
    batches: Iterator[pa.RecordBatch], format_: Format, form: Form, names: tuple[str, ...]
) -> Iterator[bytes]:
    """The pieces; when they are closed, so are the batches."""
    try:
        yield from encoded(batches, format_, form, names)
    finally:
        if close := getattr(batches, "close", None):
            close()


def _file_name(call: Call, format_: Format) -> str:
    """Such as `armorstack-events-20261123T150000Z.csv`, by the moment it was asked for."""
    moment = datetime.fromtimestamp(call.desk.now_us() // 1_000_000, UTC)
    return f"armorstack-events-{moment:%Y%m%dT%H%M%SZ}.{format_}"
