"""The API for integrators: JSON only, no cookies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Litestar

from web.http.context import GatewayRequest
from web.http.errors import Problems
from web.http.limits import RequestLimit
from web.http.security import DATA_POLICY, build_security_headers
from web.http.surface import KIBIBYTE, Surface, build_exception_handlers

if TYPE_CHECKING:
    from web.http.surface import Services


def create_app(services: Services) -> Surface:
    """Build the surface of integrators. It has no resources yet; every error is a problem document."""
    problems = Problems(services.settings)
    return Surface(
        name="api",
        host=services.settings.api_host,
        app=Litestar(
            [],
            request_class=GatewayRequest,
            request_max_body_size=1024 * KIBIBYTE,
            exception_handlers=build_exception_handlers(problems),
            openapi_config=None,
            logging_config=None,
        ),
        limit=RequestLimit(
            services.limiter,
            services.clock,
            services.access_log,
            services.settings.page_limit_per_minute,
            name="api",
        ),
        unlimited_prefixes=(),
        headers=build_security_headers(services.settings, takes_payments=False),
        default_headers={"content-security-policy": DATA_POLICY, "cache-control": "no-store"},
        render_error=problems,
    )
