"""The API for integrators: JSON only, no cookies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web.http.errors import Problems
from web.http.security import DATA_POLICY, build_security_headers
from web.http.surface import KIBIBYTE, Surface, build_application, build_limit

if TYPE_CHECKING:
    from web.http.surface import Services


def create_app(services: Services) -> Surface:
    """Build the surface of integrators. It has no resources yet; every error is a problem document."""
    problems = Problems(services.settings)
    return Surface(
        name="api",
        host=services.settings.api_host,
        app=build_application([], max_body_bytes=1024 * KIBIBYTE, render_error=problems),
        limit=build_limit(services, "api", services.settings.page_limit_per_minute),
        unlimited_prefixes=(),
        headers=build_security_headers(services.settings, takes_payments=False),
        default_headers={"content-security-policy": DATA_POLICY, "cache-control": "no-store"},
        render_error=problems,
    )
