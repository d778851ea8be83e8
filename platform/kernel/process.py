"""Start and end of a process: logs, signals, database, probes and metrics, the same for all of them."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kernel.store import Database
from kernel.store.pool import ACQUIRE_TIMEOUT_S, COMMAND_TIMEOUT_S
from kernel.store.readiness import schema_check
from kernel.store.roles import SVC
from kernel.telemetry import internal_server, logs
from kernel.telemetry.health import Check, Health
from kernel.telemetry.metrics import Metrics
from kernel.wakeup import Publisher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from kernel.settings import Settings
    from kernel.store.migrations import Migration

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_log: Final = logs.get_logger("process")


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Requests to stop: the first for an orderly end, the second for an immediate one."""

    requested: asyncio.Event = field(default_factory=asyncio.Event)
    forced: asyncio.Event = field(default_factory=asyncio.Event)

    def request(self) -> None:
        """Request the end."""
        (self.forced if self.requested.is_set() else self.requested).set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the first request; False when there was none within `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.requested.wait()
        except TimeoutError:
            return False
        return True


@dataclass(slots=True)
class Process:
    """A running process."""

    settings: Settings
    database: Database
    metrics: Metrics
    health: Health
    shutdown: Shutdown
    publisher: Publisher
    """Sends what units of work publish after their commit."""
    is_started: bool = False

    def mark_started(self) -> None:
        """Report "ready" from now on, if the other checks pass."""
        self.is_started = True


@asynccontextmanager
async def open_process(
    name: str,
    settings: Settings,
    *,
    role: str,
    pool_size: int,
    migrations: Sequence[Migration],
    acquire_timeout_s: float = ACQUIRE_TIMEOUT_S,
    command_timeout_s: float = COMMAND_TIMEOUT_S,
) -> AsyncIterator[Process]:
    """Open what every process needs, and close it at the end; to be called in the main thread.

    `role` is the database's, portal_app or portal_svc; another one is refused with Invalid("store.wrong_role").
    `migrations` are those that this release needs, in order. The internal port serves metrics and probes. It
    reports "not ready" until `mark_started`, and again from the first SIGTERM or SIGINT.
    OSError when the internal port is in use, Unavailable without Postgres.
    """
    logs.configure(level=settings.log_level, process=name)
    for warning in settings.warnings:
        _log.warning("settings warning", text=warning)
    metrics, health, shutdown = Metrics(), Health([]), Shutdown()
    publisher = Publisher(settings.redis_url)

    def handle_signal() -> None:
        health.drain()
        shutdown.request()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, handle_signal)
    try:
        database = await Database.open(
            settings.require_svc_url() if role == SVC else settings.database_url,
            size=pool_size,
            name=f"portal {name}",
            prepared=settings.database_prepared,
            acquire_timeout_s=acquire_timeout_s,
            command_timeout_s=command_timeout_s,
            publish=publisher.publish,
        )
        try:
            await database.require_role(role)
            metrics.observe_pool(lambda: database.in_use, lambda: database.size, lambda: database.waiting)
            process = Process(settings, database, metrics, health, shutdown, publisher)
            health.add_check(schema_check(database, migrations))
            health.add_check(_start_check(process))
            serving = internal_server.serve(
                metrics.registry, health, settings.metrics_host, settings.metrics_port
            )
            async with serving as port:
                _log.info("starting", metrics_port=port)
                yield process
            _log.info("stopped")
        finally:
            await database.close()
    finally:
        await publisher.close()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _start_check(process: Process) -> Check:
    async def find_failure() -> str | None:
        return None if process.is_started else "is starting"

    return Check("process", find_failure)
