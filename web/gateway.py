"""The gateway: builds what the surfaces share and serves each host by its surface."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TextIO

import uvloop

from kernel.blobs import Blobs
from kernel.clock import SystemClock
from kernel.limits import Limiter
from kernel.live import Rooms
from kernel.process import Process, Shutdown, open_process
from kernel.seals import Sealer
from kernel.store.roles import APP
from kernel.telemetry.health import Check
from kernel.telemetry.logs import get_logger
from tenants import schema
from tenants.connect.client import StripeApi
from tenants.connect.processor import StripeProcessor
from tenants.invoices.document.fonts import load_fonts
from tenants.workspaces import queries
from web.api import app as api
from web.console import app as console
from web.hooks import app as hooks
from web.http.access_log import AccessLog
from web.http.assets import Assets
from web.http.bodies import DEADLINE_S
from web.http.forms import FormTokens
from web.http.hosts import HostCache
from web.http.middleware import GatewayMiddleware
from web.http.server import Server
from web.http.sessions import CookieJar
from web.http.surface import Services, Surface
from web.http.templates import Templates
from web.portal import app as portal

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send

    from kernel.clock import Clock
    from kernel.settings import Settings
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.workspaces.profile import ResolvedHost

# A page needs milliseconds of Postgres: one that does not answer in seconds is as good as away.
COMMAND_TIMEOUT_S: Final = 4.0
ACQUIRE_TIMEOUT_S: Final = 4.0

_RESTART_S: Final = 1.0

#: What each kind of host is served by.
SURFACES: Final = (portal.create_app, console.create_app, api.create_app, hooks.create_app)

_log: Final = get_logger("gateway")


class Gateway:
    """The ASGI application of all surfaces."""

    def __init__(self, services: Services, *, body_deadline_s: float) -> None:
        """Build the surfaces; a request's body has `body_deadline_s` seconds to arrive."""
        self.services = services
        self.surfaces: dict[str, Surface] = {
            surface.name: surface for surface in (create_app(services) for create_app in SURFACES)
        }

        async def resolve(host: str) -> ResolvedHost | None:
            return await queries.find_workspace_by_host(services.database, host)

        self._middleware = GatewayMiddleware(
            list(self.surfaces.values()),
            settings=services.settings,
            host_cache=HostCache(resolve, services.clock, count_lookup=services.access_log.count_host_lookup),
            access_log=services.access_log,
            body_deadline_s=body_deadline_s,
            cookie_jar=CookieJar(is_secure=services.settings.public_scheme == "https"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        await self._middleware(scope, receive, send)

    def warm(self) -> None:
        """Do what the first requests would wait for."""
        for surface in self.surfaces.values():
            surface.warm()

    def drain(self) -> None:
        """Let no request wait any longer."""
        for surface in self.surfaces.values():
            surface.drain()

    async def close(self) -> None:
        """End the background tasks of the surfaces, and the connections to Stripe."""
        for surface in self.surfaces.values():
            await surface.close()
        await self.services.rooms.close()
        if self.services.stripe_api is not None:
            await self.services.stripe_api.close()

    def count_refusal(self, status: int) -> None:
        """Count what the server refused before it was a request."""
        self.services.access_log.begin()
        self.services.access_log.finish("other", "unrouted", status, 0)


def create_gateway(
    settings: Settings,
    database: Database,
    *,
    clock: Clock,
    limiter: Limiter,
    metrics: Metrics,
    assets: Assets | None = None,
    blobs: Blobs | None = None,
    access_log: TextIO | None = None,
    body_deadline_s: float = DEADLINE_S,
) -> Gateway:
    """Build the gateway over open connections, which the caller closes.

    `assets` are those of web/static by default, `blobs` the store of the settings (Unavailable when its folder cannot
    be made), `access_log` is where access lines go instead of standard output,
    `body_deadline_s` the seconds that a request's body has to arrive.
    """
    assets = assets or Assets.load()
    sealer = Sealer(settings.secret_keys)
    stripe_api = StripeApi(settings.stripe) if settings.stripe is not None else None
    # Read now, not by the first page.
    load_fonts()
    return Gateway(
        Services(
            settings=settings,
            database=database,
            rooms=Rooms(database, metrics, redis_url=settings.redis_url, clock=clock),
            blobs=blobs or Blobs.open(settings.blobs_url),
            sealer=sealer,
            clock=clock,
            limiter=limiter,
            metrics=metrics,
            access_log=AccessLog(metrics, clock, level=settings.log_level, stream=access_log),
            assets=assets,
            templates=Templates(assets),
            forms=FormTokens(sealer, settings),
            stripe_api=stripe_api,
            processor=(StripeProcessor(stripe_api) if stripe_api is not None else None),
        ),
        body_deadline_s=body_deadline_s,
    )


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; a second signal cuts off the requests in flight.

    OSError when a port is taken, Unavailable without Postgres or blobs.
    """
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    process = open_process(
        "gateway",
        settings,
        role=APP,
        pool_size=settings.pool_size,
        migrations=schema.migrations(),
        command_timeout_s=COMMAND_TIMEOUT_S,
        acquire_timeout_s=ACQUIRE_TIMEOUT_S,
    )
    async with process as opened:
        limiter = Limiter(settings.redis_url)
        try:
            await _serve_surfaces(opened, limiter)
        finally:
            await limiter.close()


async def _serve_surfaces(process: Process, limiter: Limiter) -> None:
    settings = process.settings
    gateway = create_gateway(
        settings, process.database, clock=SystemClock(), limiter=limiter, metrics=process.metrics
    )
    gateway.warm()
    server = Server(gateway, settings)
    following = asyncio.create_task(_follow(gateway.services.rooms))
    process.health.add_check(Check("live", gateway.services.rooms.find_failure))
    process.health.add_check(Check("server", server.find_failure))
    process.mark_started()
    _log.info("serving", host=settings.host, port=settings.port)
    stopping = asyncio.create_task(_stop(server, process.shutdown))
    try:
        await server.serve()
    finally:
        stopping.cancel()
        following.cancel()
        await asyncio.wait([following])
        await gateway.close()


async def _follow(rooms: Rooms) -> None:
    """Run the rooms, again after an error: a gateway that hears nothing would let polls fall behind.

    Pages go on, and meanwhile the process is not ready.
    """
    while True:
        try:
            await rooms.run()
        except Exception as error:  # noqa: BLE001  -- there is no caller to catch it
            _log.error("rooms ended", exc_info=error)
        await asyncio.sleep(_RESTART_S)


async def _stop(server: Server, shutdown: Shutdown) -> None:
    await shutdown.requested.wait()
    server.should_exit = True
    await shutdown.forced.wait()
    server.abort()
