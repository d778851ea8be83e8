"""An occurrence is written by whoever is first, with its jobs or not at all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from kernel.ids import new_id
from kernel.jobs.schedules import Schedule, add_jobs, occur
from kernel.store import Database, execute, fetch
from tests.fakes.errands import Errand, Tick

DAY = timedelta(days=1)


def schedule(at: timedelta = timedelta(0), key: str | None = None) -> Schedule:
    """A daily schedule of the test's own."""
    return Schedule(f"test-{new_id()}", Tick() if key is None else Errand(key=key), every=DAY, at=at)


async def test_of_many_who_try_at_once_one_writes_the_occurrence(owner_url: str, urls: object) -> None:
    daily = schedule()
    database = await Database.open(urls.svc, size=6)  # type: ignore[attr-defined]

    async def tried() -> datetime | None:
        async with database.unbound():
            return await occur(daily)

    written = [at for at in await asyncio.gather(*(tried() for _ in range(6))) if at is not None]
    await database.close()
    assert len(written) == 1


async def test_an_occurrence_is_the_latest_one_on_the_grid(svc: Database) -> None:
    late = schedule(at=timedelta(hours=3))
    async with svc.unbound():
        at = await occur(late)
    assert at is not None
    assert (at.hour, at.minute, at.second) == (3, 0, 0)
    assert timedelta(0) <= datetime.now(UTC) - at < DAY


async def test_when_its_jobs_cannot_be_written_the_occurrence_is_not_either(svc: Database) -> None:
    daily = schedule()
    with pytest.raises(ZeroDivisionError):
        async with svc.unbound():
            assert await occur(daily) is not None
            raise ZeroDivisionError
    async with svc.unbound():
        assert await occur(daily) is not None


async def test_each_workspace_gets_one_job_and_keeps_one_that_still_waits(svc: Database) -> None:
    keyed, workspaces = schedule(key="all"), [new_id() for _ in range(3)]
    async with svc.unbound():
        assert await add_jobs(keyed, workspaces) == 3
        assert await add_jobs(keyed, workspaces) == 0
        await execute(
            "UPDATE job SET state = 'done', ended_at = now() WHERE workspace_id = $1", workspaces[0]
        )
        assert await add_jobs(keyed, workspaces) == 1
        rows = await fetch("SELECT DISTINCT kind FROM job WHERE workspace_id = ANY ($1)", workspaces)
    assert [row["kind"] for row in rows] == ["test.errand"]


async def test_occurrences_of_long_ago_are_forgotten(svc: Database) -> None:
    daily = schedule()
    async with svc.unbound():
        await execute("INSERT INTO schedule_occurrence VALUES ($1, now() - interval '100 days')", daily.name)
        await occur(daily)
        rows = await fetch("SELECT occurs_at FROM schedule_occurrence WHERE name = $1", daily.name)
    assert len(rows) == 1
