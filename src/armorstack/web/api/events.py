"""Pages of events, and one event.

Invariant: a page goes on from an event, never from a number of events, so what arrives meanwhile
neither repeats nor hides any. Must not go here: exports, which have no end of a page.
"""

from base64 import b64encode
from collections.abc import Callable

import pyarrow as pa
from starlette.exceptions import HTTPException
from starlette.responses import Response

from armorstack.core.batch import SCHEMA
from armorstack.core.query.asked import ParameterError
from armorstack.store.contract import Page, Row
from armorstack.store.cursor import decode_id
from armorstack.store.event_json import NAMES, SHOWN, columns_of, encode, plain
from armorstack.store.forms import csv
from armorstack.store.forms.encoded import MEDIA_TYPES
from armorstack.store.forms.lines import ecs, original
from armorstack.web.api import errors, shapes
from armorstack.web.api.answers import json
from armorstack.web.api.endpoint import PREFIX, Call
from armorstack.web.api.parameters import Choice, ColumnNames, CursorText, NearText, Number
from armorstack.web.desk import answer

SIZE = Number("size", "How many events.", 50, 1, 1000)
BEFORE = CursorText("before", "Only events older than this: `older` of another page.")
AFTER = CursorText("after", "The next events newer than this: `newer` of another page.")
COLS = ColumnNames("cols", "Members to show, separated by commas; id, time, stream come anyway.",
                   SHOWN)  # fmt: skip
FORMAT = Choice("format", "Form of the answer; the cursors of `ndjson` and `csv` are in the header "
                "`Link`.", ("json", "ndjson", "csv"))  # fmt: skip
NEAR = NearText("near", "The event's time, which makes the search short.", None)
ALWAYS = ("id", "time", "stream")


async def events(call: Call) -> Response:
    """A page of events, newest first."""
    before, after = call.get(BEFORE), call.get(AFTER)
    if before and after:
        told = "before and after cannot be asked for at once"
        raise ParameterError(told, parameter="after", hint="leave one of them out")
    store, names = call.store(), (*ALWAYS, *(n for n in call.get(COLS) if n not in ALWAYS))
    found = await answer(
        call.request,
        lambda budget: store.events(
            call.asked.question, budget, size=call.get(SIZE), before=before, after=after,
            columns=columns_of(names),
        ),
    )  # fmt: skip
    return _FORMATS[call.get(FORMAT)](found, names, {"link": link} if (link := _link(call, found))
                                      else {})  # fmt: skip


async def event(call: Call) -> Response:
    """One event: its members, the original, and the ECS document."""
    id_ = _id(call.request.path_params["id"])
    store, near_us = call.store(), call.get(NEAR)
    row = await answer(call.request, lambda budget: store.event(id_, budget, near_us=near_us))
    if row is None:
        return errors.response(HTTPException(404, "there is no event with this id"))
    return json(
        {"event": plain(row), "original": original(row), "kept": _kept(row), "ecs": ecs(row)}
    )


def _kept(row: Row) -> dict[str, str] | None:
    """The bytes as they came, where they are kept: text where they are, else base64."""
    if not (frame := row.get("original")):
        return None
    try:
        return {"encoding": "utf-8", "text": frame.decode()}
    except UnicodeDecodeError:
        return {"encoding": "base64", "text": b64encode(frame).decode()}


def _id(text: str) -> bytes:
    try:
        return decode_id(text)
    except ValueError as error:
        hint = "43 characters, as /api/v1/events gives them"
        raise ParameterError(str(error), parameter="id", hint=hint) from error


def _link(call: Call, found: Page) -> str:
    """RFC 8288: where the page before and the one after are."""
    asked = call.asked
    links = [
        f'<{asked.url(f"{PREFIX}/events", before=before, after=after)}>; rel="{relation}"'
        for relation, before, after, cursor in (
            ("next", str(found.older), "", found.older),
            ("prev", "", str(found.newer), found.newer),
        )
        if cursor is not None
    ]
    return ", ".join(links)


def _json(found: Page, names: tuple[str, ...], headers: dict[str, str]) -> Response:
    del names
    return json(shapes.page(found), headers)


def _ndjson(found: Page, names: tuple[str, ...], headers: dict[str, str]) -> Response:
    del names
    body = b"".join(encode(plain(row)) + b"\n" for row in found.rows)
    return Response(body, headers=headers, media_type=MEDIA_TYPES["ndjson"])


def _csv(found: Page, names: tuple[str, ...], headers: dict[str, str]) -> Response:
    body = csv.header(names) + csv.lines(_batch(found.rows), names)
    return Response(body, headers=headers | {"content-type": csv.MEDIA_TYPE})


def _batch(rows: tuple[Row, ...]) -> pa.RecordBatch:
    """The rows as columns again."""
    arrays = [
        pa.array([_pairs(row.get(field.name)) for row in rows], field.type)
        if field.name in NAMES
        else pa.nulls(len(rows), field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _pairs(value: object) -> object:
    return list(value.items()) if isinstance(value, dict) else value


_FORMATS: dict[str, Callable[[Page, tuple[str, ...], dict[str, str]], Response]] = {
    "json": _json, "ndjson": _ndjson, "csv": _csv,
}  # fmt: skip
