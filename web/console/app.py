"""The console: where members of workspaces work."""

from __future__ import annotations

from typing import Final

from litestar import Litestar

from web.http.assets import serve_asset
from web.http.context import GatewayRequest
from web.http.errors import TEXTS, ErrorPages, ErrorText, Problems
from web.http.limits import RequestLimit
from web.http.security import STATIC_POLICY, build_security_headers
from web.http.surface import KIBIBYTE, Services, Surface, build_exception_handlers, provide
from web.http.templates import mark_text as _

_TEXTS: Final = {
    **TEXTS,
    404: ErrorText("not_found", _("Page not found"), _("There is no such page in the console.")),
}


def create_app(services: Services) -> Surface:
    """Build the surface of members. It has no pages yet; those that change something will need `forms.make_guard()`."""
    render_error = ErrorPages(services.templates, Problems(services.settings, _TEXTS))
    return Surface(
        name="console",
        host=services.settings.console_host,
        app=Litestar(
            [serve_asset],
            request_class=GatewayRequest,
            request_max_body_size=64 * KIBIBYTE,
            dependencies=provide(assets=services.assets),
            exception_handlers=build_exception_handlers(render_error),
            openapi_config=None,
            logging_config=None,
        ),
        limit=RequestLimit(
            services.limiter,
            services.clock,
            services.access_log,
            services.settings.page_limit_per_minute,
            name="console",
        ),
        unlimited_prefixes=(),
        headers=build_security_headers(services.settings, takes_payments=False),
        default_headers={"content-security-policy": STATIC_POLICY, "cache-control": "no-store"},
        render_error=render_error,
    )
