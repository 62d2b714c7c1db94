"""How we are reached, and who is at the other end.

Invariant: nothing a client says of itself is believed but what a listed proxy says of it. On a
loopback address, or through one, only names of this machine are answered, so that no name that a
stranger points at 127.0.0.1 leads here. Elsewhere events are shown over TLS only.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct

from armorstack.config import Web
from armorstack.web.access.refusal import Refusal

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?")
UNLISTED = "this came through a proxy that is not listed"
LIST_IT = "name its network in web.proxies, or with --behind-proxy"
PLAIN = "pages and API are answered elsewhere than on this machine only over TLS"
GIVE_TLS = "give --web-cert and --web-key, or a proxy that speaks TLS and --behind-proxy"
FOREIGN = "this address does not answer to the name {name!r}"
LIST_NAME = "use localhost, or add the name to web.hosts"


class Front(Struct, frozen=True):
    """How we are reached."""

    bound_host: str
    port: int
    has_tls: bool = False
    hosts: tuple[str, ...] = ()
    """Names that we are called besides those of this machine, in small letters."""
    proxies: tuple[Network, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach us."""
        return is_loopback(self.bound_host)

    @property
    def shows_events(self) -> bool:
        """Whether anybody beyond this machine can be shown anything."""
        return self.is_local or self.has_tls or bool(self.proxies)


class Caller(Struct, frozen=True):
    """Who is at the other end, as far as that can be known."""

    address: str
    scheme: str
    host: str
    """What the caller calls us, `NAME` or `NAME:PORT`."""
    is_local: bool
    """Whether it is on this machine, and no proxy is between."""

    @property
    def origin(self) -> str:
        """The origin of our own pages, for this caller."""
        return f"{self.scheme}://{self.host}"


def front_of(web: Web, bound: tuple[str, int]) -> Front:
    """How we are reached with these settings on this socket."""
    return Front(
        bound_host=bound[0], port=bound[1], has_tls=bool(web.tls.cert_file),
        hosts=tuple(host.lower() for host in web.hosts),
        proxies=tuple(ipaddress.ip_network(network) for network in web.proxies),
    )  # fmt: skip


def caller_of(front: Front, peer: str, scheme: str, headers: Headers) -> Caller:
    """Who asks. Raises Refusal where that leaves room for doubt, or must not be answered."""
    said = [(name, value.decode("latin-1").strip()) for name, value in headers]
    forwarded = any(name in FORWARDED for name, _ in said)
    if forwarded and not is_within(peer, front.proxies):
        raise Refusal(UNLISTED, status=403, reason="proxy", hint=LIST_IT)
    if forwarded:
        return _through_proxy(front, peer, said)
    is_local = is_loopback(peer)
    if scheme != "https" and not is_local:
        raise Refusal(PLAIN, status=403, reason="plain", hint=GIVE_TLS)
    if front.proxies and not is_local:
        told = "only listed proxies may ask here, and they say for whom: X-Forwarded-For is missing"
        raise Refusal(told, status=403, reason="proxy", hint=LIST_IT)
    return Caller(peer, scheme, _single(said, b"host"), is_local)


def check_host(front: Front, host: str, *, is_local: bool) -> None:
    """Raise Refusal unless this is a name of ours. Elsewhere than on this machine an address will
    do: nobody can point an address at another one."""
    match = _HOST.fullmatch(host.lower())
    name = match[1].rstrip(".") if match else host
    if match and (name in front.hosts or is_loopback(name)):
        return
    if match and not is_local and (_is_address(name) or name == socket.gethostname().lower()):
        return
    # RFC 9110, 15.5.20: the request was led to the wrong server.
    raise Refusal(FOREIGN.format(name=name), status=421, reason="host", hint=LIST_NAME)


def check_probe(front: Front, headers: Headers) -> None:
    """Raise Refusal where a probe asks under a strange name on this machine. Elsewhere anybody may
    probe: what is answered there says nothing of events."""
    if front.is_local:
        said = [(name, value.decode("latin-1").strip()) for name, value in headers]
        check_host(front, _single(said, b"host"), is_local=True)


def is_loopback(host: str) -> bool:
    """Whether the name or address means this machine alone."""
    if host == "localhost":
        return True
    return _of_address(host, lambda address: address.is_loopback)


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Whether the address lies in one of them."""
    return _of_address(address, lambda found: any(found in network for network in networks))


def _through_proxy(front: Front, peer: str, said: list[tuple[bytes, str]]) -> Caller:
    chain = [part for part in _all(said, b"x-forwarded-for") if part]
    protocols = {part.lower() for part in _all(said, b"x-forwarded-proto")}
    if not chain or not protocols:
        told = "the proxy does not say for whom it asks, and whether over TLS"
        hint = "have it set X-Forwarded-For and X-Forwarded-Proto"
        raise Refusal(told, status=403, reason="proxy", hint=hint)
    # From the right: what stands further left was said by whoever came to the outermost proxy.
    client = next((part for part in reversed(chain) if not is_within(part, front.proxies)), peer)
    if not _is_address(client):
        told = "X-Forwarded-For holds something that is no address"
        raise Refusal(told, status=400, reason="malformed")
    if protocols != {"https"} and not is_loopback(client):
        raise Refusal(PLAIN, status=403, reason="plain", hint="have the proxy speak TLS")
    named = b"x-forwarded-host" if any(n == b"x-forwarded-host" for n, _ in said) else b"host"
    scheme = "https" if protocols == {"https"} else "http"
    return Caller(client, scheme, _single(said, named), is_local=False)


def _all(said: list[tuple[bytes, str]], wanted: bytes) -> list[str]:
    """The elements of a header that is a list (RFC 9110, 5.6.1)."""
    return [part.strip() for name, value in said if name == wanted for part in value.split(",")]


def _single(said: list[tuple[bytes, str]], wanted: bytes) -> str:
    values = [value for name, value in said if name == wanted]
    if len(values) != 1 or not values[0]:
        told = f"the request must have one {wanted.decode().title()}"
        raise Refusal(told, status=400, reason="malformed")
    return values[0].lower()


def _is_address(text: str) -> bool:
    return _of_address(text, lambda _: True)


def _of_address(
    text: str, ask: Callable[[ipaddress.IPv4Address | ipaddress.IPv6Address], bool]
) -> bool:
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    # An IPv4 caller on a socket for both.
    return ask(getattr(address, "ipv4_mapped", None) or address)
