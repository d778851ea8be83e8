"""The console: where members of workspaces work."""

from __future__ import annotations

from typing import Final

from web.console.connect import ConnectPages, show_expired, show_return
from web.http.assets import serve_asset
from web.http.errors import TEXTS, ErrorPages, ErrorText, Problems
from web.http.security import STATIC_POLICY, build_security_headers
from web.http.surface import KIBIBYTE, Services, Surface, build_application, build_limit, provide
from web.http.templates import mark_text as _

_TEXTS: Final = {
    **TEXTS,
    404: ErrorText("not_found", _("Page not found"), _("There is no such page in the console.")),
}


def create_app(services: Services) -> Surface:
    """Build the surface of members. Pages that change something by a form will need `forms.make_guard()`."""
    render_error = ErrorPages(services.templates, Problems(services.settings, _TEXTS))
    return Surface(
        name="console",
        host=services.settings.console_host,
        app=build_application(
            [serve_asset, show_return, show_expired],
            max_body_bytes=64 * KIBIBYTE,
            dependencies=provide(
                assets=services.assets,
                connect_pages=ConnectPages(
                    services.database,
                    services.stripe_api,
                    sealer=services.sealer,
                    clock=services.clock,
                    templates=services.templates,
                ),
            ),
            render_error=render_error,
        ),
        limit=build_limit(services, "console", services.settings.page_limit_per_minute),
        unlimited_prefixes=(),
        headers=build_security_headers(services.settings, takes_payments=False),
        default_headers={"content-security-policy": STATIC_POLICY, "cache-control": "no-store"},
        render_error=render_error,
    )
