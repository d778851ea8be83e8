"""The product's schedules: a worker can run the job of each, in any workspace."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kernel.clock import SystemClock
from kernel.jobs import enqueue
from kernel.jobs.schedules import Schedule
from kernel.store import Database, fetch_value
from kernel.telemetry.metrics import Metrics
from tests.conftest import NewWorkspaceFixture
from workers.runner import Runner
from workers.scheduler import SCHEDULES
from workers.worker import create_handlers


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
async def test_the_job_of_a_schedule_runs_to_its_end(
    database: Database, new_workspace: NewWorkspaceFixture, schedule: Schedule
) -> None:
    workspace_id = (await new_workspace()).workspace_id
    async with database.scope(workspace_id):
        job_id = (await enqueue(schedule.job)).job_id
    runner = Runner(
        database,
        create_handlers(),
        lease=timedelta(seconds=30),
        metrics=Metrics(),
        clock=SystemClock(),
    )
    await runner.run(workspace_id, job_id)
    async with database.scope(workspace_id, read_only=True):
        assert await fetch_value("SELECT state FROM job WHERE job_id = $1", job_id) == "done"


def test_schedules_have_names_of_their_own_and_jobs_that_coalesce() -> None:
    assert len({schedule.name for schedule in SCHEDULES}) == len(SCHEDULES)
    assert all(schedule.job.dedupe_key() for schedule in SCHEDULES)
