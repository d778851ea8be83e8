"""The relay, as role svc: notifies workers of due jobs, and places events. Several relays need no leader."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from kernel.errors import Unavailable
from kernel.jobs.broker import measure_capacity, notify, open_broker
from kernel.jobs.dispatch import (
    LOWEST_ID,
    dispatch_due,
    find_due_queues,
    mark_crashed_dead,
    measure_backlog,
    prune,
    reset_dispatched,
    undo_dispatch,
)
from kernel.process import Process, open_process
from kernel.store.roles import SVC
from kernel.telemetry import logs
from kernel.wakeup import EVENTS_CHANNEL, Subscriber
from tenants import schema
from tenants.connect.inbox.queries import measure_lag
from workers.sequencer import Sequencer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from dramatiq.brokers.redis import RedisBroker

    from kernel.jobs.dispatch import DueJob
    from kernel.settings import Settings

POLL_INTERVAL_S: Final = 0.1
BACKLOG_INTERVAL_S: Final = 2.0
_RETRY_S: Final = 1.0
_PRUNE_LIMIT: Final = 2000

_log: Final = logs.get_logger("workers.relay")


def serve(settings: Settings) -> None:
    """Relay until SIGTERM or SIGINT."""
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    opening = open_process("relay", settings, role=SVC, pool_size=4, migrations=schema.migrations())
    async with opening as process:
        relay = Relay(process, open_broker(settings.jobs_redis_url))
        subscriber = Subscriber(settings.redis_url, [EVENTS_CHANNEL])
        sequencer = Sequencer(process.database, process.metrics, subscriber)
        tasks = [asyncio.create_task(relay.maintain()), asyncio.create_task(sequencer.run())]
        try:
            process.mark_started()
            while not await process.shutdown.wait(await relay.dispatch()):
                for task in tasks:
                    if task.done():
                        # An unexpected error ended it. The process ends too: a restart runs all of them.
                        task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


class Relay:
    """Takes due jobs from the table and notifies workers of them."""

    def __init__(self, process: Process, broker: RedisBroker) -> None:
        """Relay for `process` through `broker`."""
        self._process = process
        self._broker = broker
        self._redispatch_after = timedelta(seconds=process.settings.job_redispatch_s)
        self._last_workspaces: dict[str, UUID] = {}

    async def dispatch(self) -> float:
        """Dispatch one batch of each queue; returns how many seconds to wait before the next."""
        try:
            await self._dispatch()
        except Unavailable as error:
            _log.warning("jobs not dispatched", code=error.code, cause=error.data.get("cause"))
            return _RETRY_S
        return POLL_INTERVAL_S

    async def _dispatch(self) -> None:
        database = self._process.database
        async with database.unbound():
            for job_id, kind in await mark_crashed_dead():
                _log.error("job dead", job=str(job_id), kind=kind, reason="worker died")
            await reset_dispatched(older_than=self._redispatch_after)
            queues = await find_due_queues()
        if not queues:
            return
        # The capacity is measured first: no more jobs are marked than fit into Redis, and none while Redis is down.
        for queue, limit in (await asyncio.to_thread(measure_capacity, self._broker, queues)).items():
            async with database.unbound():
                batch = await dispatch_due(
                    queue, limit=limit, after=self._last_workspaces.get(queue, LOWEST_ID)
                )
            self._last_workspaces[queue] = batch.last_workspace_id
            await self._notify(batch.jobs)

    async def _notify(self, jobs: Sequence[DueJob]) -> None:
        database, notifications = self._process.database, self._process.metrics.job_notifications
        try:
            # Never inside the transaction: it would hold locks on the jobs while Redis hangs.
            await asyncio.to_thread(notify, self._broker, jobs)
        except Unavailable:
            notifications.labels("failed").inc(len(jobs))
            async with database.unbound():
                # Some may have been sent; of two notifications of a job the second finds nothing to claim.
                await undo_dispatch(jobs)
            raise
        notifications.labels("sent").inc(len(jobs))

    async def maintain(self) -> None:
        """Measure the backlog and the inbox of events, and prune done jobs, until cancelled."""
        metrics = self._process.metrics
        while True:
            try:
                async with self._process.database.unbound():
                    backlog = await measure_backlog()
                    lag = await measure_lag()
                    await prune(limit=_PRUNE_LIMIT)
            except Unavailable as error:
                _log.warning("backlog not measured", code=error.code)
            else:
                metrics.stripe_inbox_oldest.set(lag.oldest.total_seconds())
                metrics.stripe_inbox_parked.set(lag.parked)
                # A queue that is empty now must not show its last value.
                for gauge, values in (
                    (metrics.jobs_due, backlog.due),
                    (metrics.job_oldest_due, backlog.oldest_s),
                    (metrics.jobs_dead, backlog.dead),
                ):
                    gauge.clear()
                    for label, value in values.items():
                        gauge.labels(label).set(value)
            await asyncio.sleep(BACKLOG_INTERVAL_S)
