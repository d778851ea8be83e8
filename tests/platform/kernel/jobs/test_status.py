"""A workspace sees its jobs by id and by key, brings them forward, and reaches no other workspace's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kernel.errors import Missing
from kernel.ids import new_id
from kernel.jobs import enqueue
from kernel.jobs.leases import claim
from kernel.jobs.status import JobStatus, KeyStatus, describe_job, expedite, find_by_key
from kernel.store import Database, execute
from tests.fakes.jobs import SampleJob, ScheduledJob

DUE = timedelta(0)
HOUR = timedelta(hours=1)


async def test_a_job_is_described_with_its_queue_its_attempts_and_the_time_until_it_is_due(
    database: Database,
) -> None:
    async with database.scope(new_id()):
        due, delayed = await enqueue(SampleJob()), await enqueue(SampleJob(), delay=HOUR, queue="bulk")
        assert await describe_job(due.job_id) == JobStatus(due.job_id, "default", "queued", 0, DUE)
        assert await describe_job(delayed.job_id) == JobStatus(delayed.job_id, "bulk", "queued", 0, HOUR)


async def test_only_a_job_that_waits_after_an_attempt_is_a_retry(database: Database) -> None:
    async with database.scope(new_id()):
        job_id = (await enqueue(SampleJob())).job_id
        queued = await describe_job(job_id)
        assert await claim(job_id, lease=HOUR) is not None
        running = await describe_job(job_id)
        await execute("UPDATE job SET state = 'queued', lease = NULL, lease_until = NULL")
        failed = await describe_job(job_id)
    assert [(each.is_running, each.is_retry) for each in (queued, running, failed)] == [
        (False, False),
        (True, False),
        (False, True),
    ]


async def test_by_key_the_live_job_is_found_and_how_long_the_last_dead_one_is_dead(
    database: Database,
) -> None:
    wanted = SampleJob(key="k")
    async with database.scope(new_id()):
        assert await find_by_key(wanted) == KeyStatus(None, None)
        for ended_ago in (HOUR, 2 * HOUR):
            await enqueue(wanted)
            await execute(
                "UPDATE job SET state = 'dead', ended_at = now() - $1::interval WHERE state = 'queued'",
                ended_ago,
            )
        assert await find_by_key(wanted) == KeyStatus(None, HOUR)
        live = await enqueue(wanted, queue="bulk")
        assert await find_by_key(wanted) == KeyStatus(JobStatus(live.job_id, "bulk", "queued", 0, DUE), HOUR)
        await execute("UPDATE job SET state = 'done', ended_at = now() WHERE state = 'queued'")
        assert await find_by_key(wanted) == KeyStatus(None, HOUR)
        assert await find_by_key(SampleJob(key="l")) == KeyStatus(None, None)


async def test_a_job_without_a_key_is_found_by_no_key(database: Database) -> None:
    async with database.scope(new_id()):
        await enqueue(ScheduledJob())
        assert await find_by_key(ScheduledJob()) == KeyStatus(None, None)


async def test_a_queued_job_is_brought_forward_and_never_put_off(database: Database) -> None:
    async with database.scope(new_id()):
        job_id = (await enqueue(SampleJob(), delay=HOUR)).job_id
        await expedite(job_id, within=2 * HOUR)
        assert (await describe_job(job_id)).due_in == HOUR
        await expedite(job_id, within=timedelta(seconds=10))
        assert (await describe_job(job_id)).due_in == timedelta(seconds=10)
        await execute("UPDATE job SET state = 'dead', ended_at = now()")
        await expedite(job_id, within=DUE)
        assert (await describe_job(job_id)).due_in == timedelta(seconds=10)


async def test_the_jobs_of_another_workspace_are_neither_seen_nor_brought_forward(database: Database) -> None:
    own, other = new_id(), new_id()
    async with database.scope(own):
        job_id = (await enqueue(SampleJob(key="k"), delay=HOUR)).job_id
    async with database.scope(other):
        with pytest.raises(Missing, match="no such job") as refused:
            await describe_job(job_id)
        await expedite(job_id, within=DUE)
        assert await find_by_key(SampleJob(key="k")) == KeyStatus(None, None)
    assert refused.value.code == "job.not_found"
    async with database.scope(own):
        assert (await describe_job(job_id)).due_in > timedelta(minutes=50)
