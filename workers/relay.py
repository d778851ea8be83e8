"""The relay: rings for every job that is due and places events, as role svc; two or more share it without a leader."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from kernel.errors import Unavailable
from kernel.jobs.bell import open_broker, ring, room
from kernel.jobs.dispatch import FIRST, backlog, bury, prune, put_back, recall, take_due, waiting_queues
from kernel.process import Process, open_process
from kernel.store.roles import SVC
from kernel.telemetry import logs
from tenants import schema
from workers.sequencer import Sequencer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from dramatiq.brokers.redis import RedisBroker

    from kernel.jobs.dispatch import Due
    from kernel.settings import Settings

POLL_S: Final = 0.1
SAMPLE_S: Final = 2.0
_AWAY_S: Final = 1.0
_PRUNED_AT_ONCE: Final = 2000

_log: Final = logs.logger("workers.relay")


def serve(settings: Settings) -> None:
    """Relay until SIGTERM or SIGINT."""
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    process = open_process("relay", settings, role=SVC, pool_size=4, migrations=schema.migrations())
    async with process as opened:
        relay = Relay(opened, open_broker(settings.jobs_redis_url))
        sequencer = Sequencer(opened.database, opened.metrics, opened.wakeup)
        tasks = [asyncio.create_task(relay.sample()), asyncio.create_task(sequencer.run())]
        opened.mark_started()
        while not await opened.shutdown.wait(await relay.round()):
            pass
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


class Relay:
    """Takes due jobs from the table and rings for them."""

    def __init__(self, process: Process, broker: RedisBroker) -> None:
        """Relay for `process` through `broker`."""
        self._process = process
        self._broker = broker
        self._again_after = timedelta(seconds=process.settings.job_redispatch_s)
        self._turns: dict[str, UUID] = {}

    async def round(self) -> float:
        """Ring for one batch of each queue; returns how many seconds to wait before the next."""
        try:
            return await self._rung()
        except Unavailable as error:
            _log.warning("not relayed", code=error.code, cause=error.data.get("cause"))
            return _AWAY_S

    async def _rung(self) -> float:
        database = self._process.database
        async with database.unbound():
            for job_id, kind in await bury():
                _log.error("dead", job=str(job_id), kind=kind, reason="its workers died")
            await recall(again_after=self._again_after)
            queues = await waiting_queues()
        if not queues:
            return POLL_S
        # Nothing is taken out of the table that has no place in Redis, nor while Redis is away.
        for queue, limit in (await asyncio.to_thread(room, self._broker, queues)).items():
            async with database.unbound():
                taken = await take_due(queue, limit=limit, after=self._turns.get(queue, FIRST))
            self._turns[queue] = taken.last
            await self._ring(taken.due)
        return POLL_S

    async def _ring(self, due: Sequence[Due]) -> None:
        database, bells = self._process.database, self._process.metrics.job_bells
        try:
            # Never inside the transaction: a Redis that hangs would hold locks on the jobs.
            await asyncio.to_thread(ring, self._broker, due)
        except Unavailable:
            bells.labels("unsent").inc(len(due))
            async with database.unbound():
                # Those that did get through are rung for twice, which a claim notices.
                await put_back(due)
            raise
        bells.labels("sent").inc(len(due))

    async def sample(self) -> None:
        """Show what waits, and prune what is done, until cancelled."""
        metrics = self._process.metrics
        while True:
            try:
                async with self._process.database.unbound():
                    now = await backlog()
                    await prune(limit=_PRUNED_AT_ONCE)
            except Unavailable as error:
                _log.warning("no sample", code=error.code)
            else:
                # A queue that is empty by now must not go on showing what it had.
                for gauge, values in (
                    (metrics.jobs_due, now.due),
                    (metrics.job_oldest_due, now.oldest_s),
                    (metrics.jobs_dead, now.dead),
                ):
                    gauge.clear()
                    for label, value in values.items():
                        gauge.labels(label).set(value)
            await asyncio.sleep(SAMPLE_S)
