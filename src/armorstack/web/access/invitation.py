"""What `armorstack run` says of the pages when it starts: the address to open.

Invariant: the token is told only where a person reads it, or where it is worth nothing to anybody
who cannot reach this machine; a log is no such place. Loads neither Arrow nor Starlette.
"""

from urllib.parse import urlencode

from armorstack.config import Web
from armorstack.web.access.front import GIVE_TLS, PLAIN, front_of

HOW = "armorstack token url prints the address with its token"


def page_url(web: Web, bound: tuple[str, int], token: str = "") -> str:
    """The first page's address; with a token one that signs in. `bound` is the socket's."""
    front = front_of(web, bound)
    through_proxy = bool(front.proxies) and not front.has_tls
    scheme = "https" if front.has_tls or (through_proxy and web.hosts) else "http"
    host = web.hosts[0] if web.hosts and not front.is_local else _own_name(bound[0])
    # Behind a proxy the port is the proxy's, and nobody told us which.
    at = host if through_proxy and web.hosts and not front.is_local else f"{host}:{bound[1]}"
    return f"{scheme}://{at}/" + (f"?{urlencode({'token': token})}" if token else "")


def invitation(web: Web, bound: tuple[str, int], token: str, *, is_seen: bool) -> list[str]:
    """The lines. `is_seen`: they are read on a terminal."""
    front = front_of(web, bound)
    if front.is_local or is_seen:
        lines = [f"pages: {page_url(web, bound, token)}"]
    else:
        lines = [f"pages: {page_url(web, bound)} ({HOW})"]
    if not front.shows_events:
        lines.append(f"attention: {PLAIN}: {GIVE_TLS}")
    return lines


def _own_name(host: str) -> str:
    """A name of this machine for the address of a socket."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
