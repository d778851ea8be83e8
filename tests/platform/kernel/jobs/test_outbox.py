"""A job exists exactly if its transaction was committed, and live jobs with one key are one job."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from structlog.contextvars import bound_contextvars

from kernel.errors import Invalid
from kernel.ids import new_id
from kernel.jobs import enqueue, enqueue_many
from kernel.jobs.job import decode_job, encode_job
from kernel.jobs.leases import claim
from kernel.store import Database, NoUnitOfWork, NoWorkspace, fetch, fetch_one
from tests.fakes.jobs import Behavior, SampleJob

SOON = timedelta(seconds=30)


async def fetch_jobs(database: Database, workspace_id: UUID) -> list[dict[str, object]]:
    async with database.scope(workspace_id, read_only=True):
        return [dict(row) for row in await fetch("SELECT * FROM job ORDER BY created_at")]


async def test_a_job_is_stored_with_the_transaction_it_belongs_to(database: Database) -> None:
    workspace_id = new_id()
    with pytest.raises(ZeroDivisionError):
        async with database.scope(workspace_id):
            await enqueue(SampleJob())
            raise ZeroDivisionError
    assert await fetch_jobs(database, workspace_id) == []
    with bound_contextvars(request="request-77"):
        async with database.scope(workspace_id):
            added = await enqueue(SampleJob(seconds=2.5))
    (job,) = await fetch_jobs(database, workspace_id)
    assert added.is_new
    assert {name: job[name] for name in ("job_id", "kind", "queue", "state", "attempts", "max_attempts")} == {
        "job_id": added.job_id,
        "kind": "test.sample",
        "queue": "default",
        "state": "queued",
        "attempts": 0,
        "max_attempts": 3,
    }
    assert job["request_id"] == "request-77"
    assert decode_job(SampleJob, str(job["payload"])) == SampleJob(seconds=2.5)


async def test_a_job_belongs_to_a_workspace(database: Database) -> None:
    with pytest.raises(NoUnitOfWork):
        await enqueue(SampleJob())
    async with database.unbound():
        with pytest.raises(NoWorkspace):
            await enqueue(SampleJob())


async def test_a_delayed_job_is_due_later_and_cannot_be_claimed_before(database: Database) -> None:
    workspace_id = new_id()
    async with database.scope(workspace_id):
        added = await enqueue(SampleJob(), delay=timedelta(hours=1))
        row = await fetch_one("SELECT run_at - created_at AS delay FROM job")
        assert row["delay"] == timedelta(hours=1)
        assert await claim(added.job_id, lease=SOON) is None


async def test_live_jobs_with_one_key_are_one_job_of_each_workspace(database: Database) -> None:
    one, other = new_id(), new_id()
    async with database.scope(one):
        first, again = await enqueue(SampleJob(key="k")), await enqueue(SampleJob(key="k"))
        different = await enqueue(SampleJob(key="l"))
    async with database.scope(other):
        elsewhere = await enqueue(SampleJob(key="k"))
    assert (first.is_new, again.is_new, again.job_id) == (True, False, first.job_id)
    assert (different.is_new, elsewhere.is_new) == (True, True)
    assert len({first.job_id, different.job_id, elsewhere.job_id}) == 3


async def test_who_adds_to_a_live_job_is_told_whether_it_has_begun(database: Database) -> None:
    async with database.scope(new_id()):
        first = await enqueue(SampleJob(key="k"))
        assert (first.is_running, (await enqueue(SampleJob(key="k"))).is_running) == (False, False)
        assert await claim(first.job_id, lease=SOON) is not None
        again = await enqueue(SampleJob(key="k"))
        assert (again.job_id, again.is_running) == (first.job_id, True)


async def test_once_it_has_ended_the_same_key_is_a_new_job(database: Database) -> None:
    async with database.scope(new_id()):
        first = await enqueue(SampleJob(key="k"))
        await fetch("UPDATE job SET state = 'done', ended_at = now()")
        assert (await enqueue(SampleJob(key="k"))).job_id != first.job_id


async def test_a_job_that_waits_is_moved_to_the_queue_of_its_kind_and_never_away_from_it(
    database: Database,
) -> None:
    async with database.scope(new_id()):
        first = await enqueue(SampleJob(key="k"), queue="bulk")
        await fetch("UPDATE job SET dispatched_at = now()")
        await enqueue(SampleJob(key="k"), queue="bulk")
        assert (await fetch_one("SELECT dispatched_at IS NULL AS again FROM job"))["again"] is False
        await enqueue(SampleJob(key="k"))
        row = await fetch_one("SELECT queue, dispatched_at FROM job")
        assert (row["queue"], row["dispatched_at"]) == ("default", None)
        await enqueue(SampleJob(key="k"), queue="bulk")
        assert (await fetch_one("SELECT queue FROM job"))["queue"] == "default"
        assert await claim(first.job_id, lease=SOON) is not None
        await enqueue(SampleJob(key="k"), queue="bulk")
        assert (await fetch_one("SELECT queue FROM job"))["queue"] == "default"


async def test_many_jobs_go_in_one_statement(database: Database) -> None:
    workspace_id = new_id()
    async with database.scope(workspace_id):
        assert await enqueue_many([]) == 0
        assert await enqueue_many([(SampleJob(seconds=n), f"r{n}") for n in range(500)]) == 500
    jobs = await fetch_jobs(database, workspace_id)
    assert {job["request_id"] for job in jobs} == {f"r{n}" for n in range(500)}


def test_an_invalid_payload_is_refused_with_its_kind() -> None:
    job = SampleJob(behavior=Behavior.FAILS, seconds=1.5)
    assert decode_job(SampleJob, encode_job(job)) == job
    with pytest.raises(Invalid, match=r"not a payload of test\.sample") as refused:
        decode_job(SampleJob, '{"behavior": "rudely"}')
    assert refused.value.code == "job.payload"
