"""Puts the gateway together: the routed application, and the edge around it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Final, TextIO

import uvloop
from litestar import Litestar, Request, Response
from litestar.datastructures import State

from kernel.blobs import Blobs
from kernel.clock import SystemClock
from kernel.limits import Limiter
from kernel.seals import Sealer
from kernel.store import Database
from kernel.store.readiness import schema_check
from kernel.store.roles import APP
from kernel.telemetry import internal_server, logs
from kernel.telemetry.health import Health, Probe
from kernel.telemetry.metrics import Metrics
from tenants import schema
from tenants.invoices.document.fonts import built_fonts
from tenants.workspaces import queries
from web.http import probes, static
from web.http.access_log import Traffic
from web.http.answer import Answer
from web.http.assets import Assets
from web.http.context import visit_of
from web.http.deps import House, house_of
from web.http.errors import Refusals
from web.http.hosts import HostCache
from web.http.limits import MissLimit, PageLimit
from web.http.middleware import Edge, report
from web.http.server import Server
from web.http.templates import Templates
from web.portal import routes
from web.portal.brand_images import BrandImages
from web.portal.invoice_page import InvoicePages
from web.portal.links import Links
from web.portal.pdf import InvoicePdfs
from web.portal.pdf_waiter import Waits
from web.portal.sample import warm
from web.portal.view_recorder import ViewRecorder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.types import ControllerRouterHandler

    from kernel.clock import Clock
    from kernel.settings import Settings
    from tenants.workspaces.profile import ResolvedHost

# A page needs milliseconds of Postgres: one that does not answer in seconds is as good as away.
COMMAND_TIMEOUT_S: Final = 4.0
PATIENCE_S: Final = 4.0

ROUTES: Final[tuple[ControllerRouterHandler, ...]] = (
    probes.robots,
    static.asset,
    routes.invoice_page,
    routes.invoice_data,
    routes.invoice_pdf,
    routes.brand_image,
)


class Gateway:
    """One gateway: `edge` is the ASGI application to serve, `routed` the one within that has the routes."""

    def __init__(self, edge: Edge, routed: Litestar, house: House) -> None:
        """Keep the parts that others ask for."""
        self.edge = edge
        self.routed = routed
        self.house = house

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one ASGI connection."""
        await self.edge(scope, receive, send)

    def drain(self) -> None:
        """Report "not ready" and let no request wait any longer."""
        self.house.health.drain()
        self.house.pdfs.drain()

    def count_refusal(self, status: int) -> None:
        """Count what the server refused before it was a request."""
        self.edge.turned_away(status)


def create_app(
    settings: Settings,
    database: Database,
    *,
    clock: Clock,
    limiter: Limiter,
    metrics: Metrics,
    assets: Assets | None = None,
    blobs: Blobs | None = None,
    routes_beside: Sequence[ControllerRouterHandler] = (),
    access_log: TextIO | None = None,
) -> Gateway:
    """Build the gateway over open connections; whoever opened them closes them.

    `assets` are those of web/static by default, `blobs` the store of the settings (Unavailable when its folder cannot
    be made; nothing of it stays open), `routes_beside` are added to the product's own, `access_log`
    is where access lines go instead of standard output.
    """
    traffic = Traffic(metrics, clock, level=settings.log_level, stream=access_log)
    templates = Templates(assets := assets or Assets.load())
    # Read now, not by the first page.
    built_fonts()
    refusals = Refusals(templates)
    looks = ViewRecorder(database, clock, metrics)
    links = Links(
        database=database,
        sealer=Sealer(settings.secret_keys),
        metrics=metrics,
        misses=MissLimit(limiter, clock, traffic),
    )
    invoices = InvoicePages(links=links, clock=clock, templates=templates, metrics=metrics, looks=looks)
    blobs = blobs or Blobs.open(settings.blobs_url)
    pdfs = InvoicePdfs(
        links=links,
        blobs=blobs,
        waits=Waits(database, blobs, metrics),
        templates=templates,
        refusals=refusals,
        metrics=metrics,
    )
    health = Health([schema_check(database, schema.version())])
    images = BrandImages(database, MissLimit(limiter, clock, traffic, of="image"))
    house = House(database, assets, health, refusals, invoices, pdfs, images, looks)
    metrics.watch_pool(lambda: database.in_use, lambda: database.size, lambda: database.waiting)

    async def resolve(host: str) -> ResolvedHost | None:
        return await queries.workspace_by_host(database, host)

    routed = Litestar(
        [*ROUTES, *routes_beside],
        exception_handlers={Exception: _refused},
        openapi_config=None,
        logging_config=None,
        state=State({"house": house}),
    )
    edge = Edge(
        routed,
        settings=settings,
        host_cache=HostCache(resolve, clock, counted=traffic.host_lookup),
        page_limit=PageLimit(limiter, clock, traffic, settings.page_limit_per_minute),
        host_misses=MissLimit(limiter, clock, traffic, of="host"),
        refusals=refusals,
        traffic=traffic,
    )
    return Gateway(edge, routed, house)


class _Refusal(Response[Answer]):
    """An answer as the framework's exception handlers return one."""

    def to_asgi_response(self, *_args: Any, **_kwargs: Any) -> Any:
        """Return the answer itself: it is an application."""
        return self.content


def _refused(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    scope: Any = request.scope
    visit = visit_of(scope)
    as_json = str(scope.get("path_template", "")).endswith(".json")
    answer = house_of(scope).refusals.of(error, visit.headers, visit.request_id, as_json=as_json)
    report(error, answer.status)
    return _Refusal(answer)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. OSError when a port is taken, Unavailable without Postgres or blobs."""
    logs.configure(level=settings.log_level, process="gateway")
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    log = logs.logger("gateway.serve")
    for warning in settings.warnings:
        log.warning("setting", text=warning)
    metrics = Metrics()
    database = await Database.open(
        settings.database_url,
        size=settings.pool_size,
        name="portal gateway",
        prepared=settings.database_prepared,
        command_timeout_s=COMMAND_TIMEOUT_S,
        patience_s=PATIENCE_S,
    )
    limiter = Limiter(settings.redis_url)
    try:
        await database.require_role(APP)
        gateway = create_app(settings, database, clock=SystemClock(), limiter=limiter, metrics=metrics)
        warm(gateway.house.invoices)
        server, health = Server(gateway, settings), gateway.house.health
        health.add(Probe("server", server.find_failure))
        # Uvicorn raises the signal that ended it once more: by default that would kill us before the end.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        serving = internal_server.serve(
            metrics.registry, health, settings.metrics_host, settings.metrics_port
        )
        async with serving as metrics_port:
            log.info("starting", host=settings.host, port=settings.port, metrics_port=metrics_port)
            try:
                await server.serve()
            finally:
                await gateway.house.looks.close()
        log.info("stopped")
    finally:
        await limiter.close()
        await database.close()
