"""The scheduler: turns each occurrence of a schedule into jobs, once, however many schedulers there are."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from kernel.errors import Unavailable
from kernel.jobs.schedules import Schedule, add_jobs, occur
from kernel.process import Process, open_process
from kernel.store.roles import SVC
from kernel.telemetry import logs
from tenants import schema
from tenants.activity.jobs import PruneEvents
from tenants.workspaces import queries
from tenants.workspaces.jobs import ForgetReleasedDomains

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernel.settings import Settings

POLL_S: Final = 0.5
_AT_ONCE: Final = 1000

SCHEDULES: Final = (
    Schedule(
        "forget-released-domains",
        ForgetReleasedDomains(),
        every=timedelta(days=1),
        at=timedelta(hours=3),
    ),
    Schedule("prune-events", PruneEvents(), every=timedelta(days=1), at=timedelta(hours=4)),
)

_log: Final = logs.logger("workers.scheduler")


def serve(settings: Settings, schedules: Sequence[Schedule] = SCHEDULES) -> None:
    """Write the occurrences of `schedules` until SIGTERM or SIGINT."""
    asyncio.run(_serve(settings, schedules))


async def _serve(settings: Settings, schedules: Sequence[Schedule]) -> None:
    process = open_process("scheduler", settings, role=SVC, pool_size=1, migrations=schema.migrations())
    async with process as opened:
        opened.mark_started()
        while not await opened.shutdown.wait(POLL_S):
            for schedule in schedules:
                await _tried(opened, schedule)


async def _tried(process: Process, schedule: Schedule) -> None:
    try:
        async with process.database.unbound():
            occurs_at = await occur(schedule)
            jobs = 0 if occurs_at is None else await _fanned_out(schedule)
    except Unavailable as error:
        # Nothing of it is stored: it is due until somebody stores it.
        _log.warning("not scheduled", schedule=schedule.name, code=error.code)
        return
    if occurs_at is not None:
        process.metrics.schedule_occurrences.labels(schedule.name).inc()
        _log.info("scheduled", schedule=schedule.name, occurs_at=occurs_at.isoformat(), jobs=jobs)


async def _fanned_out(schedule: Schedule) -> int:
    """Add the jobs of all workspaces, in the open unit of work; returns how many."""
    added, after = 0, ""
    while True:
        lines = await queries.list_workspaces(limit=_AT_ONCE, after=after)
        added += await add_jobs(schedule, [line.workspace_id for line in lines])
        if len(lines) < _AT_ONCE:
            return added
        after = lines[-1].slug
