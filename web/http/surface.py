"""A surface: everything that one kind of client sees on one kind of host, with all its policies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from litestar import Litestar
from litestar.di import Provide

from web.http.bodies import ClientDisconnected
from web.http.context import GatewayRequest
from web.http.errors import render_nothing
from web.http.limits import RequestLimit
from web.http.security import encode_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from litestar import Response
    from litestar.types import ControllerRouterHandler

    from kernel.blobs import Blobs
    from kernel.clock import Clock
    from kernel.limits import Limiter
    from kernel.live import Rooms
    from kernel.seals import Sealer
    from kernel.settings import Settings
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.connect.client import StripeApi
    from tenants.payments.processor import PaymentProcessor
    from web.http.access_log import AccessLog
    from web.http.assets import Assets
    from web.http.errors import ErrorRenderer
    from web.http.forms import FormTokens
    from web.http.security import RawHeaders
    from web.http.templates import Templates

KIBIBYTE: Final = 1024


@dataclass(frozen=True, slots=True)
class Services:
    """What the surfaces share; the gateway builds it once."""

    settings: Settings
    database: Database
    rooms: Rooms
    """The realtime logs that somebody follows here; the process runs it."""
    blobs: Blobs
    sealer: Sealer
    clock: Clock
    limiter: Limiter
    metrics: Metrics
    access_log: AccessLog
    assets: Assets
    templates: Templates
    forms: FormTokens
    stripe_api: StripeApi | None
    """None without a key of Stripe: then nothing is paid by card."""
    processor: PaymentProcessor | None


def _do_nothing() -> None:
    """Do nothing: the surface has nothing to warm or drain."""


async def _close_nothing() -> None:
    """Do nothing: the surface has no background tasks."""


@dataclass(frozen=True, slots=True)
class PathLimit:
    """The limit of some paths, counted apart from the others."""

    pattern: re.Pattern[str]
    limit: RequestLimit


@dataclass(frozen=True)
class Surface:
    """One Litestar application and what the middleware needs to know of it."""

    name: str
    app: Litestar
    host: str | None
    """The one host that it answers on; None: every portal domain of a workspace."""
    limit: RequestLimit
    """How many requests a minute one address may make."""
    unlimited_prefixes: tuple[str, ...]
    """Paths that are not counted."""
    headers: Mapping[str, str]
    """Sent with every response."""
    default_headers: Mapping[str, str]
    """Sent with responses that do not set them: content security policy, cache."""
    render_error: ErrorRenderer
    path_limits: tuple[PathLimit, ...] = ()
    """Paths that are counted apart; the first that matches."""
    warm: Callable[[], None] = _do_nothing
    """Loads what the first request would wait for; a template that cannot be rendered stops the start."""
    drain: Callable[[], None] = _do_nothing
    """Ends the waiting of requests; called when the process begins to stop."""
    close: Callable[[], Awaitable[None]] = _close_nothing
    """Ends background tasks, after the last request."""

    def find_limit(self, path: str) -> RequestLimit | None:
        """Return the limit that the requests for a path count against; None: they are not counted."""
        if path.startswith(self.unlimited_prefixes):
            return None
        return next((each.limit for each in self.path_limits if each.pattern.fullmatch(path)), self.limit)

    @cached_property
    def encoded_headers(self) -> RawHeaders:
        """`headers` as ASGI has them."""
        return encode_headers(self.headers)

    @cached_property
    def encoded_default_headers(self) -> RawHeaders:
        """`default_headers` as ASGI has them."""
        return encode_headers(self.default_headers)


def build_exception_handlers(
    render_error: ErrorRenderer,
) -> dict[int | type[Exception], Callable[[Any, Any], Response[Any]]]:
    """Return the exception handlers of a surface's application."""
    return {ClientDisconnected: render_nothing, Exception: render_error}


def build_application(
    handlers: Sequence[ControllerRouterHandler],
    *,
    max_body_bytes: int,
    render_error: ErrorRenderer,
    dependencies: Mapping[str, Provide] | None = None,
) -> Litestar:
    """Return the application of a surface, without Litestar's own OpenAPI pages and logging."""
    return Litestar(
        handlers,
        request_class=GatewayRequest,
        request_max_body_size=max_body_bytes,
        dependencies=dependencies,
        exception_handlers=build_exception_handlers(render_error),
        openapi_config=None,
        logging_config=None,
    )


def build_limit(services: Services, name: str, per_minute: int) -> RequestLimit:
    """Return the limit of requests a minute and address; surfaces are counted apart by name."""
    return RequestLimit(services.limiter, services.clock, services.access_log, per_minute, name=name)


def provide(**values: object) -> dict[str, Provide]:
    """Return dependencies that are the same object for every request."""

    def make(value: object) -> Provide:
        return Provide(lambda: value, use_cache=True, sync_to_thread=False)

    return {name: make(value) for name, value in values.items()}
