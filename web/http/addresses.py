"""Who is asking: the client's address, read through the proxies that are trusted and no others."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

UNKNOWN: Final = "unknown"
_CUSTOMER_PREFIX: Final = 64  # what one IPv6 customer is given at least, RFC 6177: limits count it as one


def client_address(peer: str | None, forwarded_for: bytes, trusted: tuple[Network, ...]) -> str:
    """Return the nearest address that is not one of our proxies; "unknown" when there is none to read.

    `forwarded_for` (X-Forwarded-For) is read from the right and only as far as the hops before it are
    trusted: what a client writes into it stands left of the address it really has, and is never reached.
    """
    if peer is None:
        return UNKNOWN
    if not is_proxy(peer, trusted):
        return peer
    nearest = peer
    for hop in reversed(forwarded_for.decode("latin-1").split(",")):
        address = _parsed(hop.strip())
        if address is None:
            break
        nearest = str(address)
        if not _is_trusted(nearest, trusted):
            break
    return nearest


def is_proxy(peer: str | None, trusted: tuple[Network, ...]) -> bool:
    """Tell whether who has connected to us is one of our proxies."""
    return bool(trusted) and peer is not None and _is_trusted(peer, trusted)


@lru_cache(maxsize=4096)
def limited_as(address: str) -> str:
    """Return the name under which limits count an address: itself, or the /64 it belongs to."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _CUSTOMER_PREFIX), strict=False))
    return address


@lru_cache(maxsize=4096)
def logged_as(address: str) -> str:
    """Return the prefix that logs keep of an address: /24 of IPv4, /48 of IPv6."""
    parsed = _parsed(address)
    if parsed is None:
        return UNKNOWN
    return str(ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


@lru_cache(maxsize=4096)
def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in trusted)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
