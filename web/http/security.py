"""The headers that every response carries, and content security policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kernel.settings import Settings

RawHeaders = tuple[tuple[bytes, bytes], ...]

# Two years, as the preload list requires. Without includeSubDomains: a workspace may use its own domain, and other
# sites below it.
_HSTS: Final = {"strict-transport-security": "max-age=63072000"}
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-robots-tag": "noindex",
}
# The pop-up of a bank or wallet must be able to report back, so `same-origin` is too strict.
_PAYMENT: Final = {
    "cross-origin-opener-policy": "same-origin-allow-popups",
    "permissions-policy": 'payment=(self "https://js.stripe.com"), camera=(), microphone=(), geolocation=(), usb=()',
}
_NO_PAYMENT: Final = {
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "payment=(), camera=(), microphone=(), geolocation=(), usb=()",
}
_PAGE_DIRECTIVES: Final = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

# Pages without script and inline style: error pages.
STATIC_POLICY: Final = (
    f"default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; {_PAGE_DIRECTIVES}"
)
# Responses that are not pages.
DATA_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# A PDF loads nothing. The policy has no `sandbox` and allows objects of this host, because the PDF viewers of some
# browsers count as plug-ins and would not run.
PDF_POLICY: Final = f"default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; {_PAGE_DIRECTIVES}"


def build_security_headers(settings: Settings, *, takes_payments: bool) -> dict[str, str]:
    """Return the headers of every response of a surface; HSTS only where the portal is served over https."""
    https = _HSTS if settings.public_scheme == "https" else {}
    return {**https, **_HEADERS, **(_PAYMENT if takes_payments else _NO_PAYMENT)}


def encode_headers(headers: Mapping[str, str]) -> RawHeaders:
    """Return headers as ASGI has them: pairs of bytes."""
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())


def build_page_policy(nonce: str, connect_sources: str = "") -> str:
    """Return the policy of a page whose own scripts and <style> elements carry `nonce`.

    `connect_sources` are the addresses beside its own host that its scripts may connect to, separated by blanks.
    Imported modules inherit the nonce. A worker cannot carry one: that of pdf.js is allowed by its host.
    """
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
        f"worker-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'"
        f"{' ' + connect_sources if connect_sources else ''}; {_PAGE_DIRECTIVES}"
    )
