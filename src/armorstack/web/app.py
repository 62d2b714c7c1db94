"""The HTTP side of the worker: health, readiness, metrics and a plain first page.

Invariant: nothing here changes anything, and nothing waits for the store: answers are built from
states at hand. On a loopback address only a loopback name is answered, so that a page in a browser
cannot read this through a name that it points at 127.0.0.1. Queries must not go here.
"""

import html
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from armorstack import __version__
from armorstack.health import Health

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

Next = Callable[[Request], Awaitable[Response]]


class View(Protocol):
    """What the pages show; called from several threads."""

    def health(self) -> Health:
        """How the whole is doing."""

    def not_ready(self) -> str:
        """Why the work cannot be done yet; empty when it can."""

    def metrics(self) -> bytes:
        """All metrics in the Prometheus text format."""


def build(view: View, bound_host: str) -> Starlette:
    """The application, for a socket bound to this address."""

    async def health(_: Request) -> Response:
        body = msgspec.json.encode(await run_in_threadpool(view.health))
        return Response(body, media_type="application/json")

    async def ready(_: Request) -> Response:
        reason = await run_in_threadpool(view.not_ready)
        return PlainTextResponse(f"{reason or 'ready'}\n", status_code=503 if reason else 200)

    async def metrics(_: Request) -> Response:
        return Response(await run_in_threadpool(view.metrics), media_type=METRICS_TYPE)

    async def index(_: Request) -> Response:
        return HTMLResponse(_index(await run_in_threadpool(view.health)))

    routes = [
        Route("/", index),
        Route("/health", health),
        Route("/ready", ready),
        Route("/metrics", metrics),
    ]
    return Starlette(routes=routes, middleware=[_guard(bound_host)])


def _guard(bound_host: str) -> Middleware:
    """Refuses foreign names on a loopback address; sets the headers that every answer carries."""
    only_loopback = is_loopback(bound_host)

    async def dispatch(request: Request, call_next: Next) -> Response:
        if only_loopback and not is_loopback(request.url.hostname or ""):
            text = "This address answers to localhost only; see `--listen`.\n"
            response: Response = PlainTextResponse(text, status_code=421)
        else:
            response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    return Middleware(BaseHTTPMiddleware, dispatch=dispatch)


def is_loopback(host: str) -> bool:
    """Whether the name or address means this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _index(health: Health) -> str:
    sources = [source.name for source in (health.receiver.sources if health.receiver else ())]
    sinks = [f"{sink.name}: {sink.stored} events stored" for sink in health.worker.sinks]
    return PAGE.format(
        version=html.escape(__version__),
        status=html.escape(health.status),
        reasons=_list(health.reasons) or "<p>All is well.</p>",
        sources=_list(sources),
        sinks=_list(sinks),
    )


def _list(items: tuple[str, ...] | list[str]) -> str:
    rows = "".join(f"<li>{html.escape(item)}</li>" for item in items)
    return f"<ul>{rows}</ul>" if rows else ""


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>armorstack</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto }}</style>
<h1>armorstack {version}</h1>
<p>Status: <strong>{status}</strong></p>
{reasons}
<h2>Sources</h2>
{sources}
<h2>Sinks</h2>
{sinks}
<p><a href="/health">/health</a> · <a href="/ready">/ready</a> · <a href="/metrics">/metrics</a></p>
<p>Pages to search and look at events are still to come.</p>
</html>
"""
