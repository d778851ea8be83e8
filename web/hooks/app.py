"""The surface to which Stripe delivers events: statuses only, no cookies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from litestar import Litestar

from web.http.context import GatewayRequest
from web.http.errors import render_status
from web.http.limits import RequestLimit
from web.http.security import DATA_POLICY, build_security_headers
from web.http.surface import KIBIBYTE, Surface, build_exception_handlers

if TYPE_CHECKING:
    from web.http.surface import Services

# Stripe delivers bursts of events from a few addresses; the signature check will refuse all other requests.
_PER_MINUTE: Final = 6000


def create_app(services: Services) -> Surface:
    """Build the surface of webhooks. It has no endpoints yet; an error is a status without a body."""
    return Surface(
        name="hooks",
        host=services.settings.hooks_host,
        app=Litestar(
            [],
            request_class=GatewayRequest,
            request_max_body_size=256 * KIBIBYTE,
            exception_handlers=build_exception_handlers(render_status),
            openapi_config=None,
            logging_config=None,
        ),
        limit=RequestLimit(
            services.limiter,
            services.clock,
            services.access_log,
            _PER_MINUTE,
            name="hooks",
        ),
        unlimited_prefixes=(),
        headers=build_security_headers(services.settings, takes_payments=False),
        default_headers={"content-security-policy": DATA_POLICY, "cache-control": "no-store"},
        render_error=render_status,
    )
