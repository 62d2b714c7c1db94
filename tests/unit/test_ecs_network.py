"""Network events: addresses, ports, transport, type and direction, from every shape of details."""

from typing import Any

import pytest

from armorstack.core.ecs import to_ecs
from tests.support.ecs import LOG, check, event

CONNECT = "syscall=SYS_CONNECT fd=3"
PROBE = "kprobe=tcp_connect domain=AF_INET"

# Data, Resource → source, destination, network, dns; as recordings and enforcers write them.
SHAPES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "sin_addr and sin_port": (
        CONNECT,
        "sa_family=AF_INET sin_port=3306 sin_addr=127.0.0.1",
        {
            "destination": {"address": "127.0.0.1", "ip": "127.0.0.1", "port": 3306},
            "network": {"type": "ipv4", "direction": "egress"},
        },
    ),
    "IPv6, put into its one form": (
        CONNECT,
        "sa_family=AF_INET6 sin_port=443 sin_addr=2001:DB8:0:0::1",
        {
            "destination": {"address": "2001:DB8:0:0::1", "ip": "2001:db8::1", "port": 443},
            "network": {"type": "ipv6", "direction": "egress"},
        },
    ),
    "remoteip, port and protocol": (
        PROBE,
        "remoteip=10.0.0.7 port=443 protocol=TCP",
        {
            "destination": {"address": "10.0.0.7", "ip": "10.0.0.7", "port": 443},
            "network": {"transport": "tcp", "type": "ipv4", "direction": "egress"},
        },
    ),
    "an accepted connection: the other end is the source, the port our own": (
        "kprobe=tcp_accept domain=AF_INET6",
        "remoteip=10.0.0.7 port=32767 protocol=TCPv6",
        {
            "source": {"address": "10.0.0.7", "ip": "10.0.0.7"},
            "destination": {"port": 32767},
            "network": {"transport": "tcp", "type": "ipv4", "direction": "ingress"},
        },
    ),
    "accept as a system call: address and port are the other end's": (
        "syscall=SYS_ACCEPT fd=4",
        "sin_addr=10.0.0.7 sin_port=50000 sa_family=AF_INET",
        {
            "source": {"address": "10.0.0.7", "ip": "10.0.0.7", "port": 50000},
            "network": {"type": "ipv4", "direction": "ingress"},
        },
    ),
    "bind: where others come to": (
        "syscall=SYS_BIND fd=4",
        "sa_family=AF_INET sin_port=0 sin_addr=0.0.0.0",
        {
            "destination": {"address": "0.0.0.0", "ip": "0.0.0.0", "port": 0},
            "network": {"type": "ipv4", "direction": "ingress"},
        },
    ),
    "a socket's path is an address, and nothing else": (
        CONNECT,
        "sa_family=AF_UNIX sun_path=/run/containerd/containerd.sock",
        {
            "destination": {"address": "/run/containerd/containerd.sock"},
            "network": {"direction": "egress"},
        },
    ),
    "a Unix stream is not TCP": (
        "syscall=SYS_SOCKET",
        "domain=AF_UNIX type=SOCK_STREAM|SOCK_CLOEXEC protocol=HOPOPT",
        {},
    ),
    "socket: stream over IPv4 is TCP": (
        "syscall=SYS_SOCKET",
        "domain=AF_INET type=SOCK_STREAM|SOCK_CLOEXEC protocol=HOPOPT",
        {"network": {"transport": "tcp", "type": "ipv4"}},
    ),
    "socket: datagram over IPv6 is UDP": (
        "syscall=SYS_SOCKET",
        "domain=AF_INET6 type=SOCK_DGRAM protocol=HOPOPT",
        {"network": {"transport": "udp", "type": "ipv6"}},
    ),
    "socket blocked by its protocol": (
        "lsm=SOCKET_CREATE protocol=UDP type=SOCK_DGRAM",
        "protocol=UDP type=SOCK_DGRAM",
        {"network": {"transport": "udp"}},
    ),
    "protocol ICMP": (
        "lsm=SOCKET_CREATE protocol=ICMP type=SOCK_RAW",
        "protocol=ICMP type=SOCK_RAW",
        {"network": {"transport": "icmp"}},
    ),
    "listen says no address": ("syscall=SYS_LISTEN fd=6", "", {}),
    "DNS query": (
        "kfunc=UDP_SENDSKB domain=example.com daddr=10.96.0.10 qtype=A",
        "sa_family=AF_INET sin_port=53",
        {
            "destination": {"address": "10.96.0.10", "ip": "10.96.0.10", "port": 53},
            "network": {
                "transport": "udp", "type": "ipv4", "direction": "egress", "protocol": "dns",
            },
            "dns": {"question": {"name": "example.com", "type": "A"}},
        },
    ),
    "DNS query of an older node, joined by commas": (
        "kfunc=UDP_SENDMSG,domain=example.com.,daddr=::1,qtype=AAAA",
        "sa_family=AF_INET6 sin_port=53",
        {
            "destination": {"address": "::1", "ip": "::1", "port": 53},
            "network": {
                "transport": "udp", "type": "ipv6", "direction": "egress", "protocol": "dns",
            },
            "dns": {"question": {"name": "example.com", "type": "AAAA"}},
        },
    ),
    "DNS query blocked by name": (
        "lsm=SOCKET_SENDMSG domain=example.com",
        "example.com",
        {
            "network": {"transport": "udp", "direction": "egress", "protocol": "dns"},
            "dns": {"question": {"name": "example.com"}},
        },
    ),
    "remotehost, which the relay appends": (
        PROBE,
        "remoteip=10.0.0.7 port=443 protocol=TCP remotehost=svc/shop/mysql",
        {
            "destination": {
                "address": "10.0.0.7", "ip": "10.0.0.7", "port": 443, "domain": "svc/shop/mysql",
            },
            "network": {"transport": "tcp", "type": "ipv4", "direction": "egress"},
        },
    ),
    "remotehost of one who came": (
        "kprobe=tcp_accept domain=AF_INET",
        "remoteip=10.0.0.7 port=80 protocol=TCP remotehost=pod/shop/web-1",
        {
            "source": {"address": "10.0.0.7", "ip": "10.0.0.7", "domain": "pod/shop/web-1"},
            "destination": {"port": 80},
            "network": {"transport": "tcp", "type": "ipv4", "direction": "ingress"},
        },
    ),
}  # fmt: skip
PARTS = ("source", "destination", "network", "dns")


@pytest.mark.parametrize(("data", "resource", "expected"), SHAPES.values(), ids=SHAPES)
def test_the_shape_of_details_is_understood(
    data: str, resource: str, expected: dict[str, Any]
) -> None:
    document = to_ecs(event(LOG, operation="Network", data=data, resource=resource))
    check(document)
    assert {part: document[part] for part in PARTS if part in document} == expected


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.256",
        "fe80::1%eth0",
        "010.0.0.1",
        "localhost",
        "1",
        "::1::",
        "1.2.3.4/24",
        "\u0661.2.3.4",
    ],
)
def test_an_invalid_ip_stays_in_address_only(address: str) -> None:
    resource = f"sa_family=AF_INET sin_addr={address} sin_port=1"
    document = to_ecs(event(LOG, operation="Network", data=CONNECT, resource=resource))
    check(document)
    assert document["destination"] == {"address": address, "port": 1}
    assert "related" not in document


@pytest.mark.parametrize(
    "port", ["65536", "-1", "http", "1e3", "\u0664\u0664", "0x50", "99999999999"]
)
def test_a_port_that_is_none_is_left_out(port: str) -> None:
    resource = f"sin_addr=10.0.0.7 sin_port={port}"
    document = to_ecs(event(LOG, operation="Network", data=CONNECT, resource=resource))
    assert document["destination"] == {"address": "10.0.0.7", "ip": "10.0.0.7"}


def test_hosts_and_addresses_of_a_network_event_are_related_once_each() -> None:
    resource = "remoteip=10.0.0.7 port=1 remotehost=node-1"
    document = to_ecs(
        event(
            LOG, operation="Network", data=PROBE, resource=resource,
            host_name="node-1", host_ip="10.0.0.7",
        )
    )  # fmt: skip
    assert document["related"] == {"ip": ["10.0.0.7"], "hosts": ["node-1"]}


FLOW = (
    "SourceIP=10.0.0.1 SourcePort=41522 DestinationIP=2001:db8::2 DestinationPort=3333"
    " Protocol=TCP QuotaLevel=pod QuotaLimit=500mbytes"
)


@pytest.mark.parametrize(
    ("resource", "direction"),
    [
        ("INGRESS", "ingress"),
        ("EGRESS", "egress"),
        ("deny-all Egress Block pod 500mbytes", "egress"),
        ("Default INPUT Audit", "ingress"),
        ("elsewhere", None),
        (None, None),
    ],
)
def test_a_firewall_event_tells_both_ends_and_the_direction(
    resource: str | None, direction: str | None
) -> None:
    document = to_ecs(event(LOG, operation="NetworkFirewall", data=FLOW, resource=resource))
    check(document)
    assert document["source"] == {"address": "10.0.0.1", "ip": "10.0.0.1", "port": 41522}
    assert document["destination"]["ip"] == "2001:db8::2"
    assert document["network"].get("direction") == direction
    assert document["network"]["transport"] == "tcp"
    assert document["kubearmor"]["event_data"]["QuotaLimit"] == "500mbytes"
    assert document["related"]["ip"] == ["10.0.0.1", "2001:db8::2"]
