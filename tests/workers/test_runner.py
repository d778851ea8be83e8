"""One job in one process: what becomes of it, and what is counted."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from kernel.errors import Unavailable
from kernel.ids import new_id
from kernel.jobs import Job
from kernel.store import Database, execute, fetch_one
from tests.fakes.errands import Errand, Manner, Stubborn, leave_a_mark
from workers.actors.attempt import Attempt
from workers.handlers import Handlers

ATTEMPTS = "portal_job_attempts_total"


async def test_effect_and_completion_are_stored_together_and_counted(bench: Any) -> None:
    job = await bench.add(Errand())
    await bench.runner().run(bench.workspace_id, job)
    row = await bench.row(job)
    assert (row["state"], row["attempts"], row["lease"], row["error"]) == ("done", 1, None, "")
    assert await bench.effects() == [(job, 1)]
    assert bench.count(ATTEMPTS, kind="test.errand", outcome="done") == 1
    assert bench.count("portal_job_seconds_count", kind="test.errand") == 1
    assert bench.count("portal_job_wait_seconds_count", queue="default") == 1
    assert bench.count("portal_jobs_running_count") == 0


async def test_bells_that_find_nothing_do_nothing(bench: Any) -> None:
    job = await bench.add(Errand())
    runner = bench.runner()
    await asyncio.gather(*(runner.run(bench.workspace_id, job) for _ in range(4)))
    await runner.run(bench.workspace_id, new_id())
    # The right job under another workspace's name.
    other = await bench.add(Errand())
    await runner.run(new_id(), other)
    assert await bench.effects() == [(job, 1)]
    assert (await bench.row(other))["state"] == "queued"
    assert bench.count("portal_job_bells_total", result="dropped") == 5


async def test_a_failure_is_tried_again_later_and_what_was_written_before_it_is_gone(bench: Any) -> None:
    class Torn(Job, frozen=True, kw_only=True):
        kind: ClassVar[str] = "test.torn"
        backoff_s: ClassVar[float] = 100.0

    async def torn(_job: Torn, attempt: Attempt) -> None:
        async with attempt.effect():
            await leave_a_mark(attempt)
            raise ConnectionError("half way")

    bench.handlers.register(Torn, torn)
    job = await bench.add(Torn())
    await bench.runner().run(bench.workspace_id, job)
    row = await bench.row(job)
    assert (row["state"], row["attempts"], row["error"]) == ("queued", 1, "ConnectionError: half way")
    assert row["run_at"] - row["created_at"] > timedelta(seconds=45)
    assert await bench.effects() == []
    assert bench.count(ATTEMPTS, kind="test.torn", outcome="retried") == 1


@pytest.mark.parametrize(
    ("job", "error"),
    [
        (Errand(manner=Manner.HOPELESS), "Hopeless: nobody can do this"),
        (Stubborn(), "TimeoutError: It ran longer than 0.2 s."),
    ],
)
async def test_what_cannot_go_better_is_dead(bench: Any, job: Job, error: str) -> None:
    added = await bench.add(job)
    await bench.runner().run(bench.workspace_id, added)
    row = await bench.row(added)
    assert (row["state"], row["error"]) == ("dead", error)
    assert bench.count(ATTEMPTS, kind=job.kind, outcome="dead") == 1


async def test_a_payload_nobody_can_read_is_dead_and_an_unknown_kind_waits_for_a_newer_worker(
    bench: Any,
) -> None:
    broken, unknown = await bench.add(Errand()), await bench.add(Errand())
    async with bench.database.scope(bench.workspace_id):
        await execute("""UPDATE job SET payload = '{"seconds": "long"}' WHERE job_id = $1""", broken)
        await execute("UPDATE job SET kind = 'test.invented' WHERE job_id = $1", unknown)
    for job in (broken, unknown):
        await bench.runner().run(bench.workspace_id, job)
    assert (await bench.row(broken))["state"] == "dead"
    assert "no payload of test.errand" in (await bench.row(broken))["error"]
    waits = await bench.row(unknown)
    assert (waits["state"], waits["error"]) == ("queued", "This worker does not know the kind of job.")


async def test_a_function_without_an_effect_has_its_job_completed(bench: Any) -> None:
    class Quiet(Job, frozen=True, kw_only=True):
        kind: ClassVar[str] = "test.quiet"

    seen: list[tuple[object, ...]] = []

    async def quiet(_job: Quiet, attempt: Attempt) -> None:
        async with attempt.scope():
            state = (await fetch_one("SELECT state FROM job WHERE job_id = $1", attempt.job_id))["state"]
        seen.append((attempt.workspace_id, attempt.job_id, attempt.number, attempt.is_last, state))

    bench.handlers.register(Quiet, quiet)
    job = await bench.add(Quiet())
    await bench.runner().run(bench.workspace_id, job)
    assert seen == [(bench.workspace_id, job, 1, False, "running")]
    assert (await bench.row(job))["state"] == "done"


async def test_a_job_longer_than_its_lease_keeps_it(bench: Any) -> None:
    bench.lease = timedelta(seconds=0.3)
    job = await bench.add(Errand(seconds=1.0))
    runner = bench.runner()
    running = asyncio.create_task(runner.run(bench.workspace_id, job))
    await asyncio.sleep(0.7)
    await bench.runner().run(bench.workspace_id, job)
    await running
    assert await bench.effects() == [(job, 1)]


async def test_who_loses_the_lease_is_cut_off_and_stores_nothing(bench: Any) -> None:
    bench.lease = timedelta(seconds=0.3)
    job = await bench.add(Errand(seconds=20.0))
    running = asyncio.create_task(bench.runner().run(bench.workspace_id, job))
    await asyncio.sleep(0.05)
    async with bench.database.scope(bench.workspace_id):
        await execute("UPDATE job SET lease = gen_random_uuid()")
    async with asyncio.timeout(5):
        await running
    assert await bench.effects() == []
    assert (await bench.row(job))["state"] == "running"
    assert bench.count(ATTEMPTS, kind="test.errand", outcome="lost") == 1


async def test_giving_back_leaves_the_job_to_others_at_once(bench: Any) -> None:
    job, later = await bench.add(Errand(seconds=20.0)), await bench.add(Errand())
    runner = bench.runner()
    running = asyncio.create_task(runner.run(bench.workspace_id, job))
    await asyncio.sleep(0.2)
    assert bench.count("portal_jobs_running_count") == 1
    await runner.give_back_all()
    await running
    row = await bench.row(job)
    assert (row["state"], row["attempts"]) == ("queued", 0)
    assert bench.count(ATTEMPTS, kind="test.errand", outcome="given_back") == 1
    # Who is ending begins nothing more.
    await runner.run(bench.workspace_id, later)
    assert (await bench.row(later))["state"] == "queued"


async def test_with_postgres_away_a_bell_is_left_to_the_relay_and_an_end_to_the_lease(
    bench: Any, settings: Any
) -> None:
    away = await Database.open(settings.database_url, size=1)
    await away.close()
    with pytest.raises(Unavailable):
        async with away.scope(bench.workspace_id):
            pass
    job = await bench.add(Errand())
    at_home, bench.database = bench.database, away
    await bench.runner().run(bench.workspace_id, job)
    bench.database = at_home
    assert (await bench.row(job))["state"] == "queued"

    class Cutting(Job, frozen=True, kw_only=True):
        kind: ClassVar[str] = "test.cutting"

    lost = await Database.open(settings.database_url, size=1)
    await lost.close()

    async def cutting(_job: Cutting, _attempt: Attempt) -> None:
        runner._database = lost
        raise ValueError("and nobody can be told")

    bench.handlers = Handlers()
    bench.handlers.register(Cutting, cutting)
    stranded = await bench.add(Cutting())
    runner = bench.runner()
    await runner.run(bench.workspace_id, stranded)
    assert (await bench.row(stranded))["state"] == "running"
    assert bench.count(ATTEMPTS, kind="test.cutting", outcome="stranded") == 1
