"""Parsers of settings: each takes a stripped, non-empty text and returns its value.

Each raises ValueError, whose text follows the name of the variable and tells what is expected, without the value.
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET_BYTES: Final = 32
# Public, since it is in the source; refused in production.
DEMO_SECRET: Final = b"invoice-portal: not a secret key"
_LOG_LEVELS: Final = ("debug", "info", "warning", "error")
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_QUEUE: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_LARGEST_PORT: Final = 65535
_REALTIME_URL: Final = re.compile(r"wss?://\{host\}(?::([0-9]{1,5}))?")
STARTTLS_POLICIES: Final = ("required", "optional", "never")
_MAX_SENDER_LENGTH: Final = 254  # RFC 5321, 4.5.3.1.3
_SENDER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def parse_postgres_url(text: str) -> str:
    """Return the url of a Postgres database."""
    if not _is_url(text, {"postgres", "postgresql"}):
        raise ValueError("must be a Postgres url: postgresql://user:password@host:5432/database")
    return text


def parse_redis_url(text: str) -> str:
    """Return the url of a Redis."""
    if not _is_url(text, {"redis", "rediss", "unix"}):
        raise ValueError("must be a Redis url: redis://host:6379/0, rediss://… or unix:///socket?db=0")
    return text


def parse_blobs_url(text: str) -> str:
    """Return the folder or the url of a store of blobs."""
    if "://" in text and text.partition("://")[0] not in {"file", "s3"}:
        raise ValueError("must be a folder, or the url of an S3 store: s3://bucket/prefix")
    return text


def parse_smtp_url(text: str) -> str:
    """Return the url of a mail server; see `kernel.mail.SmtpServer` for its parts."""
    message = (
        "must be the url of a mail server: smtp://user:password@host:587, smtps://host:465, or smtp://host"
        " with ?starttls=required, optional or never"
    )
    if not _is_url(text, {"smtp", "smtps"}):
        raise ValueError(message)
    parts = urlsplit(text)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    policy = options.pop("starttls", "")
    if not parts.hostname or parts.path not in {"", "/"} or options or policy not in {"", *STARTTLS_POLICIES}:
        raise ValueError(message)
    has_tls = parts.scheme == "smtps" or policy in {"", "required"} or is_loopback(parts.hostname)
    if parts.username and not has_tls:
        raise ValueError("would send its password without TLS: leave out ?starttls, or the password")
    return text


def parse_sender(text: str) -> str:
    """Return an e-mail address that mails are sent from."""
    if len(text) > _MAX_SENDER_LENGTH or not _SENDER.fullmatch(text):
        raise ValueError("must be an e-mail address alone, such as no-reply@example.com")
    return text


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_url(text: str, schemes: set[str]) -> bool:
    """Tell whether it is a url of one of the schemes with valid ports; Postgres accepts several hosts."""
    try:
        parts = urlsplit(text)
    except ValueError:
        # Its text may contain the password.
        return False
    hosts = parts.netloc.rpartition("@")[2].split(",")
    ports = [host.rpartition("]")[2].partition(":")[2] for host in hosts]
    return parts.scheme in schemes and all(not port or _is_port(port) for port in ports)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= _LARGEST_PORT


def parse_flag(text: str) -> bool:
    """Return true or false."""
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


def parse_keys(text: str) -> tuple[tuple[str, bytes], ...]:
    """Return (key id, 32 bytes) of each key, in the order written."""
    message = (
        "must be `id:key` separated by commas, the current one first; each key is 32 random bytes in"
        " base64url (make one with: openssl rand -base64 32 | tr '+/' '-_')"
    )
    keys: dict[str, bytes] = {}
    for part in text.split(","):
        key_id, separator, encoded = part.strip().partition(":")
        try:
            key = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except (binascii.Error, ValueError):
            raise ValueError(message) from None
        if not separator or not _KEY_ID.fullmatch(key_id) or len(key) != SECRET_BYTES:
            raise ValueError(message)
        if key_id in keys:
            raise ValueError(f"names the key {key_id} twice; give every key an id of its own")
        keys[key_id] = key
    return tuple(keys.items())


def parse_production_keys(text: str) -> tuple[tuple[str, bytes], ...]:
    """Return keys as `parse_keys` does; raises ValueError for well-known ones."""
    keys = parse_keys(text)
    if any(key == DEMO_SECRET or len(set(key)) == 1 for _, key in keys):
        raise ValueError("holds a well-known key; make one with: openssl rand -base64 32 | tr '+/' '-_'")
    return keys


def parse_domain(text: str) -> str:
    """Return a host name in lower case, without trailing dot."""
    name = text.lower().rstrip(".")
    labels = name.split(".")
    well_formed = all(
        label.replace("-", "").isalnum() and label.isascii() and label.strip("-") == label for label in labels
    )
    if not well_formed or labels[-1].isdigit():
        raise ValueError("must be a host name without scheme or port, such as pay.example.com")
    return name


def parse_host(text: str) -> str:
    """Return a host name of two labels at least, as `parse_domain` does."""
    name = parse_domain(text)
    if "." not in name:
        raise ValueError("must be a host name of two labels or more, such as console.example.com")
    return name


def parse_scheme(text: str) -> str:
    """Return http or https."""
    if text not in {"http", "https"}:
        raise ValueError("must be https, or http in the demo and test profiles")
    return text


def parse_https(text: str) -> str:
    """Return https, the only scheme outside demo and test."""
    if text != "https":
        raise ValueError("must be https: plain http is for the demo and test profiles only")
    return text


def parse_realtime_urls(text: str) -> tuple[str, ...]:
    """Return the addresses of hubs, each once. Their host is that of the page: a hub accepts no other."""
    urls = tuple(dict.fromkeys(part.strip().rstrip("/") for part in text.split(",") if part.strip()))
    found = [_REALTIME_URL.fullmatch(url) for url in urls]
    if not urls or not all(each and (each[1] is None or _is_port(each[1])) for each in found):
        raise ValueError(
            "must be addresses separated by commas, such as wss://{host} or ws://{host}:8011; {host} stands for the"
            " host of the page"
        )
    return urls


def parse_secure_realtime_urls(text: str) -> tuple[str, ...]:
    """Return addresses as `parse_realtime_urls` does; raises ValueError for one without TLS."""
    urls = parse_realtime_urls(text)
    if any(url.startswith("ws:") for url in urls):
        raise ValueError("must be wss:// addresses: a page that came over https may open no other socket")
    return urls


def parse_bind_address(text: str) -> str:
    """Return an address to listen on."""
    if any(character.isspace() or character in "/@" for character in text):
        raise ValueError("must be an address to listen on, such as 127.0.0.1, 0.0.0.0 or ::")
    return text


def whole_number_parser(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return a parser of whole numbers within bounds, both included."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and minimum <= int(text) <= maximum):
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(text)

    return parse


parse_port: Final = whole_number_parser(1, _LARGEST_PORT)


def parse_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return networks that are separated by commas."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("must be networks separated by commas, such as 10.0.0.0/8,fd00::/8") from None


def parse_queues(text: str) -> tuple[str, ...]:
    """Return the names of queues that are separated by commas, each once."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not all(_QUEUE.fullmatch(name) for name in names):
        raise ValueError("must be names of queues separated by commas, such as default,pdf")
    return names


def parse_log_level(text: str) -> str:
    """Return the name of a log level in lower case."""
    level = text.lower()
    if level not in _LOG_LEVELS:
        raise ValueError(f"must be one of {', '.join(_LOG_LEVELS)}")
    return level
