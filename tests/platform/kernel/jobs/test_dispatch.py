"""The relay finds what is due, shares it without a leader, and rings again where nobody answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from kernel.ids import new_id
from kernel.jobs import enqueue
from kernel.jobs.dispatch import Due, backlog, bury, prune, put_back, take_due
from kernel.jobs.leases import claim
from kernel.store import Database, execute, fetch_one
from kernel.store.roles import Urls
from tests.fakes.errands import Errand

LATER = timedelta(minutes=1)


class Board:
    """A database of the test's own, as app and as svc."""

    def __init__(self, app: Database, svc: Database) -> None:
        self.app = app
        self.svc = svc
        self.workspace_id = new_id()

    async def add(self, count: int = 1, queue: str = "default") -> list[UUID]:
        async with self.app.scope(self.workspace_id):
            return [(await enqueue(Errand(), queue=queue)).job_id for _ in range(count)]

    async def take(
        self, again_after: timedelta = LATER, limit: int = 100, without: tuple[str, ...] = ()
    ) -> list[Due]:
        async with self.svc.unbound():
            return await take_due(again_after=again_after, limit=limit, without=without)

    async def claim(self, job_id: UUID) -> None:
        async with self.app.scope(self.workspace_id):
            assert await claim(job_id, lease=LATER) is not None

    async def change(self, sql: str, *args: object) -> None:
        async with self.svc.unbound():
            await execute(sql, *args)


@pytest.fixture
async def board(scratch: object) -> AsyncIterator[Board]:
    urls: Urls = await scratch(migrated=True)  # type: ignore[operator]
    app, svc = await Database.open(urls.app, size=2), await Database.open(urls.svc, size=4)
    yield Board(app, svc)
    await app.close()
    await svc.close()


async def test_a_due_job_is_taken_once_and_again_when_nobody_answered(board: Board) -> None:
    (job,) = await board.add()
    (due,) = await board.take()
    assert (due.job_id, due.workspace_id, due.queue) == (job, board.workspace_id, "default")
    assert await board.take() == []
    assert [again.job_id for again in await board.take(again_after=timedelta(0))] == [job]


async def test_relays_that_take_at_once_share_and_never_take_the_same(board: Board) -> None:
    jobs = await board.add(40)
    taken = await asyncio.gather(*(board.take(limit=10) for _ in range(4)))
    ids = [due.job_id for batch in taken for due in batch]
    assert len(ids) == len(set(ids))
    rest = [due.job_id for due in await board.take()]
    assert sorted(ids + rest) == sorted(jobs)


async def test_what_is_not_due_held_ended_or_in_a_full_queue_stays(board: Board) -> None:
    held, done, later = await board.add(3)
    (elsewhere,) = await board.add(queue="pdf")
    await board.claim(held)
    await board.change("UPDATE job SET state = 'done', ended_at = now() WHERE job_id = $1", done)
    await board.change("UPDATE job SET run_at = now() + interval '1 hour' WHERE job_id = $1", later)
    assert await board.take(without=("pdf",)) == []
    assert [due.job_id for due in await board.take()] == [elsewhere]


async def test_a_job_whose_lease_ran_out_is_taken_at_once_but_one_that_killed_too_often_is_buried(
    board: Board,
) -> None:
    (job,) = await board.add()
    for _ in range(Errand.max_attempts):
        assert [due.job_id for due in await board.take()] == [job]
        await board.claim(job)
        await board.change("UPDATE job SET lease_until = clock_timestamp()")
    assert await board.take() == []
    async with board.svc.unbound():
        assert await bury() == [(job, "test.errand")]
        assert await bury() == []
        assert (await fetch_one("SELECT state FROM job"))["state"] == "dead"


async def test_what_could_not_be_sent_is_put_back_and_nothing_else(board: Board) -> None:
    await board.add(2)
    first, second = await board.take()
    await board.change("UPDATE job SET dispatched_at = now() WHERE job_id = $1", second.job_id)
    async with board.svc.unbound():
        await put_back([first, second])
    # The second has been taken by another relay meanwhile.
    assert [due.job_id for due in await board.take()] == [first.job_id]


async def test_only_what_was_done_long_ago_is_pruned(board: Board) -> None:
    old, new, dead = await board.add(3)
    ends = (
        (old, "done", timedelta(days=2)),
        (new, "done", timedelta(hours=1)),
        (dead, "dead", timedelta(days=90)),
    )
    for job, state, age in ends:
        sql = "UPDATE job SET state = $2, ended_at = now() - $3::interval WHERE job_id = $1"
        await board.change(sql, job, state, age)
    async with board.svc.unbound():
        assert await prune(limit=10) == 1
        assert (await fetch_one("SELECT count(*) AS n FROM job"))["n"] == 2


async def test_the_backlog_tells_what_waits_how_long_and_what_is_dead(board: Board) -> None:
    one, two, dead = await board.add(3)
    await board.add(queue="pdf")
    await board.change("UPDATE job SET run_at = now() - interval '100 seconds' WHERE job_id = $1", one)
    await board.change("UPDATE job SET state = 'dead', ended_at = now() WHERE job_id = $1", dead)
    await board.claim(two)
    async with board.svc.unbound():
        now = await backlog()
    assert now.due == {"default": 1, "pdf": 1}
    assert 99 < now.oldest_s["default"] < 160
    assert now.dead == {"test.errand": 1}


async def test_a_relay_looks_for_due_jobs_by_an_index(board: Board) -> None:
    await board.change(
        "INSERT INTO job (workspace_id, job_id, kind, queue, payload, max_attempts, state, ended_at)"
        " SELECT gen_random_uuid(), gen_random_uuid(), 'k', 'q', '{}', 1, 'done', now()"
        " FROM generate_series(1, 5000)"
    )
    from kernel.jobs.dispatch import _TAKE
    from kernel.store import fetch

    async with board.svc.unbound():
        plan = "\n".join(row[0] for row in await fetch("EXPLAIN " + _TAKE, LATER, [], 100))
    assert "job_due" in plan
