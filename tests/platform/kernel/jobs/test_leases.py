"""Only the worker that holds the lease can store; one that lost it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from kernel.ids import new_id
from kernel.jobs import enqueue
from kernel.jobs.leases import (
    ClaimedJob,
    LeaseLost,
    StateAfterFailure,
    claim,
    complete,
    extend,
    fail,
    release,
)
from kernel.store import Database, execute, fetch_one
from tests.fakes.jobs import SampleJob

LEASE = timedelta(seconds=30)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class LeasedJob:
    """One job of one workspace."""

    database: Database
    workspace_id: UUID
    job_id: UUID

    async def claim(self, lease: timedelta = LEASE) -> ClaimedJob | None:
        async with self.database.scope(self.workspace_id):
            return await claim(self.job_id, lease=lease)

    async def claim_now(self, lease: timedelta = LEASE) -> ClaimedJob:
        held = await self.claim(lease)
        assert held is not None
        return held

    async def expire(self) -> None:
        """Let the lease expire."""
        async with self.database.scope(self.workspace_id):
            await execute("UPDATE job SET lease_until = now() - interval '1 second'")

    async def fetch_row(self) -> Any:
        async with self.database.scope(self.workspace_id):
            return await fetch_one("SELECT *, run_at - now() AS pause FROM job")

    async def fail(
        self,
        held: ClaimedJob,
        error: BaseException | str = "no",
        *,
        backoff: timedelta = SECOND,
        is_permanent: bool = False,
    ) -> StateAfterFailure | None:
        async with self.database.scope(self.workspace_id):
            return await fail(held, error=error, backoff=backoff, is_permanent=is_permanent)


@pytest.fixture
async def leased_job(database: Database) -> AsyncIterator[LeasedJob]:
    workspace_id = new_id()
    async with database.scope(workspace_id):
        added = await enqueue(SampleJob())
    yield LeasedJob(database, workspace_id, added.job_id)
    async with database.scope(workspace_id):
        await execute("DELETE FROM job")


async def test_of_concurrent_claims_one_succeeds(settings: Any, leased_job: LeasedJob) -> None:
    database = await Database.open(settings.database_url, size=8)
    shared = LeasedJob(database, leased_job.workspace_id, leased_job.job_id)
    claims = await asyncio.gather(*(shared.claim() for _ in range(8)))
    await database.close()
    assert [held.attempt for held in claims if held is not None] == [1]


async def test_a_job_is_claimed_only_in_its_own_workspace(leased_job: LeasedJob) -> None:
    async with leased_job.database.scope(new_id()):
        assert await claim(leased_job.job_id, lease=LEASE) is None
    assert (await leased_job.claim_now()).workspace_id == leased_job.workspace_id


async def test_after_the_lease_another_worker_claims_the_job_and_the_first_can_change_nothing(
    leased_job: LeasedJob,
) -> None:
    first = await leased_job.claim_now()
    assert await leased_job.claim() is None
    await leased_job.expire()
    second = await leased_job.claim_now()
    assert (first.attempt, second.attempt) == (1, 2)
    async with leased_job.database.scope(leased_job.workspace_id):
        assert not await extend(first, lease=LEASE)
        assert not await release(first)
        assert await fail(first, error="late", backoff=SECOND) is None
    with pytest.raises(LeaseLost):
        async with leased_job.database.scope(leased_job.workspace_id):
            await complete(first)
    async with leased_job.database.scope(leased_job.workspace_id):
        await complete(second)
    assert (await leased_job.fetch_row())["state"] == "done"


async def test_an_extended_lease_ends_later(leased_job: LeasedJob) -> None:
    held = await leased_job.claim_now(SECOND)
    async with leased_job.database.scope(leased_job.workspace_id):
        assert await extend(held, lease=timedelta(minutes=5))
    row = await leased_job.fetch_row()
    assert timedelta(minutes=4) < row["lease_until"] - row["run_at"] < timedelta(minutes=6)


async def test_an_effect_whose_lease_was_lost_is_not_stored(leased_job: LeasedJob) -> None:
    first = await leased_job.claim_now()
    await leased_job.expire()
    await leased_job.claim_now()
    with pytest.raises(LeaseLost):
        async with leased_job.database.scope(leased_job.workspace_id):
            await enqueue(SampleJob(key="the effect"))
            await complete(first)
    async with leased_job.database.scope(leased_job.workspace_id):
        assert (await fetch_one("SELECT count(*) AS n FROM job"))["n"] == 1


async def test_while_the_effect_is_written_no_worker_claims_the_job_even_after_its_lease(
    settings: Any, leased_job: LeasedJob
) -> None:
    database = await Database.open(settings.database_url, size=2)
    held = await leased_job.claim_now(timedelta(milliseconds=50))
    async with database.scope(leased_job.workspace_id):
        await complete(held)
        await asyncio.sleep(0.1)
        other = asyncio.create_task(leased_job.claim())
        await asyncio.sleep(0.1)
        assert not other.done()
    assert await other is None
    await database.close()
    assert (await leased_job.fetch_row())["attempts"] == 1


async def test_pauses_grow_with_the_attempts_and_the_last_failure_is_dead(leased_job: LeasedJob) -> None:
    pauses = []
    for attempt in (1, 2):
        assert (
            await leased_job.fail(await leased_job.claim_now(), backoff=timedelta(seconds=100))
            is StateAfterFailure.QUEUED
        )
        row = await leased_job.fetch_row()
        assert (row["attempts"], row["dispatched_at"], row["error"]) == (attempt, None, "no")
        pauses.append(row["pause"].total_seconds())
        assert await leased_job.claim() is None
        async with leased_job.database.scope(leased_job.workspace_id):
            await execute("UPDATE job SET run_at = now()")
    assert 45 < pauses[0] < 151
    assert 95 < pauses[1] < 301
    assert await leased_job.fail(await leased_job.claim_now(), RuntimeError("gone")) is StateAfterFailure.DEAD
    row = await leased_job.fetch_row()
    assert (row["state"], row["error"]) == ("dead", "RuntimeError: gone")
    assert await leased_job.claim() is None


async def test_a_permanent_failure_is_dead_at_once_and_pauses_are_bounded(leased_job: LeasedJob) -> None:
    assert (
        await leased_job.fail(await leased_job.claim_now(), backoff=timedelta(days=9))
        is StateAfterFailure.QUEUED
    )
    assert (await leased_job.fetch_row())["pause"] < timedelta(hours=1.5)
    async with leased_job.database.scope(leased_job.workspace_id):
        await execute("UPDATE job SET run_at = now()")
    assert await leased_job.fail(await leased_job.claim_now(), is_permanent=True) is StateAfterFailure.DEAD


async def test_a_released_job_is_due_at_once_and_its_attempt_does_not_count(leased_job: LeasedJob) -> None:
    held = await leased_job.claim_now()
    async with leased_job.database.scope(leased_job.workspace_id):
        assert await release(held)
    row = await leased_job.fetch_row()
    assert (row["state"], row["attempts"], row["lease"], row["dispatched_at"]) == ("queued", 0, None, None)
    assert (await leased_job.claim_now()).attempt == 1


async def test_an_error_is_stored_without_secrets_and_with_a_bounded_length(leased_job: LeasedJob) -> None:
    token = "Zz3Zz3Zz3Zz3Zz3Zz3Zz3Zz3"
    await leased_job.fail(await leased_job.claim_now(), f"GET /i/{token} \x00" + "x" * 5000)
    error = (await leased_job.fetch_row())["error"]
    assert error.startswith("GET /i/[token] xxx")
    assert len(error) == 2000
