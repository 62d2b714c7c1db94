"""Questions that have one answer: counts, histograms, facets, groups, gaps, fields, health.

Invariant: each takes its store from the call, which keeps a token inside its namespaces, and asks
it in a thread, within a budget that ends when the caller leaves.
"""

from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from armorstack import __version__
from armorstack.core.query.names import FACETS
from armorstack.errors import StoreError
from armorstack.store.budget import Budget
from armorstack.store.event_json import encode, time_text
from armorstack.web.api import shapes
from armorstack.web.api.endpoint import Call
from armorstack.web.api.parameters import Choice, FieldName, FieldNames, Number, SpanText
from armorstack.web.desk import answer, grant_of

BY = FieldName("by", "Split the counts by the values of this field.")
BUCKETS = Number("buckets", "About how many buckets; ignored with `interval`.", 60, 1, 2000)
INTERVAL = SpanText("interval", "Length of a bucket, such as 5m.")
SERIES = Number("size", "How many values have a series of their own.", 8, 1, 100)
FACET_FIELDS = FieldNames("f", "A field to count; repeat it for more.", FACETS, 64)
FACET_SIZE = Number("size", "How many values of each field.", 10, 1, 1000)
TOP_FIELDS = FieldNames("f", "A field to group by; repeat it to group by several.", (), 16)
TOP_SIZE = Number("size", "How many groups.", 10, 1, 10_000)
DISTINCT = FieldName("distinct", "Measure how many values this field has, not the events.")
ORDER = Choice("order", "Which groups come first.", ("largest", "smallest"))


def json(document: Any, headers: dict[str, str] | None = None) -> Response:
    """The answer, with a newline for terminals."""
    return Response(encode(document) + b"\n", headers=headers, media_type="application/json")


async def count(call: Call) -> Response:
    """How many events there are."""
    store = call.store()
    found = await answer(call.request, lambda budget: store.count(call.asked.question, budget))
    return json({"count": found})


async def histogram(call: Call) -> Response:
    """Counts over time."""
    store, by = call.store(), call.get(BY)
    found = await answer(
        call.request,
        lambda budget: store.histogram(
            call.asked.question, budget, by=by, buckets=call.get(BUCKETS),
            interval_us=call.get(INTERVAL), size=call.get(SERIES),
        ),
    )  # fmt: skip
    return json(shapes.histogram(found, by))


async def facets(call: Call) -> Response:
    """The most frequent values of fields."""
    store = call.store()
    found = await answer(
        call.request,
        lambda budget: store.facets(
            call.asked.question, budget, fields=call.get(FACET_FIELDS), size=call.get(FACET_SIZE)
        ),
    )
    return json(shapes.facets(found))


async def top(call: Call) -> Response:
    """The largest groups."""
    store, fields = call.store(), call.get(TOP_FIELDS) or ("policy",)
    found = await answer(
        call.request,
        lambda budget: store.top(
            call.asked.question, budget, fields=fields, size=call.get(TOP_SIZE),
            distinct=call.get(DISTINCT), smallest=call.get(ORDER) == "smallest",
        ),
    )  # fmt: skip
    return json(shapes.top(found, fields))


async def seen(call: Call) -> Response:
    """First, last and how often."""
    store = call.store()
    found = await answer(call.request, lambda budget: store.seen(call.asked.question, budget))
    return json(shapes.seen(found))


async def gaps(call: Call) -> Response:
    """Spans in which events were or may have been lost."""
    store, asked = call.store(), call.asked
    found = await run_in_threadpool(store.gaps, asked.start_us, asked.end_us)
    return json({"gaps": [shapes.gap(each) for each in found]})


async def fields(call: Call) -> Response:
    """What can be asked for."""
    return json(shapes.fields(call.store().fields()))


async def health(call: Call) -> Response:
    """How the whole is doing; to a token with namespaces: only whether it does."""
    found = await run_in_threadpool(call.desk.view.health)
    told = {"status": found.status, "version": __version__, "newest": await _newest(call)}
    if grant_of(call.request).namespaces is None:
        told |= msgspec.to_builtins(
            {"reasons": found.reasons, "receiver": found.receiver, "worker": found.worker}
        )
    return json(told)


async def _newest(call: Call) -> str | None:
    try:
        newest = await answer(call.request, lambda budget: _ask_newest(call, budget))
    except StoreError:
        # What is wrong with the store stands among the reasons; health is told all the same.
        return None
    return None if newest is None else time_text(newest)


def _ask_newest(call: Call, budget: Budget) -> int | None:
    budget.check()
    return call.store().newest()
