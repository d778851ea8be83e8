"""The client's address, read through trusted proxies only."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

UNKNOWN: Final = "unknown"
_LONGEST: Final = 45  # characters of an IPv6 address with an IPv4 tail
# Bits. An IPv6 customer gets at least this network (RFC 6177), so limits count it as one client.
_CUSTOMER_PREFIX: Final = 64


def find_client_address(peer: str | None, forwarded_for: str, trusted: tuple[Network, ...]) -> str:
    """Return the nearest address that is no trusted proxy; "unknown" without a peer.

    `forwarded_for` (X-Forwarded-For) is read from the right, and only while the hops before are
    trusted. What a client writes into it stands left of the client's real address and is never read.
    """
    if peer is None:
        return UNKNOWN
    if not is_proxy(peer, trusted):
        return peer
    nearest = peer
    for hop in reversed(forwarded_for.split(",")):
        address = _parse_address(hop.strip())
        if address is None:
            break
        nearest = str(address)
        if not _is_trusted(nearest, trusted):
            break
    return nearest


def is_proxy(peer: str | None, trusted: tuple[Network, ...]) -> bool:
    """Tell whether the peer of a connection is a trusted proxy."""
    return bool(trusted) and peer is not None and _is_trusted(peer, trusted)


@lru_cache(maxsize=4096)
def format_rate_limit_key(address: str) -> str:
    """Return the key under which limits count an address: the address itself, or the /64 of IPv6."""
    parsed = _parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _CUSTOMER_PREFIX), strict=False))
    return address


@lru_cache(maxsize=4096)
def format_network(address: str) -> str:
    """Return the network that logs hold instead of an address: /24 of IPv4, /48 of IPv6."""
    parsed = _parse_address(address)
    if parsed is None:
        return UNKNOWN
    return str(ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


@lru_cache(maxsize=4096)
def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    parsed = _parse_address(address)
    return parsed is not None and any(parsed in network for network in trusted)


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    # The answers are cached, and a scope id ("fe80::1%…") has any length.
    try:
        address = ip_address(text) if len(text) <= _LONGEST and "%" not in text else None
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
