"""Addresses: the forwarded ones are believed from trusted networks only, and only from the right."""

from ipaddress import ip_network

import pytest

from web.http.addresses import client_address, limited_as, logged_as

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", b"", "203.0.113.9"),
        # A stranger may write what it wants: it is not a proxy of ours.
        ("203.0.113.9", b"198.51.100.1", "203.0.113.9"),
        ("10.0.0.5", b"198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", b"6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", b"198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.0.0.5", b"10.1.1.1, 10.9.9.9", "10.1.1.1"),
        ("10.0.0.5", b"198.51.100.1, nonsense", "10.0.0.5"),
        ("10.0.0.5", b"", "10.0.0.5"),
        ("fd00::1", b"2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.5", b"198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", b"\xff\xfe", "10.0.0.5"),
        (None, b"198.51.100.1", "unknown"),
    ],
)
def test_the_client_is_the_nearest_hop_that_is_no_proxy(
    peer: str | None, forwarded: bytes, client: str
) -> None:
    assert client_address(peer, forwarded, PROXIES) == client


def test_without_trusted_networks_nothing_forwarded_counts() -> None:
    assert client_address("10.0.0.5", b"198.51.100.1", ()) == "10.0.0.5"


@pytest.mark.parametrize(
    ("address", "limited", "logged"),
    [
        ("203.0.113.9", "203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("::ffff:203.0.113.9", "::ffff:203.0.113.9", "203.0.113.0/24"),
        ("unknown", "unknown", "unknown"),
    ],
)
def test_limits_count_networks_of_one_customer_and_logs_keep_less(
    address: str, limited: str, logged: str
) -> None:
    assert limited_as(address) == limited
    assert logged_as(address) == logged
