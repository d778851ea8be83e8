"""An occurrence is stored once, with its jobs or not at all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from kernel.ids import new_id
from kernel.jobs.schedules import Schedule, add_jobs, claim_occurrence
from kernel.store import Database, execute, fetch
from tests.fakes.jobs import SampleJob, ScheduledJob

DAY = timedelta(days=1)


def schedule(at: timedelta = timedelta(0), key: str | None = None) -> Schedule:
    """A daily schedule of the test's own."""
    return Schedule(
        f"test-{new_id()}", ScheduledJob() if key is None else SampleJob(key=key), every=DAY, at=at
    )


async def test_of_concurrent_schedulers_one_stores_the_occurrence(owner_url: str, urls: object) -> None:
    daily = schedule()
    database = await Database.open(urls.svc, size=6)  # type: ignore[attr-defined]

    async def claim() -> datetime | None:
        async with database.unbound():
            return await claim_occurrence(daily)

    written = [at for at in await asyncio.gather(*(claim() for _ in range(6))) if at is not None]
    await database.close()
    assert len(written) == 1


async def test_an_occurrence_is_the_latest_one_on_the_grid(svc: Database) -> None:
    late = schedule(at=timedelta(hours=3))
    async with svc.unbound():
        at = await claim_occurrence(late)
    assert at is not None
    assert (at.hour, at.minute, at.second) == (3, 0, 0)
    assert timedelta(0) <= datetime.now(UTC) - at < DAY


async def test_without_its_jobs_the_occurrence_is_not_stored(svc: Database) -> None:
    daily = schedule()
    with pytest.raises(ZeroDivisionError):
        async with svc.unbound():
            assert await claim_occurrence(daily) is not None
            raise ZeroDivisionError
    async with svc.unbound():
        assert await claim_occurrence(daily) is not None


async def test_each_workspace_gets_one_job_unless_one_is_live(svc: Database) -> None:
    keyed, workspaces = schedule(key="all"), [new_id() for _ in range(3)]
    async with svc.unbound():
        assert await add_jobs(keyed, workspaces) == 3
        assert await add_jobs(keyed, workspaces) == 0
        await execute(
            "UPDATE job SET state = 'done', ended_at = now() WHERE workspace_id = $1", workspaces[0]
        )
        assert await add_jobs(keyed, workspaces) == 1
        rows = await fetch("SELECT DISTINCT kind FROM job WHERE workspace_id = ANY ($1)", workspaces)
    assert [row["kind"] for row in rows] == ["test.sample"]


async def test_old_occurrences_are_deleted(svc: Database) -> None:
    daily = schedule()
    async with svc.unbound():
        await execute("INSERT INTO schedule_occurrence VALUES ($1, now() - interval '100 days')", daily.name)
        await claim_occurrence(daily)
        rows = await fetch("SELECT occurs_at FROM schedule_occurrence WHERE name = $1", daily.name)
    assert len(rows) == 1
