"""The surface to which Stripe delivers events: statuses only, no cookies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from web.http.errors import render_status
from web.http.security import DATA_POLICY, build_security_headers
from web.http.surface import KIBIBYTE, Surface, build_application, build_limit

if TYPE_CHECKING:
    from web.http.surface import Services

# Stripe delivers bursts of events from a few addresses; the signature check will refuse all other requests.
_PER_MINUTE: Final = 6000


def create_app(services: Services) -> Surface:
    """Build the surface of webhooks. It has no endpoints yet; an error is a status without a body."""
    return Surface(
        name="hooks",
        host=services.settings.hooks_host,
        app=build_application([], max_body_bytes=256 * KIBIBYTE, render_error=render_status),
        limit=build_limit(services, "hooks", _PER_MINUTE),
        unlimited_prefixes=(),
        headers=build_security_headers(services.settings, takes_payments=False),
        default_headers={"content-security-policy": DATA_POLICY, "cache-control": "no-store"},
        render_error=render_status,
    )
