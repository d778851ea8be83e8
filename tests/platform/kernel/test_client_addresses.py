"""Addresses: the forwarded ones are believed from trusted networks only, and only from the right."""

from ipaddress import ip_network

import pytest

from kernel.client_addresses import find_client_address, format_network, format_rate_limit_key

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        # A stranger may write what it wants: it is not a proxy of ours.
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.5", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", "198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.0.0.5", "10.1.1.1, 10.9.9.9", "10.1.1.1"),
        ("10.0.0.5", "198.51.100.1, nonsense", "10.0.0.5"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.5", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", "\xff\xfe", "10.0.0.5"),
        (None, "198.51.100.1", "unknown"),
    ],
)
def test_the_client_is_the_nearest_hop_that_is_no_proxy(
    peer: str | None, forwarded: str, client: str
) -> None:
    assert find_client_address(peer, forwarded, PROXIES) == client


def test_without_trusted_networks_nothing_forwarded_counts() -> None:
    assert find_client_address("10.0.0.5", "198.51.100.1", ()) == "10.0.0.5"


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
    assert format_rate_limit_key(address) == limited
    assert format_network(address) == logged


def test_a_scope_id_of_any_length_is_no_address() -> None:
    """It would be a key of the caches, as long as a client likes."""
    forwarded = "fe80::1%" + "a" * 20_000
    assert find_client_address("10.0.0.1", forwarded, (ip_network("10.0.0.0/8"),)) == "10.0.0.1"
    assert format_rate_limit_key("fe80::1%eth0") == "fe80::1%eth0"
    assert format_network("fe80::1%eth0") == "unknown"
