"""Style sheets, scripts and the icon: `/static/HASH/NAME`.

The hash is one of all files together, so that modules find each other by relative names, and a
page never meets a script of another version. What bears the hash of today may be kept for ever;
anything else is answered too, but not kept. Files are read and packed once.

Invariant: only names that lie in the folder are known; nothing is made of a request's path. Must
not go here: anything that needs a token.
"""

import gzip
import hashlib
from functools import cache
from importlib import resources

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from armorstack.web.desk import Desk

TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"


class File(Struct, frozen=True):
    """One file as it is, and packed."""

    body: bytes
    packed: bytes
    media_type: str


class Files(Struct, frozen=True):
    """All of them."""

    hash: str
    by_name: dict[str, File]


@cache
def files() -> Files:
    """The files of the folder `static`."""
    folder = resources.files("armorstack.web") / "static"
    bodies = {each.name: each.read_bytes() for each in folder.iterdir() if _type(each.name)}
    digest = hashlib.sha256()
    for name, body in sorted(bodies.items()):
        digest.update(b"%s %d " % (name.encode(), len(body)) + body)
    return Files(
        digest.hexdigest()[:12], {name: _file(name, body) for name, body in bodies.items()}
    )


def static_url(name: str) -> str:
    """Where the file is; raises KeyError where there is none, so that a page cannot miss one."""
    found = files()
    found.by_name[name]
    return f"/static/{found.hash}/{name}"


def routes(desk: Desk) -> list[Route]:
    """The files; `desk` is not asked."""
    del desk
    return [Route("/static/{hash}/{name}", static)]


async def static(request: Request) -> Response:
    """One file."""
    found = files()
    file = found.by_name.get(request.path_params["name"])
    if file is None:
        raise HTTPException(404, "There is no such file.")
    packs = "gzip" in request.headers.get("accept-encoding", "")
    response = Response(file.packed if packs else file.body, media_type=file.media_type)
    if packs:
        response.headers["content-encoding"] = "gzip"
    is_todays = request.path_params["hash"] == found.hash
    response.headers["cache-control"] = FOR_EVER if is_todays else "no-cache"
    response.headers["vary"] = "accept-encoding"
    return response


def _type(name: str) -> str:
    return TYPES.get(name.rpartition(".")[2], "")


def _file(name: str, body: bytes) -> File:
    return File(body, gzip.compress(body, 9, mtime=0), _type(name))
