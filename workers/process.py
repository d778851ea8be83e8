"""What every process of `workers` has: logs, metrics, probes, two kinds of SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kernel.store import Database
from kernel.store.readiness import schema_check
from kernel.store.roles import SVC
from kernel.telemetry import internal_server, logs
from kernel.telemetry.health import Health
from kernel.telemetry.metrics import Metrics
from tenants import schema

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kernel.settings import Settings


@dataclass(slots=True)
class Signals:
    """The first SIGTERM or SIGINT asks for an orderly end, the second for an immediate one."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    now: asyncio.Event = field(default_factory=asyncio.Event)

    def caught(self) -> None:
        """Take one signal."""
        (self.now if self.stop.is_set() else self.stop).set()

    async def pause(self, seconds: float) -> bool:
        """Wait; returns early, with True, when it is time to end."""
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Process:
    """A running process: its database, its series and its signals."""

    settings: Settings
    database: Database
    metrics: Metrics
    signals: Signals
    health: Health


@asynccontextmanager
async def running(name: str, settings: Settings, *, role: str, size: int) -> AsyncIterator[Process]:
    """Open what a process needs and close it again; OSError when a port is taken, Unavailable without Postgres.

    `role` is the database's: portal_app or portal_svc; another one is refused with Invalid("store.wrong_role").
    Metrics and probes are served on the internal port, PORTAL_METRICS_HOST and PORTAL_METRICS_PORT.
    """
    logs.configure(level=settings.log_level, process=name)
    log = logs.logger(f"workers.{name}")
    for warning in settings.warnings:
        log.warning("setting", text=warning)
    database_url = settings.svc_url() if role == SVC else settings.database_url
    metrics, signals = Metrics(), Signals()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.caught)
    database = await Database.open(
        database_url, size=size, name=f"portal {name}", prepared=settings.database_prepared
    )
    try:
        await database.require_role(role)
        metrics.watch_pool(lambda: database.in_use, lambda: database.size, lambda: database.waiting)
        health = Health([schema_check(database, schema.migrations())])
        serving = internal_server.serve(
            metrics.registry, health, settings.metrics_host, settings.metrics_port
        )
        async with serving as port:
            log.info("starting", metrics_port=port)
            yield Process(settings, database, metrics, signals, health)
        log.info("stopped")
    finally:
        await database.close()
