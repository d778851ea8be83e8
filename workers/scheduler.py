"""The scheduler: adds the jobs of each occurrence of a schedule once, however many schedulers run."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.errors import Unavailable
from kernel.jobs.schedules import Schedule, add_jobs, claim_occurrence
from kernel.process import Process, open_process
from kernel.store.roles import SVC
from kernel.telemetry import logs
from tenants import schema
from tenants.access.jobs import PurgeProofs
from tenants.activity.jobs import PruneEvents
from tenants.connect.inbox.jobs import ReconcileAccount
from tenants.connect.inbox.queries import list_connected_workspaces
from tenants.connect.jobs import RefreshAccount
from tenants.payments.jobs import RestartPaymentChecks
from tenants.workspaces import queries
from tenants.workspaces.jobs import PurgeReleasedDomains

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernel.settings import Settings

POLL_INTERVAL_S: Final = 0.5
_WORKSPACES_PER_PAGE: Final = 1000
_LOWEST_ID: Final = UUID(int=0)

SCHEDULES: Final = (
    Schedule(
        "purge-released-domains",
        PurgeReleasedDomains(),
        every=timedelta(days=1),
        at=timedelta(hours=3),
    ),
    Schedule("prune-events", PruneEvents(), every=timedelta(days=1), at=timedelta(hours=4)),
    Schedule("purge-proofs", PurgeProofs(), every=timedelta(days=1), at=timedelta(hours=5)),
    Schedule(
        "reconcile-accounts",
        ReconcileAccount(),
        every=timedelta(minutes=10),
        list_workspaces=list_connected_workspaces,
    ),
    Schedule(
        "restart-payment-checks",
        RestartPaymentChecks(),
        every=timedelta(hours=1),
        at=timedelta(minutes=35),
        list_workspaces=list_connected_workspaces,
    ),
    Schedule(
        "refresh-accounts",
        RefreshAccount(),
        every=timedelta(hours=1),
        at=timedelta(minutes=5),
        list_workspaces=list_connected_workspaces,
    ),
)

_log: Final = logs.get_logger("workers.scheduler")


def serve(settings: Settings, schedules: Sequence[Schedule] = SCHEDULES) -> None:
    """Run `schedules` until SIGTERM or SIGINT."""
    asyncio.run(_serve(settings, schedules))


async def _serve(settings: Settings, schedules: Sequence[Schedule]) -> None:
    opening = open_process("scheduler", settings, role=SVC, pool_size=1, migrations=schema.migrations())
    async with opening as process:
        process.mark_started()
        while not await process.shutdown.wait(POLL_INTERVAL_S):
            for schedule in schedules:
                await _run_schedule(process, schedule)


async def _run_schedule(process: Process, schedule: Schedule) -> None:
    try:
        async with process.database.unbound():
            occurs_at = await claim_occurrence(schedule)
            jobs = 0 if occurs_at is None else await _add_jobs(schedule)
    except Unavailable as error:
        # Nothing was stored: the occurrence is still due.
        _log.warning("schedule not run", schedule=schedule.name, code=error.code)
        return
    if occurs_at is not None:
        process.metrics.schedule_occurrences.labels(schedule.name).inc()
        _log.info("schedule run", schedule=schedule.name, occurs_at=occurs_at.isoformat(), jobs=jobs)


async def _add_jobs(schedule: Schedule) -> int:
    """Add the jobs of the workspaces that need them, in the open unit of work; returns how many."""
    if schedule.list_workspaces is None:
        return await _add_jobs_for_all(schedule)
    count, after = 0, _LOWEST_ID
    while page := await schedule.list_workspaces(after=after, limit=_WORKSPACES_PER_PAGE):
        count += await add_jobs(schedule, page)
        after = page[-1]
    return count


async def _add_jobs_for_all(schedule: Schedule) -> int:
    count, after = 0, ""
    while True:
        workspaces = await queries.list_workspaces(limit=_WORKSPACES_PER_PAGE, after=after)
        count += await add_jobs(schedule, [each.workspace_id for each in workspaces])
        if len(workspaces) < _WORKSPACES_PER_PAGE:
            return count
        after = workspaces[-1].slug
