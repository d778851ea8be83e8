"""The surface to which Stripe delivers events: statuses only, no cookies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenants.connect.inbox.values import EventScope
from web.hooks.stripe import Deliveries, receive_account_event, receive_connect_event
from web.http.errors import render_status
from web.http.security import DATA_POLICY, build_security_headers
from web.http.surface import KIBIBYTE, Surface, build_application, build_limit, provide

if TYPE_CHECKING:
    from web.http.surface import Services

# Stripe delivers bursts of events from a few addresses; the signature check refuses all other requests.
_PER_MINUTE: Final = 6000


def create_app(services: Services) -> Surface:
    """Build the surface of webhooks; an error is a status without a body."""
    return Surface(
        name="hooks",
        host=services.settings.hooks_host,
        app=build_application(
            [receive_account_event, receive_connect_event],
            max_body_bytes=256 * KIBIBYTE,
            dependencies=provide(deliveries=_build_deliveries(services)),
            render_error=render_status,
        ),
        limit=build_limit(services, "hooks", _PER_MINUTE),
        unlimited_prefixes=(),
        headers=build_security_headers(services.settings, takes_payments=False),
        default_headers={"content-security-policy": DATA_POLICY, "cache-control": "no-store"},
        render_error=render_status,
    )


def _build_deliveries(services: Services) -> Deliveries:
    stripe = services.settings.stripe
    secrets: dict[EventScope, tuple[str, ...]] = {}
    if stripe is not None:
        secrets[EventScope.ACCOUNT] = stripe.account_webhook_secrets
        secrets[EventScope.CONNECT] = stripe.connect_webhook_secrets
    return Deliveries(
        services.database,
        services.clock,
        services.metrics,
        secrets,
        is_live=stripe is not None and stripe.is_live,
    )
