"""The table of endpoints: what is registered, and what the description is made of."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from armorstack.store.forms import csv, parquet
from armorstack.web.api import answers, errors, events, export, policies, snapshot, stream
from armorstack.web.api.description import describe
from armorstack.web.api.endpoint import Call, Endpoint
from armorstack.web.api.feed import Feed
from armorstack.web.api.parameters import Schema
from armorstack.web.api.shapes import TEXT, listed, reference
from armorstack.web.desk import Desk

JSON = "application/json"
NDJSON = "application/x-ndjson"
BYTES: Schema = {"type": "string", "format": "binary"}


async def _openapi(call: Call) -> Response:
    del call
    return answers.json(describe(ENDPOINTS))


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        path="/events", summary="A page of events, newest first", asks="question",
        doc="`before` and `after` exclude each other.",
        parameters=(events.SIZE, events.BEFORE, events.AFTER, events.COLS, events.FORMAT),
        answers={JSON: reference("Events"), NDJSON: BYTES, csv.MEDIA_TYPE: BYTES},
        handler=events.events,
    ),
    Endpoint(
        path="/events/{id}", summary="One event: members, original, ECS",
        parameters=(events.NEAR,), answers={JSON: reference("WholeEvent")}, handler=events.event,
    ),
    Endpoint(
        path="/count", summary="How many events there are", asks="question",
        answers={JSON: reference("Count")}, handler=answers.count,
    ),
    Endpoint(
        path="/histogram", summary="Counts over time, and gaps", asks="question",
        parameters=(answers.BY, answers.BUCKETS, answers.INTERVAL, answers.SERIES),
        answers={JSON: reference("Histogram")}, handler=answers.histogram,
    ),
    Endpoint(
        path="/facets", summary="The most frequent values of fields", asks="question",
        doc="Each field is counted without its own picks.",
        parameters=(answers.FACET_FIELDS, answers.FACET_SIZE),
        answers={JSON: reference("Facets")}, handler=answers.facets,
    ),
    Endpoint(
        path="/top", summary="The largest groups", asks="question",
        doc="Groups by `policy` unless fields are named.",
        parameters=(answers.TOP_FIELDS, answers.TOP_SIZE, answers.DISTINCT, answers.ORDER),
        answers={JSON: reference("Top")}, handler=answers.top,
    ),
    Endpoint(
        path="/seen", summary="How often, when first and when last", asks="question",
        answers={JSON: reference("Seen")}, handler=answers.seen,
    ),
    Endpoint(
        path="/gaps", summary="Spans in which events were or may have been lost", asks="span",
        answers={JSON: reference("Gaps")}, handler=answers.gaps,
    ),
    Endpoint(
        path="/fields", summary="Fields that can be asked for",
        answers={JSON: reference("Fields")}, handler=answers.fields,
    ),
    Endpoint(
        path="/health", summary="How the whole is doing",
        doc="A token with named namespaces is told the status and its newest event only.",
        answers={JSON: reference("Health")}, handler=answers.health,
    ),
    Endpoint(
        path="/policies", summary="The policies that are watched, and what each did",
        parameters=policies.PARAMETERS, answers={JSON: reference("Policies")},
        handler=policies.policies,
    ),
    Endpoint(
        path="/coverage", summary="Which pods have no policy, by namespace",
        parameters=(policies.NAMESPACE,), answers={JSON: policies.COVERAGE_SCHEMA},
        handler=policies.coverage,
    ),
    Endpoint(
        path="/stream", summary="Events as they arrive, by server-sent events", asks="question",
        doc=stream.DOC, parameters=(stream.COLS, stream.LAST), answers={stream.MEDIA_TYPE: TEXT},
        handler=stream.stream,
    ),
    Endpoint(
        path="/export", summary="All events that are meant, as one file", asks="question",
        doc="`csv` and `parquet` have `form=columns` only.",
        parameters=(export.FORMAT, export.FORM, export.COLS),
        answers={
            csv.MEDIA_TYPE: BYTES, JSON: listed({"type": "object"}), NDJSON: BYTES,
            parquet.MEDIA_TYPE: BYTES,
        },
        handler=export.export,
    ),
    Endpoint(
        path="/snapshot", summary="What is in no part yet, for SQL in another process",
        doc="An Arrow stream; the metadata `armorstack.parts` of its schema names the parts. For "
        "an admin only.",
        answers={snapshot.MEDIA_TYPE: BYTES}, admin=True, handler=snapshot.snapshot,
    ),
    Endpoint(
        path="/openapi.json", summary="This description", answers={JSON: {"type": "object"}},
        handler=_openapi,
    ),
)  # fmt: skip


def routes(desk: Desk) -> list[Route]:
    """A route per endpoint, and one that answers what is none in JSON, too."""
    feed = Feed(desk.store)
    made = [each.route(desk, feed) for each in ENDPOINTS]
    return [*made, Route("/api/{rest:path}", _nothing, name="/api")]


async def _nothing(request: Request) -> Response:
    told = f"there is no endpoint {request.url.path}"
    return errors.response(HTTPException(404, told))
