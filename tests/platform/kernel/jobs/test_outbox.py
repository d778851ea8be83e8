"""A job exists exactly if what it belongs to was stored, and once where it says what makes it one."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from structlog.contextvars import bound_contextvars

from kernel.errors import Invalid
from kernel.ids import new_id
from kernel.jobs import enqueue, enqueue_many
from kernel.jobs.job import decoded, encoded
from kernel.jobs.leases import claim
from kernel.store import Database, Unbound, fetch, fetch_one
from tests.fakes.errands import Errand, Manner

SOON = timedelta(seconds=30)


async def stored(database: Database, workspace_id: UUID) -> list[dict[str, object]]:
    async with database.scope(workspace_id, read_only=True):
        return [dict(row) for row in await fetch("SELECT * FROM job ORDER BY created_at")]


async def test_a_job_is_stored_with_the_transaction_it_belongs_to(database: Database) -> None:
    workspace_id = new_id()
    with pytest.raises(ZeroDivisionError):
        async with database.scope(workspace_id):
            await enqueue(Errand())
            raise ZeroDivisionError
    assert await stored(database, workspace_id) == []
    with bound_contextvars(request="request-77"):
        async with database.scope(workspace_id):
            added = await enqueue(Errand(seconds=2.5))
    (job,) = await stored(database, workspace_id)
    assert added.fresh
    assert {name: job[name] for name in ("job_id", "kind", "queue", "state", "attempts", "max_attempts")} == {
        "job_id": added.job_id,
        "kind": "test.errand",
        "queue": "default",
        "state": "queued",
        "attempts": 0,
        "max_attempts": 3,
    }
    assert job["request_id"] == "request-77"
    assert decoded(Errand, str(job["payload"])) == Errand(seconds=2.5)


async def test_a_job_belongs_to_a_workspace(database: Database) -> None:
    with pytest.raises(Unbound):
        await enqueue(Errand())
    async with database.unbound():
        with pytest.raises(Unbound):
            await enqueue(Errand())


async def test_a_delayed_job_is_due_later_and_cannot_be_claimed_before(database: Database) -> None:
    workspace_id = new_id()
    async with database.scope(workspace_id):
        added = await enqueue(Errand(), delay=timedelta(hours=1))
        row = await fetch_one("SELECT run_at - created_at AS delay FROM job")
        assert row["delay"] == timedelta(hours=1)
        assert await claim(added.job_id, lease=SOON) is None


async def test_live_jobs_with_one_key_are_one_job_of_each_workspace(database: Database) -> None:
    one, other = new_id(), new_id()
    async with database.scope(one):
        first, again = await enqueue(Errand(key="k")), await enqueue(Errand(key="k"))
        different = await enqueue(Errand(key="l"))
    async with database.scope(other):
        elsewhere = await enqueue(Errand(key="k"))
    assert (first.fresh, again.fresh, again.job_id) == (True, False, first.job_id)
    assert (different.fresh, elsewhere.fresh) == (True, True)
    assert len({first.job_id, different.job_id, elsewhere.job_id}) == 3


async def test_once_it_has_ended_the_same_key_is_a_new_job(database: Database) -> None:
    async with database.scope(new_id()):
        first = await enqueue(Errand(key="k"))
        await fetch("UPDATE job SET state = 'done', ended_at = now()")
        assert (await enqueue(Errand(key="k"))).job_id != first.job_id


async def test_a_job_that_waits_is_moved_to_the_queue_of_its_kind_and_never_away_from_it(
    database: Database,
) -> None:
    async with database.scope(new_id()):
        first = await enqueue(Errand(key="k"), queue="bulk")
        await fetch("UPDATE job SET dispatched_at = now()")
        await enqueue(Errand(key="k"), queue="bulk")
        assert (await fetch_one("SELECT dispatched_at IS NULL AS again FROM job"))["again"] is False
        await enqueue(Errand(key="k"))
        row = await fetch_one("SELECT queue, dispatched_at FROM job")
        assert (row["queue"], row["dispatched_at"]) == ("default", None)
        await enqueue(Errand(key="k"), queue="bulk")
        assert (await fetch_one("SELECT queue FROM job"))["queue"] == "default"
        assert await claim(first.job_id, lease=SOON) is not None
        await enqueue(Errand(key="k"), queue="bulk")
        assert (await fetch_one("SELECT queue FROM job"))["queue"] == "default"


async def test_many_jobs_go_in_one_statement(database: Database) -> None:
    workspace_id = new_id()
    async with database.scope(workspace_id):
        assert await enqueue_many([]) == 0
        assert await enqueue_many([(Errand(seconds=n), f"r{n}") for n in range(500)]) == 500
    jobs = await stored(database, workspace_id)
    assert {job["request_id"] for job in jobs} == {f"r{n}" for n in range(500)}


def test_a_payload_that_is_none_is_refused_by_name() -> None:
    job = Errand(manner=Manner.FAILS, seconds=1.5)
    assert decoded(Errand, encoded(job)) == job
    with pytest.raises(Invalid, match=r"no payload of test\.errand") as refused:
        decoded(Errand, '{"manner": "rudely"}')
    assert refused.value.code == "job.payload"
