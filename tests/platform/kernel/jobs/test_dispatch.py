"""Relays find due jobs, share them without a leader, and dispatch again those that no worker claimed."""

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
from kernel.jobs.dispatch import (
    LOWEST_ID,
    DueJob,
    dispatch_due,
    find_due_queues,
    mark_crashed_dead,
    measure_backlog,
    prune,
    reset_dispatched,
    undo_dispatch,
)
from kernel.jobs.leases import claim
from kernel.jobs.load import Load, measure_load, register_worker, unregister_worker
from kernel.store import Database, execute, fetch, fetch_one
from kernel.store.roles import Urls
from tests.fakes.jobs import SampleJob

LATER = timedelta(minutes=1)


class Dispatcher:
    """The jobs of a database of the test's own, as app and as svc."""

    def __init__(self, app: Database, svc: Database) -> None:
        self.app = app
        self.svc = svc
        self.workspace_id = new_id()

    async def add(self, count: int = 1, queue: str = "default") -> list[UUID]:
        async with self.app.scope(self.workspace_id):
            return [(await enqueue(SampleJob(), queue=queue)).job_id for _ in range(count)]

    async def take(
        self, redispatch_after: timedelta = LATER, limit: int = 100, without: tuple[str, ...] = ()
    ) -> list[DueJob]:
        """Take the due jobs of every queue, as a relay does."""
        found: list[DueJob] = []
        async with self.svc.unbound():
            await reset_dispatched(older_than=redispatch_after)
            for queue in await find_due_queues():
                if queue not in without:
                    found += (await dispatch_due(queue, limit=limit)).jobs
        return found

    async def claim(self, job_id: UUID) -> None:
        async with self.app.scope(self.workspace_id):
            assert await claim(job_id, lease=LATER) is not None

    async def change(self, sql: str, *args: object) -> None:
        async with self.svc.unbound():
            await execute(sql, *args)


@pytest.fixture
async def dispatcher(scratch: object) -> AsyncIterator[Dispatcher]:
    urls: Urls = await scratch(migrated=True)  # type: ignore[operator]
    app, svc = await Database.open(urls.app, size=2), await Database.open(urls.svc, size=4)
    yield Dispatcher(app, svc)
    await app.close()
    await svc.close()


async def test_a_due_job_is_taken_once_and_again_when_no_worker_claimed_it(dispatcher: Dispatcher) -> None:
    (job,) = await dispatcher.add()
    (due,) = await dispatcher.take()
    assert (due.job_id, due.workspace_id, due.queue) == (job, dispatcher.workspace_id, "default")
    assert await dispatcher.take() == []
    assert [again.job_id for again in await dispatcher.take(redispatch_after=timedelta(0))] == [job]


async def test_relays_that_take_at_once_share_and_never_take_the_same(dispatcher: Dispatcher) -> None:
    jobs = await dispatcher.add(40)
    taken = await asyncio.gather(*(dispatcher.take(limit=10) for _ in range(4)))
    ids = [due.job_id for batch in taken for due in batch]
    assert len(ids) == len(set(ids))
    rest = [due.job_id for due in await dispatcher.take()]
    assert sorted(ids + rest) == sorted(jobs)


async def test_a_job_that_is_delayed_claimed_ended_or_in_a_full_queue_is_not_taken(
    dispatcher: Dispatcher,
) -> None:
    held, done, later = await dispatcher.add(3)
    (elsewhere,) = await dispatcher.add(queue="pdf")
    await dispatcher.claim(held)
    await dispatcher.change("UPDATE job SET state = 'done', ended_at = now() WHERE job_id = $1", done)
    await dispatcher.change("UPDATE job SET run_at = now() + interval '1 hour' WHERE job_id = $1", later)
    assert await dispatcher.take(without=("pdf",)) == []
    assert [due.job_id for due in await dispatcher.take()] == [elsewhere]


async def test_a_job_whose_lease_expired_is_taken_at_once_and_is_dead_after_its_last_attempt(
    dispatcher: Dispatcher,
) -> None:
    (job,) = await dispatcher.add()
    for _ in range(SampleJob.max_attempts):
        assert [due.job_id for due in await dispatcher.take()] == [job]
        await dispatcher.claim(job)
        await dispatcher.change("UPDATE job SET lease_until = clock_timestamp()")
    assert await dispatcher.take() == []
    async with dispatcher.svc.unbound():
        assert await mark_crashed_dead() == [(job, "test.sample")]
        assert await mark_crashed_dead() == []
        assert (await fetch_one("SELECT state FROM job"))["state"] == "dead"


async def test_only_a_dispatch_that_was_not_sent_is_undone(dispatcher: Dispatcher) -> None:
    await dispatcher.add(2)
    first, second = await dispatcher.take()
    await dispatcher.change("UPDATE job SET dispatched_at = now() WHERE job_id = $1", second.job_id)
    async with dispatcher.svc.unbound():
        await undo_dispatch([first, second])
    # The second has been taken by another relay meanwhile.
    assert [due.job_id for due in await dispatcher.take()] == [first.job_id]


async def test_only_jobs_done_before_the_retention_are_pruned(dispatcher: Dispatcher) -> None:
    old, new, dead = await dispatcher.add(3)
    ends = (
        (old, "done", timedelta(days=2)),
        (new, "done", timedelta(hours=1)),
        (dead, "dead", timedelta(days=90)),
    )
    for job, state, age in ends:
        sql = "UPDATE job SET state = $2, ended_at = now() - $3::interval WHERE job_id = $1"
        await dispatcher.change(sql, job, state, age)
    async with dispatcher.svc.unbound():
        assert await prune(limit=10) == 1
        assert (await fetch_one("SELECT count(*) AS n FROM job"))["n"] == 2


async def test_the_backlog_counts_due_and_dead_jobs_and_the_age_of_the_oldest(dispatcher: Dispatcher) -> None:
    one, two, dead = await dispatcher.add(3)
    await dispatcher.add(queue="pdf")
    await dispatcher.change("UPDATE job SET run_at = now() - interval '100 seconds' WHERE job_id = $1", one)
    await dispatcher.change("UPDATE job SET state = 'dead', ended_at = now() WHERE job_id = $1", dead)
    await dispatcher.claim(two)
    async with dispatcher.svc.unbound():
        now = await measure_backlog()
    assert now.due == {"default": 1, "pdf": 1}
    assert 99 < now.oldest_s["default"] < 160
    assert now.dead == {"test.sample": 1}


async def fill(dispatcher: Dispatcher, sizes: Mapping[WorkspaceId, int], queue: str = "pdf") -> None:
    """Let so many jobs of each workspace wait, younger ones with every workspace."""
    for minutes, (workspace_id, count) in enumerate(sizes.items()):
        await dispatcher.change(
            "INSERT INTO job (workspace_id, job_id, kind, queue, payload, max_attempts, run_at)"
            " SELECT $1, gen_random_uuid(), 'k', $2, '{}', 3, now() - interval '1 day' + $3 * interval '1 minute'"
            "        + n * interval '1 millisecond' FROM generate_series(1, $4) n",
            workspace_id,
            queue,
            minutes,
            count,
        )


async def take_all(dispatcher: Dispatcher, limit: int) -> list[DueJob]:
    """Take batch after batch, as one relay does."""
    found: list[DueJob] = []
    after = LOWEST_ID
    while True:
        async with dispatcher.svc.unbound():
            batch = await dispatch_due("pdf", limit=limit, after=after)
        if not batch.jobs:
            return found
        assert len(batch.jobs) <= limit
        found += batch.jobs
        after = batch.last_workspace_id


async def test_one_job_does_not_wait_behind_anothers_thousands(dispatcher: Dispatcher) -> None:
    flooder, other = WorkspaceId(new_id()), WorkspaceId(new_id())
    await fill(dispatcher, {flooder: 3000, other: 1})
    async with dispatcher.svc.unbound():
        first = await dispatch_due("pdf", limit=100)
    assert [due.workspace_id for due in first.jobs].index(other) <= 1
    assert len(first.jobs) == 100
    await fill(dispatcher, {other: 1})
    async with dispatcher.svc.unbound():
        second = await dispatch_due("pdf", limit=100, after=first.last_workspace_id)
    assert [due.workspace_id for due in second.jobs].index(other) <= 1


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_waits_workspaces_take_turns_and_each_job_is_taken_once(
    dispatcher: Dispatcher, seed: int
) -> None:
    chance = random.Random(seed)
    sizes = {WorkspaceId(new_id()): chance.choice((1, 2, 5, 40, 150)) for _ in range(chance.randint(1, 25))}
    limit = chance.choice((1, 3, 10, 64))
    await fill(dispatcher, sizes)
    taken = await take_all(dispatcher, limit)
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


async def test_a_turn_costs_little_among_a_hundred_thousand_jobs(dispatcher: Dispatcher) -> None:
    await fill(dispatcher, {WorkspaceId(new_id()): 90_000})
    await dispatcher.change(
        "INSERT INTO job (workspace_id, job_id, kind, queue, payload, max_attempts)"
        " SELECT gen_random_uuid(), gen_random_uuid(), 'k', 'pdf', '{}', 3 FROM generate_series(1, 10000)"
    )
    await dispatcher.change(
        "INSERT INTO job (workspace_id, job_id, kind, queue, payload, max_attempts, state, ended_at)"
        " SELECT gen_random_uuid(), gen_random_uuid(), 'k', 'pdf', '{}', 1, 'done', now()"
        " FROM generate_series(1, 50000)"
    )
    for query, arguments in (
        (dispatch._DISPATCH_DUE, ("pdf", new_id(), 100)),
        (dispatch._DUE_QUEUES, ()),
        (dispatch._RESET_DISPATCHED, (LATER,)),
        (dispatch._MARK_DEAD, ("-",)),
    ):
        async with dispatcher.svc.unbound():
            (row,) = await fetch("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query, *arguments)
        plan = json.loads(row["QUERY PLAN"])[0]["Plan"]
        # The table alone has as many pages; a turn of a hundred workspaces reads and writes some for each.
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 3500, (query, plan)
        assert "Seq Scan" not in {node["Node Type"] for node in nodes(plan) if "Relation Name" in node}


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan] + [node for inner in plan.get("Plans", []) for node in nodes(inner)]


async def test_the_load_of_a_queue_is_counted_over_all_workspaces_by_their_turns(
    dispatcher: Dispatcher,
) -> None:
    many = WorkspaceId(new_id())
    await fill(dispatcher, {many: 5, WorkspaceId(new_id()): 2})
    await fill(dispatcher, {WorkspaceId(new_id()): 3}, queue="other")
    await dispatcher.change(
        "UPDATE job SET run_at = now() + interval '1 hour' WHERE job_id = $1",
        (await dispatcher.add(queue="pdf"))[0],
    )
    (held,) = await dispatcher.add(queue="pdf")
    await dispatcher.claim(held)
    await dispatcher.change(
        "UPDATE job SET dispatched_at = now()"
        " WHERE job_id = (SELECT job_id FROM job WHERE workspace_id = $1 LIMIT 1)",
        many,
    )
    async with dispatcher.app.scope(many):
        # One that runs, one that was dispatched; four of its own, and two others that come before its fifth.
        assert (await measure_load("pdf", "k")).depth == 8
    async with dispatcher.app.scope(new_id()):
        load = await measure_load("pdf", "k")
        assert (load.depth, load.slots, load.wait_s) == (4, 0, None)
        one, other = new_id(), new_id()
        await register_worker(one, ["default", "pdf"], slots=4)
        await register_worker(other, ["pdf"], slots=2)
        await register_worker(other, ["pdf"], slots=3)
        assert (await measure_load("pdf", "k")).slots == 7
        await unregister_worker(one)
        assert await measure_load("pdf", "k") == Load(depth=4, service_s=1.0, slots=3)
