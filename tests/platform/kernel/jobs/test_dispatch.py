"""The relay finds what is due, shares it without a leader, and rings again where nobody answered."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from kernel.ids import WorkspaceId, new_id
from kernel.jobs import dispatch, enqueue
from kernel.jobs.dispatch import FIRST, Due, backlog, bury, prune, put_back, recall, take_due, waiting_queues
from kernel.jobs.leases import claim
from kernel.jobs.load import Load, announce, queue_load, withdraw
from kernel.store import Database, execute, fetch, fetch_one
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
        """Take of every queue, as a relay does."""
        found: list[Due] = []
        async with self.svc.unbound():
            await recall(again_after=again_after)
            for queue in await waiting_queues():
                if queue not in without:
                    found += (await take_due(queue, limit=limit)).due
        return found

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


async def fill(board: Board, sizes: Mapping[WorkspaceId, int], queue: str = "pdf") -> None:
    """Let so many jobs of each workspace wait, younger ones with every workspace."""
    for minutes, (workspace_id, count) in enumerate(sizes.items()):
        await board.change(
            "INSERT INTO job (workspace_id, job_id, kind, queue, payload, max_attempts, run_at)"
            " SELECT $1, gen_random_uuid(), 'k', $2, '{}', 3, now() - interval '1 day' + $3 * interval '1 minute'"
            "        + n * interval '1 millisecond' FROM generate_series(1, $4) n",
            workspace_id,
            queue,
            minutes,
            count,
        )


async def all_taken(board: Board, limit: int) -> list[Due]:
    """Take batch after batch, as one relay does."""
    found: list[Due] = []
    after = FIRST
    while True:
        async with board.svc.unbound():
            taken = await take_due("pdf", limit=limit, after=after)
        if not taken.due:
            return found
        assert len(taken.due) <= limit
        found += taken.due
        after = taken.last


async def test_one_job_does_not_wait_behind_anothers_thousands(board: Board) -> None:
    flooder, other = WorkspaceId(new_id()), WorkspaceId(new_id())
    await fill(board, {flooder: 3000, other: 1})
    async with board.svc.unbound():
        first = await take_due("pdf", limit=100)
    assert [due.workspace_id for due in first.due].index(other) <= 1
    assert len(first.due) == 100
    await fill(board, {other: 1})
    async with board.svc.unbound():
        second = await take_due("pdf", limit=100, after=first.last)
    assert [due.workspace_id for due in second.due].index(other) <= 1


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_waits_workspaces_take_turns_and_each_job_is_taken_once(
    board: Board, seed: int
) -> None:
    chance = random.Random(seed)
    sizes = {WorkspaceId(new_id()): chance.choice((1, 2, 5, 40, 150)) for _ in range(chance.randint(1, 25))}
    limit = chance.choice((1, 3, 10, 64))
    await fill(board, sizes)
    taken = await all_taken(board, limit)
    assert Counter(due.workspace_id for due in taken) == sizes
    assert len({due.job_id for due in taken}) == len(taken)
    for workspace_id in sizes:
        times = [due.run_at for due in taken if due.workspace_id == workspace_id]
        assert times == sorted(times)
    # While it has jobs waiting, nobody is served a second share before it has had one: in any stretch as long as
    # two batches and a turn of everybody each one's part is at least one.
    stretch = 2 * limit + len(sizes)
    left = Counter(sizes)
    for start, due in enumerate(taken):
        part = Counter(each.workspace_id for each in taken[start : start + stretch])
        if start + stretch <= len(taken):
            assert all(part[workspace_id] for workspace_id, count in left.items() if count), (limit, sizes)
        left[due.workspace_id] -= 1


async def test_a_turn_costs_little_among_a_hundred_thousand_jobs(board: Board) -> None:
    await fill(board, {WorkspaceId(new_id()): 90_000})
    await board.change(
        "INSERT INTO job (workspace_id, job_id, kind, queue, payload, max_attempts)"
        " SELECT gen_random_uuid(), gen_random_uuid(), 'k', 'pdf', '{}', 3 FROM generate_series(1, 10000)"
    )
    await board.change(
        "INSERT INTO job (workspace_id, job_id, kind, queue, payload, max_attempts, state, ended_at)"
        " SELECT gen_random_uuid(), gen_random_uuid(), 'k', 'pdf', '{}', 1, 'done', now()"
        " FROM generate_series(1, 50000)"
    )
    for query, arguments in (
        (dispatch._TAKE, ("pdf", new_id(), 100)),
        (dispatch._QUEUES, ()),
        (dispatch._RECALL, (LATER,)),
        (dispatch._BURY, ("-",)),
    ):
        async with board.svc.unbound():
            (row,) = await fetch("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query, *arguments)
        plan = json.loads(row["QUERY PLAN"])[0]["Plan"]
        # The table alone has as many pages; a turn of a hundred workspaces reads and writes some for each.
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 3500, (query, plan)
        assert "Seq Scan" not in {node["Node Type"] for node in nodes(plan) if "Relation Name" in node}


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan] + [node for inner in plan.get("Plans", []) for node in nodes(inner)]


async def test_the_load_of_a_queue_is_counted_over_all_workspaces_by_their_turns(board: Board) -> None:
    many = WorkspaceId(new_id())
    await fill(board, {many: 5, WorkspaceId(new_id()): 2})
    await fill(board, {WorkspaceId(new_id()): 3}, queue="other")
    await board.change(
        "UPDATE job SET run_at = now() + interval '1 hour' WHERE job_id = $1",
        (await board.add(queue="pdf"))[0],
    )
    (held,) = await board.add(queue="pdf")
    await board.claim(held)
    await board.change(
        "UPDATE job SET dispatched_at = now()"
        " WHERE job_id = (SELECT job_id FROM job WHERE workspace_id = $1 LIMIT 1)",
        many,
    )
    async with board.app.scope(many):
        # One that runs, one that was rung for; four of its own, and two others that come before its fifth.
        assert (await queue_load("pdf", "k")).depth == 8
    async with board.app.scope(new_id()):
        load = await queue_load("pdf", "k")
        assert (load.depth, load.slots, load.wait_s) == (4, 0, None)
        one, other = new_id(), new_id()
        await announce(one, ["default", "pdf"], slots=4)
        await announce(other, ["pdf"], slots=2)
        await announce(other, ["pdf"], slots=3)
        assert (await queue_load("pdf", "k")).slots == 7
        await withdraw(one)
        assert await queue_load("pdf", "k") == Load(depth=4, service_s=1.0, slots=3)
