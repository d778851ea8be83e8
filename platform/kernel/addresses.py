"""Public IP addresses, and the URLs from users that the service may fetch."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from kernel.errors import Invalid

IPAddress = IPv4Address | IPv6Address

MAX_URL_LENGTH: Final = 2048
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# IANA's special-purpose registry (2024), and internal addresses of cloud providers. A list, because the standard
# library's is_global changes between releases and includes multicast.
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
# Global unicast: mapped, translated and local addresses are outside.
_PUBLIC_6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # Teredo (embeds IPv4 addresses), benchmarking, ORCHID
            "2001:db8::/32",
            "2002::/16",  # 6to4 (embeds IPv4 addresses)
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_PATH: Final = "/%:@!$&'()*+,;=~-._"


def is_public(address: IPAddress) -> bool:
    """Tell whether an address is public, unicast and without an embedded IPv4 address."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    is_unicast = address in _PUBLIC_6 and address.scope_id is None
    return is_unicast and not any(address in network for network in _NOT_PUBLIC_6)


def normalize_url(url: str, *, base: str | None = None) -> str:
    """Return a URL in the form in which it is requested; a relative URL is resolved against `base`.

    Raises Invalid("url.refused") unless the scheme is http or https, with a host and without user name and password.
    The port and the addresses of the host are checked when the connection is made (`kernel.fetching`).
    """
    try:
        parts = urlsplit(urljoin(base, url.strip()) if base else url.strip())
        host, port = (parts.hostname or "").encode("idna").decode("ascii"), parts.port
        # Fails for a lone surrogate.
        path, query = quote(parts.path or "/", safe=_PATH), quote(parts.query, safe=_PATH + "?")
    except ValueError:
        raise refuse_url("It is not a URL.") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise refuse_url("It must begin with https:// or http://.")
    if not host:
        raise refuse_url("It has no host.")
    if parts.username is not None or parts.password is not None:
        raise refuse_url("It may not hold a user name or password.")
    if not _HOST.fullmatch(host):
        raise refuse_url("Its host is not a host name.")
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != DEFAULT_PORTS[parts.scheme]:
        netloc = f"{netloc}:{port}"
    normalized = f"{parts.scheme}://{netloc}{path}" + (f"?{query}" if query else "")
    if len(normalized) > MAX_URL_LENGTH:
        raise refuse_url(f"It is longer than {MAX_URL_LENGTH} characters.")
    return normalized


def refuse_url(reason: str) -> Invalid:
    """Return the error of a URL that may not be fetched."""
    return Invalid("url.refused", f"This address cannot be fetched. {reason}")
