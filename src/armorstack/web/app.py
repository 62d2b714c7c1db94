"""The HTTP side of the worker, put together: routes of every room, and what stands before them.

    SecurityHeaders → Faults → Gate → routes

Invariant: no route is reached but through the gate, and whatever an endpoint raises becomes an
answer in one place. `/health`, `/ready` and `/metrics` are for probes: no token, and no text of
events beyond the labels of metrics. Queries must not go here.
"""

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from armorstack.metrics import CONTENT_TYPE
from armorstack.web import api, boards, faults, static_files
from armorstack.web.access import signing
from armorstack.web.access.gate import Gate
from armorstack.web.access.headers import SecurityHeaders
from armorstack.web.access.porter import Porter
from armorstack.web.desk import Desk, View
from armorstack.web.pages import coverage, event, events, executed, policies, sign_in, status

ROOMS = (
    boards, policies, coverage, events, event, executed, status, sign_in, api, static_files,
)  # fmt: skip
"""What has routes; each is given the desk."""


def build(desk: Desk, porter: Porter) -> Starlette:
    """The application."""
    routes: list[Route] = [*probes(desk.view), *signing.routes(porter)]
    for room in ROOMS:
        routes += room.routes(desk)
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(faults.Faults, respond=faults.respond),
            Middleware(Gate, porter=porter),
        ],
        exception_handlers={HTTPException: _of_http},
    )


def probes(view: View) -> list[Route]:
    """What Prometheus and kubelets ask."""

    async def health(_: Request) -> Response:
        body = msgspec.json.encode(await run_in_threadpool(view.health))
        return Response(body, media_type="application/json")

    async def ready(_: Request) -> Response:
        reason = await run_in_threadpool(view.not_ready)
        return PlainTextResponse(f"{reason or 'ready'}\n", status_code=503 if reason else 200)

    async def metrics(_: Request) -> Response:
        return Response(await run_in_threadpool(view.metrics), media_type=CONTENT_TYPE)

    return [Route("/health", health), Route("/ready", ready), Route("/metrics", metrics)]


async def _of_http(request: Request, error: Exception) -> Response:
    return faults.respond(request, error)
