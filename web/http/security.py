"""The headers that every answer carries, and the content security policy of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kernel.ids import nonce

if TYPE_CHECKING:
    from kernel.settings import Settings

Header = tuple[bytes, bytes]

# Two years, as the preload list wants it. Subdomains are left alone: the domain may be the customer's own.
_HSTS: Final = (b"strict-transport-security", b"max-age=63072000")
_ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    # A bank's or wallet's pop-up must be able to report back, hence not plain same-origin.
    (b"cross-origin-opener-policy", b"same-origin-allow-popups"),
    (
        b"permissions-policy",
        b'payment=(self "https://js.stripe.com"), camera=(), microphone=(), geolocation=(), usb=()',
    ),
    (b"x-robots-tag", b"noindex"),
)
_CLOSING: Final = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

# What has no script and no inline style: error pages, and everything that is not a page at all.
STILL_POLICY: Final[Header] = (
    b"content-security-policy",
    f"default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; {_CLOSING}".encode(),
)

# A PDF names nothing that is to be fetched. Neither `sandbox` nor a forbidden plug-in: the viewers that browsers
# bring are both to it.
PDF_POLICY: Final[Header] = (
    b"content-security-policy",
    f"default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; {_CLOSING}".encode(),
)


def always(settings: Settings) -> tuple[Header, ...]:
    """Return the headers of every answer; HSTS only where the portal is served over https."""
    return (_HSTS, *_ALWAYS) if settings.public_scheme == "https" else _ALWAYS


def new_nonce() -> str:
    """Return 128 random bits for one response, in base64url (CSP level 3, 8.1)."""
    return nonce()


def page_policy(fresh: str) -> Header:
    """Return the policy of a page whose own scripts and <style> elements carry the nonce `fresh`.

    What they import inherits the nonce; a worker cannot carry one, and pdf.js has its own from this host.
    """
    return (
        b"content-security-policy",
        f"default-src 'none'; script-src 'nonce-{fresh}'; style-src 'self' 'nonce-{fresh}'; "
        f"worker-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; {_CLOSING}".encode(),
    )
