"""Which addresses may be spoken to: public ones, and those of the allowed networks.

Whoever can make a name resolve to what they like could else have us talk to a cloud's metadata
service or to a neighbour inside the cluster. An address that carries another one inside (mapped,
NAT64, 6to4) is judged by that one. Names, sockets and settings must not go here.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that is handed out of IPv6 (RFC 4291); the rest is reserved, local or multicast."""
NAT64 = IPv6Network("64:ff9b::/96")
"""The well-known prefix of RFC 6052."""


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks; raises ValueError for a text that is none."""
    return tuple(map(ip_network, texts))


def is_allowed(text: str, networks: Sequence[Network]) -> bool:
    """Whether the address, or the one that it carries, lies in one of the networks."""
    address = _parse(text)
    meant = (address, _carried(address))
    return any(each in network for network in networks for each in meant)


def is_public(text: str) -> bool:
    """Whether the address belongs to the public internet, and so does one that it carries."""
    address = _parse(text)
    meant = _carried(address)
    if isinstance(meant, IPv6Address) and meant not in GLOBAL_UNICAST:
        return False
    return meant.is_global and not meant.is_multicast and not meant.is_reserved


def _parse(text: str) -> Address:
    return ip_address(text.partition("%")[0])


def _carried(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one; the address itself where there is none."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
