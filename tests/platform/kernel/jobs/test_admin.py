"""An operator lists, replays and discards jobs."""

from __future__ import annotations

from uuid import UUID

import pytest

from kernel.errors import Conflict, Missing
from kernel.ids import WorkspaceId, new_id
from kernel.jobs import enqueue
from kernel.jobs.admin import _LIST, discard, list_jobs, replay
from kernel.store import Database, execute, fetch_one
from tests.fakes.jobs import SampleJob

DEAD = "UPDATE job SET state = 'dead', ended_at = now(), attempts = 3, error = 'gone' WHERE job_id = $1"


async def add_job(
    database: Database, workspace_id: UUID, key: str | None = None, *, dead: bool = False
) -> UUID:
    async with database.scope(workspace_id):
        job_id = (await enqueue(SampleJob(key=key))).job_id
        if dead:
            await execute(DEAD, job_id)
        return job_id


async def test_jobs_are_listed_by_state_kind_and_workspace(database: Database, svc: Database) -> None:
    one, other = WorkspaceId(new_id()), WorkspaceId(new_id())
    queued, dead = await add_job(database, one), await add_job(database, one, dead=True)
    await add_job(database, other)
    async with svc.unbound(read_only=True):
        of_one = await list_jobs(workspace_id=one)
        of_the_dead = await list_jobs(workspace_id=one, state="dead", kind="test.sample")
        assert await list_jobs(workspace_id=one, kind="test.other") == []
        assert len(await list_jobs(limit=1)) == 1
    assert {line.job_id for line in of_one} == {queued, dead}
    (line,) = of_the_dead
    assert (line.job_id, line.attempts, line.error) == (dead, 3, "gone")


async def test_the_list_of_jobs_is_planned_for_its_filters(svc: Database) -> None:
    async with svc.unbound(read_only=True):
        for state in ("dead", None):
            await list_jobs(state=state)
        plans = await fetch_one(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = $1", _LIST
        )
    assert plans["generic_plans"] == 0
    assert plans["custom_plans"] >= 2


async def test_a_replayed_job_runs_again_from_its_first_attempt(database: Database, svc: Database) -> None:
    workspace_id = WorkspaceId(new_id())
    dead = await add_job(database, workspace_id, dead=True)
    async with svc.unbound():
        await replay(dead)
        (line,) = await list_jobs(workspace_id=workspace_id)
        assert (line.state, line.attempts, line.ended_at) == ("queued", 0, None)
        with pytest.raises(Conflict, match="this one is queued") as refused:
            await replay(dead)
        assert refused.value.code == "job.not_dead"
        with pytest.raises(Missing):
            await replay(new_id())


async def test_a_dead_job_is_not_replayed_while_one_with_its_key_is_live(
    database: Database, svc: Database
) -> None:
    workspace_id = new_id()
    dead = await add_job(database, workspace_id, "k", dead=True)
    await add_job(database, workspace_id, "k")
    async with svc.unbound():
        with pytest.raises(Conflict) as refused:
            await replay(dead)
        assert refused.value.code == "job.duplicate_live"


async def test_only_a_queued_or_dead_job_is_discarded(database: Database, svc: Database) -> None:
    workspace_id = WorkspaceId(new_id())
    dead, done = await add_job(database, workspace_id, dead=True), await add_job(database, workspace_id)
    async with svc.unbound():
        await execute("UPDATE job SET state = 'done', ended_at = now() WHERE job_id = $1", done)
        await discard(dead)
        with pytest.raises(Conflict) as refused:
            await discard(done)
        assert refused.value.code == "job.not_discardable"
        with pytest.raises(Missing):
            await discard(dead)
        assert [line.job_id for line in await list_jobs(workspace_id=workspace_id)] == [done]
