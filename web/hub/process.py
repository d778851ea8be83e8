"""The process `portal hub`: readers of invoices, over websockets."""

from __future__ import annotations

import asyncio
import gc
import resource
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import uvloop

from kernel.clock import SystemClock
from kernel.live import Rooms, Tickets
from kernel.process import Process, open_process
from kernel.seals import Sealer
from kernel.store.roles import APP
from kernel.telemetry.health import Check
from kernel.telemetry.logs import get_logger
from tenants import schema
from web.hub.bounds import BOUNDS, Bounds
from web.hub.frames import encode_frame
from web.hub.hub import Hub

if TYPE_CHECKING:
    from kernel.settings import Settings

# As the gateway's: who waits longer takes the other way.
COMMAND_TIMEOUT_S: Final = 4.0
ACQUIRE_TIMEOUT_S: Final = 4.0
# Files that are no connections of readers: sockets of Postgres, Redis, metrics, and logs.
_OTHER_FILES: Final = 100
# Objects that are new since the last collection, and collections between those of older generations. A collection
# stops all readers for a millisecond per some thousand objects that it looks at, and a connection has about fifteen:
# young generations are kept small, and full collections are rare, since connections are freed without them.
_GC_THRESHOLDS: Final = (2_000, 3, 10_000)

_log: Final = get_logger("hub")


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then send the readers elsewhere; a second signal closes all at once.

    OSError when a port is taken, Unavailable without Postgres.
    """
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    opening = open_process(
        "hub",
        settings,
        role=APP,
        pool_size=settings.pool_size,
        migrations=schema.migrations(),
        command_timeout_s=COMMAND_TIMEOUT_S,
        acquire_timeout_s=ACQUIRE_TIMEOUT_S,
    )
    async with opening as process:
        rooms = Rooms(
            process.database, process.metrics, redis_url=settings.redis_url, encode_frame=encode_frame
        )
        hub = Hub(
            rooms,
            Tickets(Sealer(settings.secret_keys), SystemClock()),
            settings=settings,
            clock=SystemClock(),
            metrics=process.metrics,
            bounds=_fit_bounds(BOUNDS),
        )
        following = asyncio.create_task(rooms.run())
        try:
            await hub.start()
            await _run(process, hub, rooms, following)
        finally:
            await hub.close()
            following.cancel()
            await asyncio.wait([following])
            await rooms.close()


async def _run(process: Process, hub: Hub, rooms: Rooms, following: asyncio.Task[None]) -> None:
    process.health.add_check(Check("live", rooms.find_failure))
    process.health.add_check(Check("server", hub.find_failure))
    # What was made at the start stays: no collection needs to look at it.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    process.mark_started()
    _log.info("serving", host=process.settings.host, port=process.settings.port)
    requested = asyncio.create_task(process.shutdown.requested.wait())
    forced = asyncio.create_task(process.shutdown.forced.wait())
    await asyncio.wait([requested, following], return_when=asyncio.FIRST_COMPLETED)
    if following.done():
        # An unexpected error ended it: without it no reader would get anything. A restart is better.
        following.result()
    draining = asyncio.create_task(hub.drain())
    await asyncio.wait([draining, forced], return_when=asyncio.FIRST_COMPLETED)
    for task in (requested, forced, draining):
        task.cancel()


def _fit_bounds(bounds: Bounds) -> Bounds:
    """Open as many files as the system allows, and accept fewer connections if that is not enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = bounds.connections * 5 // 4 + _OTHER_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= allowed:
        allowed = min(wanted, soft) if soft != resource.RLIM_INFINITY else wanted
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return replace(bounds, connections=min(bounds.connections, (allowed - _OTHER_FILES) * 4 // 5))
