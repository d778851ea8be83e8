"""Whichever process dies, no job is lost and none has two effects: real processes, signals and servers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import redis

from kernel.clock import SystemClock
from kernel.ids import new_id
from kernel.jobs import enqueue
from kernel.seals import Sealer
from kernel.store import execute, fetch
from ops.dev import programs
from ops.dev.child_processes import read_log_end
from ops.dev.loopback import fetch_url
from tests.fakes.jobs import Behavior, SampleJob
from tests.fakes.pdf_workers import wait_for_exit
from tests.fakes.probes import read_sample
from tests.fakes.sample_workspaces import create_sample_workspace


def send_signal_to(running: programs.RunningProgram, number: signal.Signals) -> None:
    os.kill(running.process.pid, number)


async def test_a_job_whose_worker_is_killed_runs_again_after_its_lease(deployment: Any) -> None:
    await deployment.start("relay")
    first = await deployment.start("worker")
    (job,) = await deployment.enqueue_jobs(job=SampleJob(seconds=1.0))
    await deployment.wait_for_state("running", [job])
    send_signal_to(first, signal.SIGKILL)
    second = await deployment.start("worker")
    done = await deployment.wait_for_state("done", [job])
    assert done[job]["attempts"] == 2
    assert [(row["job_id"], row["attempt"], row["pid"]) for row in await deployment.load_effects()] == [
        (job, 2, second.process.pid)
    ]


async def test_a_worker_that_resumes_after_its_lease_stores_nothing(deployment: Any) -> None:
    await deployment.start("relay")
    stopped = await deployment.start("worker")
    (job,) = await deployment.enqueue_jobs(job=SampleJob(seconds=0.6))
    await deployment.wait_for_state("running", [job])
    send_signal_to(stopped, signal.SIGSTOP)
    other = await deployment.start("worker")
    await deployment.wait_for_state("done", [job])
    send_signal_to(stopped, signal.SIGCONT)
    # It runs jobs again, and its old attempt has stored nothing.
    await deployment.wait_for_state("done", await deployment.enqueue_jobs(8, SampleJob(seconds=0.1)))
    log = stopped.log.read_text(encoding="utf-8")
    assert '"event":"job lease lost"' in log
    effects = [row for row in await deployment.load_effects() if row["job_id"] == job]
    assert [(row["attempt"], row["pid"]) for row in effects] == [(2, other.process.pid)]


async def test_a_job_that_kills_its_workers_ends_dead_and_the_others_are_done(deployment: Any) -> None:
    await deployment.start("relay")
    crashing = await deployment.enqueue_jobs(job=SampleJob(behavior=Behavior.KILLS_WORKER))
    for _ in range(SampleJob.max_attempts):
        worker = await deployment.start("worker", ready=False)
        assert await wait_for_exit(worker) == -signal.SIGKILL
    dead = (await deployment.wait_for_state("dead", crashing))[crashing[0]]
    assert (dead["attempts"], dead["error"]) == (3, "The worker died or was stopped during every attempt.")
    survivor = await deployment.start("worker")
    others = await deployment.enqueue_jobs(5)
    await deployment.wait_for_state("done", others)
    assert survivor.process.poll() is None
    assert {row["job_id"] for row in await deployment.load_effects()} == set(others)


async def test_a_worker_that_cannot_register_registers_when_it_can(deployment: Any) -> None:
    owner = await asyncpg.connect(deployment.urls.owner)
    try:
        await owner.execute("ALTER TABLE job_worker RENAME TO job_worker_renamed")
        worker = await deployment.start("worker")

        async def has_logged_failure() -> bool:
            return "worker not registered" in read_log_end(worker.log, 50)

        await deployment.wait_until(has_logged_failure)
        await owner.execute("ALTER TABLE job_worker_renamed RENAME TO job_worker")

        async def is_registered() -> bool:
            return bool(await owner.fetch("SELECT FROM job_worker"))

        await deployment.wait_until(is_registered)
    finally:
        await owner.close()


async def test_a_worker_that_cannot_unregister_stops_all_the_same(deployment: Any) -> None:
    worker = await deployment.start("worker")
    owner = await asyncpg.connect(deployment.urls.owner)
    try:
        await owner.execute("BEGIN; LOCK TABLE job_worker")
        send_signal_to(worker, signal.SIGTERM)
        assert await wait_for_exit(worker) == 0
    finally:
        await owner.close()


async def test_when_a_relay_is_killed_the_other_takes_over(deployment: Any) -> None:
    one, other = await deployment.start("relay"), await deployment.start("relay")
    await deployment.start("worker")
    before = await deployment.enqueue_jobs(20)
    # Marked by a relay that died before it notified a worker.
    async with deployment.svc.unbound():
        await execute("UPDATE job SET dispatched_at = now() WHERE job_id = $1", before[0])
    send_signal_to(one, signal.SIGKILL)
    after = await deployment.enqueue_jobs(20)
    await deployment.wait_for_state("done", before + after)
    assert other.process.poll() is None
    assert Counter(row["job_id"] for row in await deployment.load_effects()) == Counter(before + after)


async def test_when_redis_is_killed_and_emptied_jobs_are_late_and_not_lost(deployment: Any) -> None:
    relay, worker = await deployment.start("relay"), await deployment.start("worker", PORTAL_JOB_SLOTS="1")
    # One runs, the others lie in Redis.
    before = await deployment.enqueue_jobs(4, SampleJob(seconds=0.3))
    await deployment.wait_for_running_job()
    deployment.kill_redis()
    during = await deployment.enqueue_jobs(4)
    await asyncio.sleep(1.5)
    assert any(row["state"] == "queued" for row in (await deployment.load_jobs()).values())
    deployment.start_redis()
    await deployment.wait_for_state("done", before + during)
    assert (relay.process.poll(), worker.process.poll()) == (None, None)
    assert Counter(row["job_id"] for row in await deployment.load_effects()) == Counter(before + during)
    assert "jobs not dispatched" in relay.log.read_text(encoding="utf-8")


async def test_when_postgres_is_restarted_under_load_every_job_has_one_effect(
    restartable: Any,
) -> None:
    deployment = restartable.deployment
    relay, worker = await deployment.start("relay"), await deployment.start("worker")
    jobs = await deployment.enqueue_jobs(60, SampleJob(seconds=0.1))
    await deployment.wait_for_effects(5)
    await restartable.stop()
    await asyncio.sleep(0.5)
    await restartable.start()
    await deployment.wait_for_state("done", jobs)
    assert (relay.process.poll(), worker.process.poll()) == (None, None)
    assert Counter(row["job_id"] for row in await deployment.load_effects()) == Counter(jobs)


async def test_a_worker_finishes_its_running_job_after_one_signal(deployment: Any) -> None:
    await deployment.start("relay")
    worker = await deployment.start("worker", PORTAL_JOB_SLOTS="1")
    running, waiting = await deployment.enqueue_jobs(2, SampleJob(seconds=1.0))
    await deployment.wait_for_running_job()
    send_signal_to(worker, signal.SIGTERM)
    assert await wait_for_exit(worker) == 0
    jobs = await deployment.load_jobs()
    assert sorted(row["state"] for row in jobs.values()) == ["done", "queued"]
    assert [row["attempt"] for row in await deployment.load_effects()] == [1]
    await deployment.start("worker")
    await deployment.wait_for_state("done", [running, waiting])
    assert Counter(row["job_id"] for row in await deployment.load_effects()) == Counter([running, waiting])


async def test_a_worker_releases_its_running_job_after_two_signals(deployment: Any) -> None:
    await deployment.start("relay")
    worker = await deployment.start("worker", PORTAL_JOB_LEASE_S="60")
    (job,) = await deployment.enqueue_jobs(job=SampleJob(seconds=30.0))
    await deployment.wait_for_state("running", [job])
    send_signal_to(worker, signal.SIGTERM)
    await asyncio.sleep(0.3)
    assert worker.process.poll() is None
    started_at = time.monotonic()
    send_signal_to(worker, signal.SIGTERM)
    assert await wait_for_exit(worker) == 0
    assert time.monotonic() - started_at < 4
    # Long before its lease expires, and without counting the attempt.
    released = (await deployment.load_jobs())[job]
    assert (released["state"], released["attempts"]) == ("queued", 0)
    assert await deployment.load_effects() == []
    async with deployment.svc.unbound():
        await execute("UPDATE job SET payload = jsonb_set(payload, '{seconds}', '0')")
    await deployment.start("worker")
    await deployment.wait_for_state("done", [job])
    assert [row["attempt"] for row in await deployment.load_effects()] == [1]


async def test_of_three_schedulers_each_occurrence_is_written_once(deployment: Any) -> None:
    sealer = Sealer((("test", bytes(range(32))),))
    workspaces = [
        (await create_sample_workspace(deployment.database, sealer, SystemClock())).workspace_id
        for _ in range(2)
    ]
    schedulers = await asyncio.gather(*(deployment.start("scheduler") for _ in range(3)))
    await asyncio.sleep(2.5)
    send_signal_to(schedulers[0], signal.SIGKILL)
    await asyncio.sleep(1.5)
    for scheduler in schedulers[1:]:
        send_signal_to(scheduler, signal.SIGTERM)
        assert await wait_for_exit(scheduler) == 0
    async with deployment.svc.unbound():
        seconds = [row["s"] for row in await fetch(OCCURRENCES)]
        jobs = await fetch("SELECT workspace_id, count(*) AS n FROM job GROUP BY 1")
    assert len(seconds) >= 4
    assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))
    assert {row["workspace_id"]: row["n"] for row in jobs} == dict.fromkeys(workspaces, len(seconds))


OCCURRENCES = "SELECT extract(epoch FROM occurs_at)::int AS s FROM schedule_occurrence ORDER BY 1"


async def test_a_thousand_jobs_over_two_workers_with_faults_have_a_thousand_effects(deployment: Any) -> None:
    relays = [await deployment.start("relay"), await deployment.start("relay")]
    first = await deployment.start("worker", PORTAL_JOB_SLOTS="8")
    await deployment.start("worker", PORTAL_JOB_SLOTS="8")
    jobs: list[Any] = []
    for _ in range(10):
        jobs += await deployment.enqueue_jobs(96, SampleJob(seconds=0.01))
        jobs += await deployment.enqueue_jobs(4, SampleJob(behavior=Behavior.FAILS_ONCE))
    await deployment.wait_for_effects(100)
    send_signal_to(first, signal.SIGKILL)
    await deployment.start("worker", PORTAL_JOB_SLOTS="8")
    await deployment.wait_for_effects(300)
    url = urlsplit(deployment.redis_url)
    with redis.Redis(unix_socket_path=unquote(url.path)) as client:
        client.flushall()
    await deployment.wait_for_effects(500)
    send_signal_to(relays[0], signal.SIGKILL)
    done = await deployment.wait_for_state("done", jobs)
    assert len(done) == 1000
    assert Counter(row["job_id"] for row in await deployment.load_effects()) == Counter(jobs)


async def test_a_workspace_that_floods_a_queue_does_not_delay_the_others(deployment: Any) -> None:
    await deployment.start("relay")
    flood = await deployment.enqueue_jobs(500, SampleJob(seconds=0.02))
    await deployment.start("worker", PORTAL_JOB_SLOTS="1")
    await deployment.wait_for_effects(5)
    async with deployment.database.scope(new_id()):
        other = (await enqueue(SampleJob())).job_id
    await deployment.wait_for_state("done", [other])
    jobs = await deployment.load_jobs()
    before = [
        job for job in flood if (jobs[job]["begun_at"] or jobs[other]["begun_at"]) < jobs[other]["begun_at"]
    ]
    # Those in Redis when it was added, and those dispatched until the next poll of the relay.
    assert len(before) <= 250


async def test_the_metrics_of_jobs_follow_the_jobs(deployment: Any) -> None:
    relay = await deployment.start("relay")
    assert read_sample(relay, "portal_jobs_due_count", queue="default") is None
    dead = await deployment.enqueue_jobs(job=SampleJob(behavior=Behavior.FAILS_PERMANENTLY))
    async with deployment.svc.unbound():
        await execute("UPDATE job SET run_at = now() - interval '200 seconds'")

    async def is_measured() -> bool:
        return read_sample(relay, "portal_jobs_due_count", queue="default") == 1

    await deployment.wait_until(is_measured)
    age = read_sample(relay, "portal_job_oldest_due_seconds", queue="default")
    assert age is not None
    assert 200 <= age < 260
    worker = await deployment.start("worker")
    await deployment.wait_for_state("dead", dead)
    retried = await deployment.enqueue_jobs(2, SampleJob(behavior=Behavior.FAILS_ONCE))
    await deployment.wait_for_state("done", retried)

    async def are_reset() -> bool:
        is_dead = read_sample(relay, "portal_jobs_dead_count", kind="test.sample") == 1
        return is_dead and read_sample(relay, "portal_jobs_due_count", queue="default") is None

    await deployment.wait_until(are_reset)
    sent = read_sample(relay, "portal_job_notifications_total", result="sent")
    assert sent is not None
    assert sent >= 5
    outcomes = {
        outcome: read_sample(worker, "portal_job_attempts_total", kind="test.sample", outcome=outcome)
        for outcome in ("done", "retried", "dead", "lease_lost")
    }
    assert outcomes == {"done": 2, "retried": 2, "dead": 1, "lease_lost": None}
    assert read_sample(worker, "portal_job_seconds_count", kind="test.sample") == 5
    assert read_sample(worker, "portal_job_wait_seconds_count", queue="default") == 5


async def test_a_relay_ends_when_its_sequencer_fails(deployment: Any) -> None:
    relay = await deployment.start("relay")
    owner = await asyncpg.connect(deployment.urls.owner)
    await owner.execute("ALTER TABLE event_draft RENAME TO event_draft_renamed")
    await owner.close()
    assert await wait_for_exit(relay) == 1
    assert "UndefinedTableError" in relay.log.read_text(encoding="utf-8")


async def test_a_process_that_lost_postgres_is_not_ready_and_still_alive(
    restartable: Any,
) -> None:
    deployment = restartable.deployment
    running = await deployment.start("relay")
    where = running.program.internal_url
    assert [fetch_url(where(path)).status for path in ("/healthz", "/readyz", "/x")] == [200, 200, 404]
    await deployment.database.close()
    await deployment.svc.close()
    await restartable.stop()
    await asyncio.sleep(1.1)
    answers = [fetch_url(where(path)) for path in ("/healthz", "/readyz")]
    assert [answer.status for answer in answers] == [200, 503]
    assert answers[1].body == b'{"status":"failing","failing":["database"]}'
    send_signal_to(running, signal.SIGTERM)
    assert await wait_for_exit(running) == 0
