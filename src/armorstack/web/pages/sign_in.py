"""The page where a token is entered: `GET /sign-in`.

    next=…   the path to go on to; only a path of our own

Invariant: the token never stands in a page or in a URL made here. What a token is worth, and the
answer to the form, is `web/access`.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from armorstack.core.commands import Command
from armorstack.web.desk import Desk
from armorstack.web.render import page

COMMANDS = (
    Command("armorstack token url", "prints that address again"),
    Command("armorstack token create --name NAME --read", "makes a token for somebody else"),
)
FAILURES = {
    "wrong": "This token is wrong, has run out, or was revoked.",
    "limited": "There were too many wrong tokens. Wait a minute, then try again.",
}


def routes(desk: Desk) -> list[Route]:
    """The form."""
    del desk

    async def sign_in(request: Request) -> Response:
        asked = request.query_params
        failure = FAILURES.get(asked.get("failed", ""), "")
        url = safe_next(asked.get("next", ""))
        return page(request, "sign_in.html", next=url, failure=failure, commands=COMMANDS)

    return [Route("/sign-in", sign_in, methods=["GET"])]


def safe_next(path: str) -> str:
    """The path if it is one of ours; else the first page.

    `//host` and `/\\host` lead elsewhere, and a control character could hide such a beginning.
    """
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_ours and path.isprintable() else "/"
