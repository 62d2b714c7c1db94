"""POST `/sign-in` and POST `/sign-out`.

Forms, so that both work without JavaScript; the gate has made sure that a page of ours sent them.
Invariant: a body is read only so long and so far as a token needs. The page with the form is
`web/pages/sign_in.py`.
"""

import asyncio
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from armorstack.web.access import cookie
from armorstack.web.access.front import Caller
from armorstack.web.access.gate import SEE_OTHER, to_sign_in, welcome
from armorstack.web.access.porter import Porter
from armorstack.web.access.refusal import Refusal
from armorstack.web.pages.sign_in import safe_next

LONGEST_FORM = 16 * 1024
BODY_S = 10.0


def routes(porter: Porter) -> list[Route]:
    """Both."""

    async def sign_in(request: Request) -> Response:
        caller: Caller = request.scope["armorstack.caller"]
        form = await _form(request)
        url = safe_next(form.get("next", ""))
        try:
            return welcome(porter, caller, form.get("token", "").strip(), url)
        except Refusal as refusal:
            porter.refused(refusal, caller.address, "POST", "/sign-in")
            return to_sign_in(url, refusal)

    async def sign_out(request: Request) -> Response:
        caller: Caller = request.scope["armorstack.caller"]
        porter.used("signed out", request.scope["armorstack.bearer"], caller.address)
        response = RedirectResponse("/sign-in", SEE_OTHER)
        name = cookie.name_of(porter.front.port, caller.scheme)
        cookie.give(response, name, "", caller.scheme, 0)
        return response

    return [
        Route("/sign-in", sign_in, methods=["POST"]),
        Route("/sign-out", sign_out, methods=["POST"]),
    ]


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form of the usual kind. Raises Refusal."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LONGEST_FORM:
                    raise Refusal("the form is too long", status=413, reason="malformed")
    except TimeoutError:
        raise Refusal("the form came too slowly", status=408, reason="malformed") from None
    except ClientDisconnect:
        raise Refusal("the form broke off", status=400, reason="malformed") from None
    fields = parse_qs(body.decode("latin-1"), keep_blank_values=True, max_num_fields=10)
    return {name: values[0] for name, values in fields.items()}
