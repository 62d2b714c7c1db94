"""An endpoint as a row of the table, and how it becomes a route.

Invariant: a parameter is read because it is in the row, and everything else is refused; so the
description, which is made of the same row, cannot be wrong about it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypeVar

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from armorstack.core.query.asked import COMMON, Asked, ParameterError
from armorstack.store.contract import EventStore
from armorstack.web.access.refusal import Refusal
from armorstack.web.api.feed import Feed
from armorstack.web.api.parameters import Parameter, Schema
from armorstack.web.desk import Desk, asked_of, grant_of, store_for

T = TypeVar("T")
PREFIX = "/api/v1"
SPAN = ("from", "to", "tz")
Asks = Literal["question", "span", "nothing"]
"""A question: query, picks and span · a span alone · only the endpoint's own parameters."""


class Call:
    """One request to an endpoint."""

    def __init__(self, request: Request, desk: Desk, feed: Feed, asked: Asked) -> None:
        self.request, self.desk, self.feed, self.asked = request, desk, feed, asked

    def get(self, parameter: Parameter[T]) -> T:
        """What was said of this parameter, or its default. Raises ParameterError."""
        said = [value for name, value in self.asked.more if name == parameter.name]
        return parameter.read(said) if said else parameter.default

    def store(self) -> EventStore:
        """The store as far as the bearer may see it."""
        return store_for(self.request, self.desk)


class Endpoint(Struct, frozen=True, kw_only=True):
    """One row."""

    path: str
    summary: str
    doc: str = ""
    asks: Asks = "nothing"
    parameters: tuple[Parameter[Any], ...] = ()
    answers: dict[str, Schema]
    """Media type → schema of the body."""
    admin: bool = False
    handler: Callable[[Call], Awaitable[Response]]

    def route(self, desk: Desk, feed: Feed) -> Route:
        """The route that answers."""

        async def endpoint(request: Request) -> Response:
            self._admit(request)
            call = Call(request, desk, feed, self._asked(request, desk))
            for parameter in self.parameters:
                call.get(parameter)
            return await self.handler(call)

        return Route(PREFIX + self.path, endpoint, methods=["GET"], name=self.path)

    def known(self) -> tuple[str, ...]:
        """The names of its own parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    def _admit(self, request: Request) -> None:
        if not grant_of(request).admin and self.admin:
            raise Refusal(
                "this needs a token of an admin", status=403, reason="scope",
                hint="armorstack token create --admin makes one",
            )  # fmt: skip

    def _asked(self, request: Request, desk: Desk) -> Asked:
        if self.asks == "question":
            return asked_of(request, desk, self.known())
        allowed = (*(SPAN if self.asks == "span" else ()), *self.known())
        self._refuse_others(request, allowed)
        return asked_of(request, desk, self.known())

    def _refuse_others(self, request: Request, allowed: Sequence[str]) -> None:
        for name in request.query_params:
            if name not in allowed:
                hint = f"known are: {', '.join(allowed)}" if allowed else "there are none here"
                raise ParameterError(
                    f"there is no parameter {name!r}", parameter=name, known=allowed, hint=hint
                )


def head(headers: dict[str, str]) -> Response:
    """The answer to HEAD where a body would cost much, or never end."""
    response = Response(headers=headers)
    # How long it would be is not known.
    del response.headers["content-length"]
    return response


def common(asks: Asks) -> tuple[str, ...]:
    """The parameters that are read for every endpoint of this kind, picks aside."""
    return {"question": COMMON, "span": SPAN, "nothing": ()}[asks]
