"""Who holds the lease may store; whoever lost it may not, whatever it still believes."""

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
from kernel.jobs.leases import Claimed, Failed, LeaseLost, claim, complete, extend, fail, give_back
from kernel.store import Database, execute, fetch_one
from tests.fakes.errands import Errand

LEASE = timedelta(seconds=30)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Desk:
    """One job of one workspace."""

    database: Database
    workspace_id: UUID
    job_id: UUID

    async def claim(self, lease: timedelta = LEASE) -> Claimed | None:
        async with self.database.scope(self.workspace_id):
            return await claim(self.job_id, lease=lease)

    async def held(self, lease: timedelta = LEASE) -> Claimed:
        held = await self.claim(lease)
        assert held is not None
        return held

    async def run_out(self) -> None:
        """Let the lease be over."""
        async with self.database.scope(self.workspace_id):
            await execute("UPDATE job SET lease_until = now() - interval '1 second'")

    async def row(self) -> Any:
        async with self.database.scope(self.workspace_id):
            return await fetch_one("SELECT *, run_at - now() AS pause FROM job")

    async def fail(
        self,
        held: Claimed,
        error: BaseException | str = "no",
        *,
        backoff: timedelta = SECOND,
        hopeless: bool = False,
    ) -> Failed | None:
        async with self.database.scope(self.workspace_id):
            return await fail(held, error=error, backoff=backoff, hopeless=hopeless)


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    workspace_id = new_id()
    async with database.scope(workspace_id):
        added = await enqueue(Errand())
    yield Desk(database, workspace_id, added.job_id)
    async with database.scope(workspace_id):
        await execute("DELETE FROM job")


async def test_of_many_who_claim_at_once_one_holds_the_job(settings: Any, desk: Desk) -> None:
    database = await Database.open(settings.database_url, size=8)
    crowd = Desk(database, desk.workspace_id, desk.job_id)
    claims = await asyncio.gather(*(crowd.claim() for _ in range(8)))
    await database.close()
    assert [held.attempt for held in claims if held is not None] == [1]


async def test_a_job_is_claimed_only_in_its_own_workspace(desk: Desk) -> None:
    async with desk.database.scope(new_id()):
        assert await claim(desk.job_id, lease=LEASE) is None
    assert (await desk.held()).workspace_id == desk.workspace_id


async def test_when_the_lease_has_run_out_another_takes_the_job_and_the_first_can_do_nothing(
    desk: Desk,
) -> None:
    first = await desk.held()
    assert await desk.claim() is None
    await desk.run_out()
    second = await desk.held()
    assert (first.attempt, second.attempt) == (1, 2)
    async with desk.database.scope(desk.workspace_id):
        assert not await extend(first, lease=LEASE)
        assert not await give_back(first)
        assert await fail(first, error="late", backoff=SECOND) is None
    with pytest.raises(LeaseLost):
        async with desk.database.scope(desk.workspace_id):
            await complete(first)
    async with desk.database.scope(desk.workspace_id):
        await complete(second)
    assert (await desk.row())["state"] == "done"


async def test_a_heartbeat_keeps_the_lease(desk: Desk) -> None:
    held = await desk.held(SECOND)
    async with desk.database.scope(desk.workspace_id):
        assert await extend(held, lease=timedelta(minutes=5))
    row = await desk.row()
    assert timedelta(minutes=4) < row["lease_until"] - row["run_at"] < timedelta(minutes=6)


async def test_an_effect_whose_lease_was_lost_is_not_stored(desk: Desk) -> None:
    first = await desk.held()
    await desk.run_out()
    await desk.held()
    with pytest.raises(LeaseLost):
        async with desk.database.scope(desk.workspace_id):
            await enqueue(Errand(key="the effect"))
            await complete(first)
    async with desk.database.scope(desk.workspace_id):
        assert (await fetch_one("SELECT count(*) AS n FROM job"))["n"] == 1


async def test_while_the_effect_is_written_nobody_takes_the_job_even_when_the_lease_runs_out(
    settings: Any, desk: Desk
) -> None:
    database = await Database.open(settings.database_url, size=2)
    held = await desk.held(timedelta(milliseconds=50))
    async with database.scope(desk.workspace_id):
        await complete(held)
        await asyncio.sleep(0.1)
        other = asyncio.create_task(desk.claim())
        await asyncio.sleep(0.1)
        assert not other.done()
    assert await other is None
    await database.close()
    assert (await desk.row())["attempts"] == 1


async def test_pauses_grow_with_the_attempts_and_the_last_failure_is_death(desk: Desk) -> None:
    pauses = []
    for attempt in (1, 2):
        assert await desk.fail(await desk.held(), backoff=timedelta(seconds=100)) is Failed.QUEUED
        row = await desk.row()
        assert (row["attempts"], row["dispatched_at"], row["error"]) == (attempt, None, "no")
        pauses.append(row["pause"].total_seconds())
        assert await desk.claim() is None
        async with desk.database.scope(desk.workspace_id):
            await execute("UPDATE job SET run_at = now()")
    assert 45 < pauses[0] < 151
    assert 95 < pauses[1] < 301
    assert await desk.fail(await desk.held(), RuntimeError("gone")) is Failed.DEAD
    row = await desk.row()
    assert (row["state"], row["error"]) == ("dead", "RuntimeError: gone")
    assert await desk.claim() is None


async def test_what_is_hopeless_is_dead_at_once_and_no_pause_is_endless(desk: Desk) -> None:
    assert await desk.fail(await desk.held(), backoff=timedelta(days=9)) is Failed.QUEUED
    assert (await desk.row())["pause"] < timedelta(hours=1.5)
    async with desk.database.scope(desk.workspace_id):
        await execute("UPDATE job SET run_at = now()")
    assert await desk.fail(await desk.held(), hopeless=True) is Failed.DEAD


async def test_a_job_given_back_is_due_at_once_and_was_never_tried(desk: Desk) -> None:
    held = await desk.held()
    async with desk.database.scope(desk.workspace_id):
        assert await give_back(held)
    row = await desk.row()
    assert (row["state"], row["attempts"], row["lease"], row["dispatched_at"]) == ("queued", 0, None, None)
    assert (await desk.held()).attempt == 1


async def test_an_error_is_kept_without_secrets_and_within_bounds(desk: Desk) -> None:
    token = "Zz3Zz3Zz3Zz3Zz3Zz3Zz3Zz3"
    await desk.fail(await desk.held(), f"GET /i/{token} \x00" + "x" * 5000)
    error = (await desk.row())["error"]
    assert error.startswith("GET /i/[token] xxx")
    assert len(error) == 2000
