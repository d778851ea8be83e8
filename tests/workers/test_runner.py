"""One job in one process: its effect, its state afterwards, and the metrics."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from kernel.errors import Unavailable
from kernel.ids import new_id
from kernel.jobs import Job
from kernel.store import Database, after_commit, execute, fetch_one
from tests.fakes.jobs import Behavior, EndlessJob, SampleJob, store_effect
from workers.actors.attempt import Attempt
from workers.handlers import Handlers

ATTEMPTS = "portal_job_attempts_total"


async def test_effect_and_completion_are_stored_together_and_counted(harness: Any) -> None:
    job = await harness.enqueue_job(SampleJob())
    await harness.create_runner().run(harness.workspace_id, job)
    row = await harness.load_job(job)
    assert (row["state"], row["attempts"], row["lease"], row["error"]) == ("done", 1, None, "")
    assert await harness.load_effects() == [(job, 1)]
    assert harness.count(ATTEMPTS, kind="test.sample", outcome="done") == 1
    assert harness.count("portal_job_seconds_count", kind="test.sample") == 1
    assert harness.count("portal_job_wait_seconds_count", queue="default") == 1
    assert harness.count("portal_jobs_running_count") == 0


async def test_notifications_without_a_due_job_do_nothing(harness: Any) -> None:
    job = await harness.enqueue_job(SampleJob())
    runner = harness.create_runner()
    await asyncio.gather(*(runner.run(harness.workspace_id, job) for _ in range(4)))
    await runner.run(harness.workspace_id, new_id())
    # The job's id with another workspace's.
    other = await harness.enqueue_job(SampleJob())
    await runner.run(new_id(), other)
    assert await harness.load_effects() == [(job, 1)]
    assert (await harness.load_job(other))["state"] == "queued"
    assert harness.count("portal_job_notifications_total", result="ignored") == 5


async def test_a_failed_attempt_is_retried_later_and_its_effect_is_rolled_back(harness: Any) -> None:
    class FailingJob(Job, frozen=True, kw_only=True):
        kind: ClassVar[str] = "test.failing"
        backoff_s: ClassVar[float] = 100.0

    async def fail(_job: FailingJob, attempt: Attempt) -> None:
        async with attempt.effect():
            await store_effect(attempt)
            raise ConnectionError("broken")

    harness.handlers.register(FailingJob, fail)
    job = await harness.enqueue_job(FailingJob())
    await harness.create_runner().run(harness.workspace_id, job)
    row = await harness.load_job(job)
    assert (row["state"], row["attempts"], row["error"]) == ("queued", 1, "ConnectionError: broken")
    assert row["run_at"] - row["created_at"] > timedelta(seconds=45)
    assert await harness.load_effects() == []
    assert harness.count(ATTEMPTS, kind="test.failing", outcome="retried") == 1


@pytest.mark.parametrize(
    ("job", "error"),
    [
        (SampleJob(behavior=Behavior.FAILS_PERMANENTLY), "PermanentFailure: the request is not allowed"),
        (EndlessJob(), "TimeoutError: It ran longer than 0.2 s."),
    ],
)
async def test_a_permanent_failure_or_the_last_attempt_ends_a_job_dead(
    harness: Any, job: Job, error: str
) -> None:
    added = await harness.enqueue_job(job)
    await harness.create_runner().run(harness.workspace_id, added)
    row = await harness.load_job(added)
    assert (row["state"], row["error"]) == ("dead", error)
    assert harness.count(ATTEMPTS, kind=job.kind, outcome="dead") == 1


async def test_an_invalid_payload_is_dead_and_an_unknown_kind_waits_for_a_newer_worker(
    harness: Any,
) -> None:
    broken, unknown = await harness.enqueue_job(SampleJob()), await harness.enqueue_job(SampleJob())
    async with harness.database.scope(harness.workspace_id):
        await execute("""UPDATE job SET payload = '{"seconds": "long"}' WHERE job_id = $1""", broken)
        await execute("UPDATE job SET kind = 'test.unknown' WHERE job_id = $1", unknown)
    for job in (broken, unknown):
        await harness.create_runner().run(harness.workspace_id, job)
    assert (await harness.load_job(broken))["state"] == "dead"
    assert "not a payload of test.sample" in (await harness.load_job(broken))["error"]
    waits = await harness.load_job(unknown)
    assert (waits["state"], waits["error"]) == ("queued", "This worker does not know the kind of job.")


async def test_a_function_without_an_effect_has_its_job_completed(harness: Any) -> None:
    class EffectlessJob(Job, frozen=True, kw_only=True):
        kind: ClassVar[str] = "test.effectless"

    seen: list[tuple[object, ...]] = []

    async def observe(_job: EffectlessJob, attempt: Attempt) -> None:
        async with attempt.scope():
            state = (await fetch_one("SELECT state FROM job WHERE job_id = $1", attempt.job_id))["state"]
        seen.append((attempt.workspace_id, attempt.job_id, attempt.number, attempt.is_last, state))

    harness.handlers.register(EffectlessJob, observe)
    job = await harness.enqueue_job(EffectlessJob())
    await harness.create_runner().run(harness.workspace_id, job)
    assert seen == [(harness.workspace_id, job, 1, False, "running")]
    assert (await harness.load_job(job))["state"] == "done"


async def test_a_job_that_is_cancelled_after_its_commit_is_done(harness: Any) -> None:
    class SlowAfterCommitJob(Job, frozen=True, kw_only=True):
        kind: ClassVar[str] = "test.slow_after_commit"
        time_limit_s: ClassVar[float] = 0.5

    async def wait_forever() -> None:
        await asyncio.Event().wait()

    async def wait_after_commit(_job: SlowAfterCommitJob, attempt: Attempt) -> None:
        async with attempt.effect():
            await store_effect(attempt)
            after_commit(wait_forever)

    harness.handlers.register(SlowAfterCommitJob, wait_after_commit)
    job = await harness.enqueue_job(SlowAfterCommitJob())
    await harness.create_runner().run(harness.workspace_id, job)
    assert (await harness.load_job(job))["state"] == "done"
    assert await harness.load_effects() == [(job, 1)]
    assert harness.count(ATTEMPTS, kind="test.slow_after_commit", outcome="done") == 1


async def test_the_lease_of_a_long_job_is_extended(harness: Any) -> None:
    harness.lease = timedelta(seconds=0.3)
    job = await harness.enqueue_job(SampleJob(seconds=1.0))
    runner = harness.create_runner()
    running = asyncio.create_task(runner.run(harness.workspace_id, job))
    await asyncio.sleep(0.7)
    await harness.create_runner().run(harness.workspace_id, job)
    await running
    assert await harness.load_effects() == [(job, 1)]


async def test_a_job_whose_lease_is_lost_is_cancelled_and_stores_nothing(harness: Any) -> None:
    harness.lease = timedelta(seconds=0.3)
    job = await harness.enqueue_job(SampleJob(seconds=20.0))
    running = asyncio.create_task(harness.create_runner().run(harness.workspace_id, job))
    await asyncio.sleep(0.05)
    async with harness.database.scope(harness.workspace_id):
        await execute("UPDATE job SET lease = gen_random_uuid()")
    async with asyncio.timeout(5):
        await running
    assert await harness.load_effects() == []
    assert (await harness.load_job(job))["state"] == "running"
    assert harness.count(ATTEMPTS, kind="test.sample", outcome="lease_lost") == 1


async def test_a_released_job_is_queued_at_once_without_counting_the_attempt(harness: Any) -> None:
    job, later = await harness.enqueue_job(SampleJob(seconds=20.0)), await harness.enqueue_job(SampleJob())
    runner = harness.create_runner()
    running = asyncio.create_task(runner.run(harness.workspace_id, job))
    await asyncio.sleep(0.2)
    assert harness.count("portal_jobs_running_count") == 1
    await runner.release_all()
    await running
    row = await harness.load_job(job)
    assert (row["state"], row["attempts"]) == ("queued", 0)
    assert harness.count(ATTEMPTS, kind="test.sample", outcome="released") == 1
    # A stopping runner claims nothing more.
    await runner.run(harness.workspace_id, later)
    assert (await harness.load_job(later))["state"] == "queued"


async def test_without_postgres_a_notification_is_left_to_the_relay_and_an_outcome_to_the_lease(
    harness: Any, settings: Any
) -> None:
    closed = await Database.open(settings.database_url, size=1)
    await closed.close()
    with pytest.raises(Unavailable):
        async with closed.scope(harness.workspace_id):
            pass
    job = await harness.enqueue_job(SampleJob())
    reachable, harness.database = harness.database, closed
    await harness.create_runner().run(harness.workspace_id, job)
    harness.database = reachable
    assert (await harness.load_job(job))["state"] == "queued"

    class UnrecordedJob(Job, frozen=True, kw_only=True):
        kind: ClassVar[str] = "test.unrecorded"

    lost = await Database.open(settings.database_url, size=1)
    await lost.close()

    async def fail_without_database(_job: UnrecordedJob, _attempt: Attempt) -> None:
        runner._database = lost
        raise ValueError("its failure cannot be stored")

    harness.handlers = Handlers()
    harness.handlers.register(UnrecordedJob, fail_without_database)
    unrecorded = await harness.enqueue_job(UnrecordedJob())
    runner = harness.create_runner()
    await runner.run(harness.workspace_id, unrecorded)
    assert (await harness.load_job(unrecorded))["state"] == "running"
    assert harness.count(ATTEMPTS, kind="test.unrecorded", outcome="unrecorded") == 1
