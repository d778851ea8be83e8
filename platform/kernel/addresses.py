"""Which addresses belong to the public internet, and which URLs a stranger may have us fetch."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from kernel.errors import Invalid

IPAddress = IPv4Address | IPv6Address

MAX_URL_LENGTH: Final = 2048
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# IANA's special-purpose registry (2024), and what clouds have put elsewhere. Written out, because the standard
# library's is_global changes with its release and calls multicast global.
_NOT_PUBLIC_4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's wire server
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
        ),
    )
)
# Only here are addresses of the public internet; mapped, translated and local ones are elsewhere.
_PUBLIC_6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # Teredo carries IPv4 addresses; benchmarks, ORCHID
            "2001:db8::/32",
            "2002::/16",  # 6to4 carries IPv4 addresses
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_PATH: Final = "/%:@!$&'()*+,;=~-._"


def is_public(address: IPAddress) -> bool:
    """Whether an address is a single machine's on the public internet, carrying no other address within."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    is_unicast = address in _PUBLIC_6 and address.scope_id is None
    return is_unicast and not any(address in network for network in _NOT_PUBLIC_6)


def normalize_url(url: str, *, base: str | None = None) -> str:
    """Return a URL as it is asked for: http or https, a host, no name or password, the scheme's own port.

    `base`: what a relative one is relative to. Invalid("url.refused") says what is wrong with it. What the host
    resolves to is for whoever connects to check.
    """
    try:
        parts = urlsplit(urljoin(base, url.strip()) if base else url.strip())
        host, port = (parts.hostname or "").encode("idna").decode("ascii"), parts.port
        # Half a character of UTF-16 has no place in a URL.
        path, asked = quote(parts.path or "/", safe=_PATH), quote(parts.query, safe=_PATH + "?")
    except ValueError:
        raise _refused("It is no URL.") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise _refused("It must begin with https:// or http://.")
    if not host:
        raise _refused("It names no host.")
    if parts.username is not None or parts.password is not None:
        raise _refused("It may not hold a user name or password.")
    if not _HOST.fullmatch(host):
        raise _refused("Its host is no name.")
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != DEFAULT_PORTS[parts.scheme]:
        shown = f"{shown}:{port}"
    query = f"?{asked}" if asked else ""
    checked = f"{parts.scheme}://{shown}{path}{query}"
    if len(checked) > MAX_URL_LENGTH:
        raise _refused(f"It is longer than {MAX_URL_LENGTH} characters.")
    return checked


def _refused(why: str) -> Invalid:
    return Invalid("url.refused", f"This address cannot be fetched. {why}")
