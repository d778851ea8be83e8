"""Portal domains: which hosts can be one, and the states of a domain."""

from __future__ import annotations

import re
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import idna

from kernel.errors import Conflict, Invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MAX_HOST_LENGTH: Final = 253  # RFC 1035, 2.3.4, without the trailing dot
#: For so long after its release no other workspace can verify a host.
RESERVATION_DAYS: Final = 30

# Labels beneath the base domain that the portal uses, that mail servers and certificate authorities trust, or with
# which a workspace could pose as the portal.
RESERVED_LABELS: Final = frozenset(
    {
        "abuse", "account", "accounts", "admin", "administrator", "api", "app", "apps", "assets", "auth",
        "autoconfig", "autodiscover", "billing", "blog", "brand", "cdn", "console", "dashboard", "demo", "dev",
        "dns", "docs", "email", "example", "files", "ftp", "healthz", "help", "hooks", "host",
        "hostmaster", "hub", "imap", "info", "internal", "invalid", "invoice", "invoices", "kubernetes",
        "localhost", "login", "logout", "mail", "mailbox", "media", "metrics", "mta-sts", "mx", "news", "noreply",
        "ns", "ns1", "ns2", "oauth", "ops", "pay", "payment", "payments", "pop", "pop3", "portal",
        "postmaster", "press", "private", "public", "readyz", "root", "sandbox", "secure", "security",
        "server", "settings", "smtp", "ssl", "sso", "staging", "static", "status", "stripe", "support",
        "system", "test", "tls", "webhook", "webhooks", "webmaster", "webmail", "wpad", "www", "www1", "www2",
    }
)  # fmt: skip

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# A name whose last label is a number is parsed as an IPv4 address (URL standard).
_NUMERIC_LABEL: Final = re.compile(r"\d+|0x[0-9a-f]*")


class DomainState(StrEnum):
    """The state of a domain; only active and degraded ones are served."""

    CLAIMED = "claimed"
    VERIFIED = "verified"
    ISSUING = "issuing"
    ACTIVE = "active"
    DEGRADED = "degraded"
    RELEASED = "released"


SERVED: Final = frozenset({DomainState.ACTIVE, DomainState.DEGRADED})

# Degraded: the daily check no longer finds the DNS records. Active without issuing: another system issues the
# certificates.
TRANSITIONS: Final[Mapping[DomainState, frozenset[DomainState]]] = MappingProxyType(
    {
        DomainState.CLAIMED: frozenset({DomainState.VERIFIED}),
        DomainState.VERIFIED: frozenset({DomainState.ISSUING, DomainState.ACTIVE, DomainState.RELEASED}),
        DomainState.ISSUING: frozenset({DomainState.ACTIVE, DomainState.DEGRADED, DomainState.RELEASED}),
        DomainState.ACTIVE: frozenset({DomainState.DEGRADED, DomainState.RELEASED}),
        DomainState.DEGRADED: frozenset({DomainState.ACTIVE, DomainState.RELEASED}),
        DomainState.RELEASED: frozenset({DomainState.CLAIMED}),
    }
)


def check_transition(current: DomainState, wanted: DomainState) -> DomainState:
    """Return the wanted state; Conflict("domain.state") if TRANSITIONS does not have it."""
    if wanted not in TRANSITIONS[current]:
        message = f"A domain that is {current.value} cannot become {wanted.value}."
        raise Conflict("domain.state", message, current=current.value, wanted=wanted.value)
    return wanted


def parse_host(text: str) -> str:
    """Return a host name in lower case, as A-labels, without trailing dot (RFC 5891, UTS 46).

    Invalid("domain.name") for ports, addresses, single labels and anything else that is not a name.
    """
    name = text.strip().lower().removesuffix(".")
    try:
        name = name if name.isascii() else idna.encode(name, uts46=True).decode()
    except UnicodeError:  # idna's own error is one
        raise _invalid_name(text) from None
    labels = name.split(".")
    is_valid_length = len(name) <= MAX_HOST_LENGTH and len(labels) > 1
    if (
        not is_valid_length
        or not all(_LABEL.fullmatch(label) for label in labels)
        or _NUMERIC_LABEL.fullmatch(labels[-1])
    ):
        raise _invalid_name(text)
    return name


def check_slug(slug: str) -> str:
    """Return the slug; Invalid("workspace.slug" | "workspace.slug_reserved") if it cannot be a host's label."""
    if not _LABEL.fullmatch(slug) or slug[2:4] == "--":
        message = "A slug has up to 63 lower-case letters, digits and hyphens, none at either end."
        raise Invalid("workspace.slug", message, slug=slug[:80])
    if slug in RESERVED_LABELS:
        raise Invalid("workspace.slug_reserved", f"{slug} is a reserved name.", slug=slug)
    return slug


def check_custom_host(host: str, base_domain: str, reserved_hosts: Collection[str]) -> str:
    """Return the host; Invalid("domain.reserved") if it is one of the portal's own or lies beneath one.

    The portal's own are the base domain and `reserved_hosts`, which may lie elsewhere.
    """
    for own in (base_domain, *reserved_hosts):
        if host == own or host.endswith(f".{own}"):
            message = f"{own} and all names beneath it belong to the portal; they cannot be claimed."
            raise Invalid("domain.reserved", message, host=host)
    return host


def check_workspace_host(slug: str, base_domain: str, reserved_hosts: Collection[str]) -> str:
    """Return the host of a slug; Invalid("workspace.slug_reserved") if it is one of the reserved hosts."""
    host = f"{slug}.{base_domain}"
    if host in reserved_hosts:
        raise Invalid("workspace.slug_reserved", f"{slug} is a reserved name.", slug=slug)
    return host


def _invalid_name(text: str) -> Invalid:
    shown = text[:80]
    return Invalid("domain.name", f"{shown!r} is not a domain name such as billing.example.com.", host=shown)
