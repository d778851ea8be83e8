"""Runs the gateway as a process: connections, metrics port, server, and an orderly end."""

from __future__ import annotations

import asyncio
import signal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvicorn
import uvloop

from kernel.clock import SystemClock
from kernel.limits import Limiter
from kernel.store import Database
from kernel.store.roles import APP
from kernel.telemetry import logs
from kernel.telemetry.metrics import Metrics
from kernel.telemetry.metrics import serve as serve_metrics
from web.gateway.app import create_app
from web.gateway.protocol import BOUNDS, Bounds, Doorkeeper
from web.gateway.security import STILL_POLICY, always
from web.portal.sample import warm

if TYPE_CHECKING:
    import socket

    from kernel.settings import Settings
    from web.gateway.app import Gateway

# Kubernetes gives 30 s from SIGTERM to SIGKILL; what is not finished by then is cut off anyway.
GRACE_S: Final = 20
KEEP_ALIVE_S: Final = 75
BACKLOG: Final = 2048
# A page needs milliseconds of Postgres: one that does not answer in seconds is as good as away.
COMMAND_TIMEOUT_S: Final = 4.0
PATIENCE_S: Final = 4.0


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. OSError when a port is taken, Unavailable without Postgres or blobs."""
    logs.configure(level=settings.log_level, process="gateway")
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    log = logs.logger("gateway.serve")
    for warning in settings.warnings:
        log.warning("setting", text=warning)
    metrics = Metrics()
    exporter = serve_metrics(metrics.registry, settings.metrics_host, settings.metrics_port)
    database = await Database.open(
        settings.database_url,
        size=settings.pool_size,
        name="portal gateway",
        prepared=settings.database_prepared,
    )
    limiter = Limiter(settings.redis_url)
    try:
        await database.require_role(APP)
        gateway = create_app(settings, database, clock=SystemClock(), limiter=limiter, metrics=metrics)
        warm(gateway.house.invoices)
        log.info("starting", host=settings.host, port=settings.port, metrics_port=exporter.port)
        # Uvicorn raises the signal that ended it once more: by default that would kill us before the end.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        try:
            await Server(gateway, settings).serve()
        finally:
            await gateway.house.looks.close()
        log.info("stopped")
    finally:
        await limiter.close()
        await database.close()
        await asyncio.to_thread(exporter.close)


class Server(uvicorn.Server):
    """Uvicorn that says "not ready" from the first signal on, so that no more work is sent here."""

    def __init__(self, gateway: Gateway, settings: Settings, *, bounds: Bounds = BOUNDS) -> None:
        """Serve `gateway` where the settings say."""
        super().__init__(configuration(gateway, settings, bounds))
        self._gateway = gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is being answered, then end."""
        self._gateway.house.health.drain()
        self._gateway.house.pdfs.drain()
        await super().shutdown(sockets)


def configuration(gateway: Gateway, settings: Settings, bounds: Bounds) -> uvicorn.Config:
    """Return how the gateway is served: its own log lines and headers, nothing of the server's."""
    doorkeeper: Any = partial(
        Doorkeeper,
        bounds=bounds,
        always=(*always(settings), STILL_POLICY),
        refused=gateway.edge.turned_away,
    )
    return uvicorn.Config(
        gateway,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=doorkeeper,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # The edge reads these headers itself, and only from the networks it was told to trust.
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
