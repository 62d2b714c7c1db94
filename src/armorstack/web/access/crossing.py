"""Requests that a page of another site made, with our cookie or without.

Invariant: what changes something is done for our own pages only, and the API answers a cookie only
when our own page asks. `Sec-Fetch-Site` says who made a request and no page can forge it (Fetch
Metadata); a browser that lacks it sends `Origin`. Whoever brings a bearer token in a header is no
page of a stranger's, and is not asked.
"""

from armorstack.web.access.front import Caller
from armorstack.web.access.refusal import Refusal

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OURS = ("same-origin", "none")
"""`none`: a person typed the address, or followed a bookmark."""


def check(
    method: str, path: str, headers: dict[str, str], caller: Caller, *, has_cookie: bool
) -> None:
    """Raise Refusal where another site's page asks. `headers` have names in small letters."""
    if method not in SAFE_METHODS:
        if not _is_ours(headers, caller, unknown=False):
            raise _refusal()
    elif is_api(path):
        if has_cookie and not _is_ours(headers, caller, unknown=True):
            raise _refusal()
    elif not _is_visit(headers):
        raise _refusal()


def is_api(path: str) -> bool:
    """Whether programs ask here, rather than people."""
    return path == "/api" or path.startswith("/api/")


def comes_from_elsewhere(headers: dict[str, str]) -> bool:
    """Whether a link on another site led here: browsers keep a strict cookie back then."""
    return headers.get("sec-fetch-site") in ("cross-site", "same-site")


def _is_ours(headers: dict[str, str], caller: Caller, *, unknown: bool) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in OURS
    origin = headers.get("origin")
    return unknown if origin is None else origin == caller.origin


def _is_visit(headers: dict[str, str]) -> bool:
    """A link on another site may lead to a page; no other site may fetch or frame one."""
    if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
        return True
    return (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
    )


def _refusal() -> Refusal:
    told = "a page of another site asked for this"
    return Refusal(told, status=403, reason="cross_site", hint="open armorstack itself")
