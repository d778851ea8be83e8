"""The worker: binds each kind of job to its function and runs jobs until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.clock import SystemClock
from kernel.jobs.bell import listen, open_broker
from kernel.store.roles import APP
from kernel.telemetry import logs
from tenants.invoices.jobs import RecordView
from tenants.workspaces.jobs import ForgetReleasedDomains
from workers.actors.domains import forget_released
from workers.actors.views import record_view
from workers.handlers import Handlers
from workers.process import Process, running
from workers.runner import Runner

if TYPE_CHECKING:
    import dramatiq

    from kernel.settings import Settings

# Kubernetes gives 30 s from SIGTERM to SIGKILL.
GRACE_S: Final = 20.0
# For giving back what could not be finished.
_LAST_S: Final = 3.0

_log: Final = logs.logger("workers.worker")


def product_handlers() -> Handlers:
    """Return the functions for all kinds of job of the product."""
    handlers = Handlers()
    handlers.register(RecordView, record_view)
    handlers.register(ForgetReleasedDomains, forget_released)
    return handlers


def serve(settings: Settings, handlers: Handlers | None = None, *, grace_s: float = GRACE_S) -> None:
    """Run jobs until SIGTERM or SIGINT, then finish those begun, for `grace_s` at most; a second signal ends now.

    What is not finished is given back, to be run by another worker at once.
    """
    asyncio.run(_serve(settings, handlers or product_handlers(), grace_s))


async def _serve(settings: Settings, handlers: Handlers, grace_s: float) -> None:
    # Each job may hold a connection for itself and one for its heartbeat.
    size = max(settings.pool_size, 2 * settings.job_slots + 1)
    async with running("worker", settings, role=APP, size=size) as process:
        runner = Runner(
            process.database,
            handlers,
            lease=timedelta(seconds=settings.job_lease_s),
            metrics=process.metrics,
            clock=SystemClock(),
        )
        loop = asyncio.get_running_loop()

        def answer(workspace_id: UUID, job_id: UUID) -> None:
            asyncio.run_coroutine_threadsafe(runner.run(workspace_id, job_id), loop).result()

        queues = settings.job_queues or handlers.queues
        worker = listen(
            open_broker(settings.jobs_redis_url), answer, queues=queues, threads=settings.job_slots
        )
        await asyncio.to_thread(worker.start)
        _log.info("listening", queues=list(queues), slots=settings.job_slots)
        await process.signals.stop.wait()
        await _end(process, worker, runner, grace_s)


async def _end(process: Process, worker: dramatiq.Worker, runner: Runner, grace_s: float) -> None:
    process.health.drain()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        worker.stop(timeout=round(grace_s * 1000))
        loop.call_soon_threadsafe(ended.set)

    # A daemon: with Redis away it may block for longer than anybody waits.
    Thread(target=stop, daemon=True, name="stop").start()
    waiting = [asyncio.create_task(event.wait()) for event in (ended, process.signals.now)]
    await asyncio.wait(waiting, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    if not ended.is_set():
        _log.warning("cut off", twice_told=process.signals.now.is_set())
        # With Postgres away too the leases will run out.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                await runner.give_back_all()
