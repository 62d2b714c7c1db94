"""Which addresses a webhook may be sent to."""

import pytest

from armorstack.sinks.webhook.address import is_allowed, is_public, parse_networks

PUBLIC = (
    "8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808",
    "2002:808:808::1",
)  # fmt: skip
NOT_PUBLIC = (
    "127.0.0.1", "127.255.255.254", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.127.255.255", "0.0.0.0", "0.1.2.3", "255.255.255.255", "240.0.0.1",
    "224.0.0.1", "239.255.255.250", "192.0.2.1", "198.18.0.1", "203.0.113.7",
    "::", "::1", "fd00::1", "fc00::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
    "2001:db8::1", "2001::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808",
    "2002:7f00:1::1", "2002:a00:1::1", "100::1", "4000::1",
)  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_all_other_addresses_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.0.0.0/8"),
        ("64:ff9b::a01:203", "10.0.0.0/8"),
        ("64:ff9b::a01:203", "64:ff9b::/96"),
        ("fd00::1", "fd00::/8"),
        ("fe80::1%eth0", "fe80::/10"),
    ],
)
def test_an_address_is_allowed_by_its_network_or_that_of_the_one_it_carries(
    address: str, network: str
) -> None:
    assert is_allowed(address, parse_networks([network]))
    assert is_allowed(address, parse_networks(["192.0.2.0/24", network]))


@pytest.mark.parametrize(
    ("address", "network"),
    [("10.1.2.3", "10.0.0.0/16"), ("fd00::1", "10.0.0.0/8"), ("127.0.0.1", "::/0")],
)
def test_an_address_outside_is_not_allowed(address: str, network: str) -> None:
    assert not is_allowed(address, parse_networks([network]))
    assert not is_allowed(address, ())
