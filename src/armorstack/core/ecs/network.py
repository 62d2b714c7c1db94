"""Network events: who spoke with whom, over what, in which direction.

Addresses come from the details, not from Resource as text, since the order of its words is random
(quirk 3). An address that is none stays in `.address` and never reaches an `ip` field.

Must not go here: operations without an address.
"""

from armorstack.core.ecs.draft import ROOT, Document, Draft, Row
from armorstack.core.ecs.event_data import Pairs, pairs_of
from armorstack.core.ecs.operations import Act, call_of
from armorstack.core.ecs.values import LAST_PORT, canonical_ip, small_number

CONNECT = Act("network", "network-connect", ("connection", "start"))
ACCEPT = Act("network", "network-accept", ("connection", "start"))
BIND = Act("network", "network-bind", ("connection",))
LISTEN = Act("network", "network-listen", ("info",))
SOCKET = Act("network", "network-socket", ("info",))
DNS = Act("network", "network-dns", ("connection", "protocol"))
OTHER = Act("network", "network-access", ("access",))
FIREWALL = Act("network", "network-firewall", ("connection",))

CALLS: dict[str, tuple[Act, str | None]] = {
    "SYS_CONNECT": (CONNECT, "egress"),
    "SOCKET_CONNECT": (CONNECT, "egress"),
    "tcp_connect": (CONNECT, "egress"),
    "SYS_ACCEPT": (ACCEPT, "ingress"),
    "SYS_ACCEPT4": (ACCEPT, "ingress"),
    "SOCKET_ACCEPT": (ACCEPT, "ingress"),
    "tcp_accept": (ACCEPT, "ingress"),
    "SYS_BIND": (BIND, "ingress"),
    "SYS_LISTEN": (LISTEN, None),
    "SYS_SOCKET": (SOCKET, None),
    "SOCKET_CREATE": (SOCKET, None),
    "UDP_SENDSKB": (DNS, "egress"),
    "UDP_SENDMSG": (DNS, "egress"),
    "SOCKET_SENDMSG": (DNS, "egress"),
}
"""System call, hook or probe → what it is, and network.direction."""

_FAMILIES = {"AF_INET": "ipv4", "AF_INET6": "ipv6"}
_TRANSPORTS = {
    "TCP": "tcp",
    "TCPv6": "tcp",
    "UDP": "udp",
    "UDPv6": "udp",
    "ICMPv6": "ipv6-icmp",
}
_CHAINS = {"INGRESS": "ingress", "INPUT": "ingress", "EGRESS": "egress", "OUTPUT": "egress"}
_SOCKET_TYPES = {"SOCK_STREAM": "tcp", "SOCK_DGRAM": "udp"}


def endpoint(address: str | None, port: str | None) -> Document:
    """One side: address as written, ip if it is one, port if it is one."""
    side: Document = {}
    if address:
        side["address"] = address
        if (ip := canonical_ip(address)) is not None:
            side["ip"] = ip
    if port and (number := small_number(port, LAST_PORT)) is not None:
        side["port"] = number
    return side


def _family(pairs: Pairs) -> str | None:
    """The address family; Domain says it too, but for a DNS query it is the name asked for."""
    domain = pairs.get("Domain")
    return pairs.get("Sa_family") or (domain if domain and domain.startswith("AF_") else None)


def _transport(pairs: Pairs, family: str | None) -> str | None:
    """By Protocol; where that says nothing, by the socket's type, but only for IP."""
    protocol = pairs.get("Protocol")
    if protocol and protocol != "HOPOPT":
        return _TRANSPORTS.get(protocol) or protocol.lower()
    if family is not None and family not in _FAMILIES:
        return None
    return _SOCKET_TYPES.get(pairs.get("Type", "").partition("|")[0])


def _network_type(family: str | None, *sides: Document) -> str | None:
    """By the address, since IPv4 peers of an IPv6 socket are IPv4; else by the family."""
    for side in sides:
        if ip := side.get("ip"):
            return "ipv6" if ":" in ip else "ipv4"
    return _FAMILIES.get(family or "")


def _add(draft: Draft, source: Document, destination: Document, **network: str | None) -> None:
    """Both sides and what lies between them, where there is something to say."""
    if source:
        draft[ROOT]["source"] = source
    if destination:
        draft[ROOT]["destination"] = destination
    if told := {leaf: value for leaf, value in network.items() if value}:
        draft[ROOT]["network"] = told


def _sides(pairs: Pairs, act: Act) -> tuple[Document, Document]:
    """Source and destination.

    The other end is the destination, but of an accepted connection it is the source; there the
    probe's port is our own, the system call's the other end's. A bound address is where others
    come to: a destination.
    """
    get = pairs.get
    address = get("Sin_addr") or get("Remoteip") or get("Daddr") or get("Sun_path")
    port = get("Sin_port") or get("Port")
    if act is not ACCEPT:
        return {}, endpoint(address, port)
    if "Port" in pairs:
        return endpoint(address, None), endpoint(None, port)
    return endpoint(address, port), {}


def _remote_host(row: Row, act: Act, source: Document, destination: Document) -> None:
    """The relay appends `remotehost=` to Resource after EventData was made."""
    resource = row["resource"]
    if resource and "remotehost=" in resource:
        host = pairs_of(resource).get("Remotehost")
        if host:
            (source if act is ACCEPT else destination)["domain"] = host


def _query(pairs: Pairs) -> Pairs:
    """A DNS probe's details; older nodes join them by commas into one word."""
    probe = pairs.get("Kfunc", "")
    return {**pairs, **pairs_of("kfunc=" + probe.replace(",", " "))} if "," in probe else pairs


def _add_question(pairs: Pairs, draft: Draft) -> None:
    question = {}
    name = pairs.get("Domain", "").rstrip(".")
    if name and not name.startswith("AF_"):
        question["name"] = name
    if type_ := pairs.get("Qtype"):
        question["type"] = type_
    if question:
        draft[ROOT]["dns"] = {"question": question}


def network(row: Row, pairs: Pairs, draft: Draft) -> Act:
    """A socket was made, bound, connected or accepted, or a name asked for."""
    pairs = _query(pairs)
    act, direction = CALLS.get(call_of(pairs), (OTHER, None))
    source, destination = _sides(pairs, act)
    _remote_host(row, act, source, destination)
    family = _family(pairs)
    transport = _transport(pairs, family)
    if act is DNS:
        _add_question(pairs, draft)
        transport = transport or "udp"
    _add(
        draft,
        source,
        destination,
        transport=transport,
        type=_network_type(family, destination, source),
        direction=direction,
        protocol="dns" if act is DNS else None,
    )
    return act


def network_firewall(row: Row, pairs: Pairs, draft: Draft) -> Act:
    """The node's packet filter met a packet; Resource is its direction, or has it as a word."""
    source = endpoint(pairs.get("SourceIP"), pairs.get("SourcePort"))
    destination = endpoint(pairs.get("DestinationIP"), pairs.get("DestinationPort"))
    words = (row["resource"] or "").upper().split()
    _add(
        draft,
        source,
        destination,
        transport=_transport(pairs, None),
        type=_network_type(None, destination, source),
        direction=next((_CHAINS[word] for word in words if word in _CHAINS), None),
    )
    return FIREWALL
