"""What every process of the workers' floor has: logs, metrics, probes, two kinds of SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from kernel.store import Database, fetch_value
from kernel.store.roles import SVC
from kernel.telemetry import logs
from kernel.telemetry.health import Health, Probe
from kernel.telemetry.metrics import Metrics
from kernel.telemetry.metrics import serve as serve_metrics
from tenants import schema

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kernel.settings import Settings

_PATIENCE_S: Final = 5.0
_REASONS: Final = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}


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
    Liveness and readiness are answered on the settings' host and port, metrics on their own.
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
    exporter = serve_metrics(metrics.registry, settings.metrics_host, settings.metrics_port)
    try:
        database = await Database.open(
            database_url, size=size, name=f"portal {name}", prepared=settings.database_prepared
        )
        try:
            await database.require_role(role)
            metrics.watch_pool(lambda: database.in_use, lambda: database.size, lambda: database.waiting)
            health = Health([_schema_check(database)])
            server = await asyncio.start_server(_Probes(health).answer, settings.host, settings.port)
            async with server:
                log.info("starting", port=settings.port, metrics_port=exporter.port)
                yield Process(settings, database, metrics, signals, health)
            log.info("stopped")
        finally:
            await database.close()
    finally:
        await asyncio.to_thread(exporter.close)


def _schema_check(database: Database) -> Probe:
    wanted = schema.version()

    async def failure() -> str | None:
        async with database.unbound(read_only=True):
            found = await fetch_value("SELECT max(number) FROM schema_migration")
        return None if (found or 0) >= wanted else f"schema is {found}, this release needs {wanted}"

    return Probe("database", failure)


class _Probes:
    """As much HTTP as an orchestrator's probe speaks: GET /healthz and /readyz, one request a connection."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection and close it."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                status, failing = await self._verdict(head.split(b" ", 2)[1:2])
                body = msgspec.json.encode(
                    {"status": "ok" if status == 200 else "failing", "failing": failing}
                )
                start = f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\n"
                writer.write(
                    f"{start}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body
                )
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _verdict(self, path: list[bytes]) -> tuple[int, list[str]]:
        if path == [b"/healthz"]:
            return 200, []
        if path == [b"/readyz"]:
            failing = [failure.name for failure in await self._health.ready()]
            return (503 if failing else 200), failing
        return 404, []
