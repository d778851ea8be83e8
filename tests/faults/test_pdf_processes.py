"""Render jobs when workers, Chromium's processes, Postgres or Redis die or hang: none is lost, none is done twice."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from kernel.errors import Unavailable
from kernel.jobs.admin import replay
from kernel.store import execute
from tenants.invoices.actions import issue, request_pdf
from tenants.invoices.jobs import PDF_BULK_QUEUE, PDF_QUEUE, RenderPdf
from tenants.invoices.values import PendingPdf
from tests.fakes.child_processes import find_alive, find_chromium_processes, find_descendants, send_signal
from tests.fakes.pdf_workers import (
    begin_render,
    open_acme,
    read_pdfs,
    start_worker,
    wait_for_exit,
    wait_until_ended,
)
from tests.fakes.probes import fetch_status, read_sample
from tests.fakes.sample_workspaces import SampleWorkspace


@pytest.fixture
async def acme(deployment: Any) -> SampleWorkspace:
    """A workspace with a relay that dispatches its jobs."""
    await deployment.start("relay")
    return await open_acme(deployment)


async def test_the_render_of_a_killed_worker_is_done_by_another_and_no_process_is_left(
    deployment: Any, acme: SampleWorkspace
) -> None:
    first = await start_worker(deployment)
    invoice_id, job = await begin_render(deployment, acme, first)
    descendants = find_descendants(first.process.pid)
    assert len(descendants) >= 3
    os.kill(first.process.pid, signal.SIGKILL)
    # A driver without its worker closes the browser, and kills it if need be; for a stopped renderer it waits 30 s.
    send_signal(descendants, signal.SIGCONT)
    await wait_until_ended(deployment, descendants)
    await start_worker(deployment)
    done = await deployment.wait_for_state("done", [job])
    assert done[job]["attempts"] == 2
    assert list(await read_pdfs(acme, deployment)) == [invoice_id]


def read_environment(pid: int) -> bytes:
    """Return the environment that a process was started with."""
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_chromium_inherits_no_setting_of_the_portal(deployment: Any) -> None:
    worker = await start_worker(deployment)
    chromium = [
        pid
        for kind in ("browser", "zygote", "renderer")
        for pid in find_chromium_processes(worker.process.pid, kind)
    ]
    environments = list(map(read_environment, chromium))
    assert any(b"PATH=" in each for each in environments)
    assert not any(b"PORTAL_" in each for each in environments)
    assert b"PORTAL_DATABASE_URL=" in read_environment(worker.process.pid)


async def test_a_render_succeeds_when_renderer_browser_or_driver_is_killed(
    deployment: Any, acme: SampleWorkspace
) -> None:
    worker = await start_worker(deployment)
    rendered = []
    for victim in ("renderer", "browser", "driver"):
        invoice_id, job = await begin_render(deployment, acme, worker)
        send_signal(find_chromium_processes(worker.process.pid, victim), signal.SIGKILL)
        # The renderer tries once more in the same attempt.
        assert (await deployment.wait_for_state("done", [job]))[job]["attempts"] == 1
        rendered.append(invoice_id)
    assert set(await read_pdfs(acme, deployment)) == set(rendered)
    assert worker.process.poll() is None
    assert fetch_status(worker) == 200
    assert read_sample(worker, "portal_pdf_service_ready_count") == 1
    assert read_sample(worker, "portal_pdf_render_failures_total", reason="crash") == 3
    assert read_sample(worker, "portal_pdf_browser_launches_total", reason="start") == 1
    assert read_sample(worker, "portal_pdf_browser_launches_total", reason="died") == 2
    # The probe and three documents.
    assert read_sample(worker, "portal_pdf_render_seconds_count") == 4
    assert read_sample(worker, "portal_pdf_postprocess_seconds_count") == 3
    assert read_sample(worker, "portal_job_wait_seconds_count", queue=PDF_BULK_QUEUE) == 3
    assert read_sample(worker, "portal_job_attempts_total", kind=RenderPdf.kind, outcome="done") == 3
    assert read_sample(worker, "portal_pdf_render_slots_in_use_count") == 0


async def test_a_render_that_hangs_fails_at_its_deadline_frees_its_slot_and_is_tried_again(
    deployment: Any, acme: SampleWorkspace
) -> None:
    worker = await start_worker(deployment, PORTAL_JOB_SLOTS="1")
    invoice_id, job = await begin_render(deployment, acme, worker, within_s=1)
    waiting = await deployment.wait_for_state("queued", [job])
    assert waiting[job]["attempts"] == 1
    assert "[pdf.deadline]" in waiting[job]["error"]
    assert read_sample(worker, "portal_pdf_render_failures_total", reason="deadline") == 1
    assert read_sample(worker, "portal_job_attempts_total", kind=RenderPdf.kind, outcome="retried") == 1
    # The only slot renders another invoice meanwhile.
    other = await acme.issue_invoice()
    done = await deployment.wait_for_state("done", list(await deployment.load_jobs()))
    assert done[job]["attempts"] == 2
    assert set(await read_pdfs(acme, deployment)) == {invoice_id, other}
    assert read_sample(worker, "portal_pdf_render_slots_in_use_count") == 0


async def test_a_browser_that_hangs_is_replaced(deployment: Any, acme: SampleWorkspace) -> None:
    worker = await start_worker(deployment)
    browser = find_chromium_processes(worker.process.pid, "browser")
    send_signal(browser, signal.SIGSTOP)
    issued = [await acme.create_draft() for _ in range(3)]
    async with acme.database.scope(acme.workspace_id):
        for draft in issued:
            await issue(draft, clock=acme.clock)
        # In the same transaction: a job that is claimed before has a longer deadline.
        await execute("UPDATE job SET payload = payload || '{\"within_s\": 2}'")
    jobs = await deployment.wait_for_state("done", list(await deployment.load_jobs()))
    assert {"[pdf.deadline]" in row["error"] or row["attempts"] > 1 for row in jobs.values()} == {True}
    assert set(await read_pdfs(acme, deployment)) == set(issued)
    await wait_until_ended(deployment, browser)


async def test_a_worker_after_sigterm_completes_the_render_and_closes_the_browser(
    deployment: Any, acme: SampleWorkspace
) -> None:
    worker = await start_worker(deployment)
    invoice_id, job = await begin_render(deployment, acme, worker)
    descendants = find_descendants(worker.process.pid)
    os.kill(worker.process.pid, signal.SIGTERM)
    await asyncio.sleep(0.5)
    assert worker.process.poll() is None
    send_signal(descendants, signal.SIGCONT)
    assert await wait_for_exit(worker) == 0
    assert (await deployment.load_jobs())[job]["state"] == "done"
    assert list(await read_pdfs(acme, deployment)) == [invoice_id]
    assert find_alive(descendants) == []


async def test_a_worker_after_a_second_sigterm_releases_the_job_and_leaves_no_process(
    deployment: Any, acme: SampleWorkspace
) -> None:
    worker = await start_worker(deployment, PORTAL_JOB_LEASE_S="60")
    invoice_id, job = await begin_render(deployment, acme, worker)
    descendants = find_descendants(worker.process.pid)
    os.kill(worker.process.pid, signal.SIGTERM)
    await asyncio.sleep(0.3)
    os.kill(worker.process.pid, signal.SIGTERM)
    assert await wait_for_exit(worker) == 0
    released = (await deployment.load_jobs())[job]
    assert (released["state"], released["attempts"]) == ("queued", 0)
    await wait_until_ended(deployment, descendants)
    await start_worker(deployment)
    await deployment.wait_for_state("done", [job])
    assert list(await read_pdfs(acme, deployment)) == [invoice_id]


async def test_a_render_that_kills_its_workers_is_dead_refused_and_can_be_replayed(
    deployment: Any, acme: SampleWorkspace
) -> None:
    workers = [await start_worker(deployment), await start_worker(deployment)]
    descendants_of_each = [find_descendants(worker.process.pid) for worker in workers]
    for descendants in descendants_of_each:
        send_signal(
            [pid for pid in descendants if pid in find_chromium_processes(os.getpid(), "renderer")],
            signal.SIGSTOP,
        )
    invoice_id = await acme.issue_invoice()
    async with deployment.svc.unbound():
        await execute("UPDATE job SET max_attempts = 2")
    (job,) = await deployment.load_jobs()

    async def is_rendering() -> bool:
        return any(read_sample(worker, "portal_pdf_render_slots_in_use_count") for worker in workers)

    while workers:
        await deployment.wait_until(is_rendering)
        (victim,) = (each for each in workers if read_sample(each, "portal_pdf_render_slots_in_use_count"))
        workers.remove(victim)
        victim.process.kill()
    send_signal([pid for descendants in descendants_of_each for pid in descendants], signal.SIGCONT)
    dead = (await deployment.wait_for_state("dead", [job]))[job]
    assert (dead["attempts"], dead["error"]) == (2, "The worker died or was stopped during every attempt.")
    with pytest.raises(Unavailable, match=r"pdf\.failed"):
        async with acme.database.scope(acme.workspace_id):
            await request_pdf(invoice_id, 1, "de-DE")
    await start_worker(deployment)
    async with deployment.svc.unbound():
        await replay(job)
    await deployment.wait_for_state("done", [job])
    assert list(await read_pdfs(acme, deployment)) == [invoice_id]


async def test_a_requested_pdf_precedes_those_ahead_of_need(deployment: Any, acme: SampleWorkspace) -> None:
    batch = [await acme.issue_invoice() for _ in range(40)]

    async def all_are_dispatched() -> bool:
        return all(row["dispatched_at"] for row in (await deployment.load_jobs()).values())

    await deployment.wait_until(all_are_dispatched)
    await start_worker(deployment, PORTAL_JOB_SLOTS="1")

    async def some_are_done() -> bool:
        return [row["state"] for row in (await deployment.load_jobs()).values()].count("done") >= 2

    await deployment.wait_until(some_are_done)
    async with acme.database.scope(acme.workspace_id):
        pending = await request_pdf(batch[-1], 1, "en-GB")
    assert isinstance(pending, PendingPdf)
    assert pending.code == ""
    (requested,) = (key for key, row in (await deployment.load_jobs()).items() if row["queue"] == PDF_QUEUE)
    row_of_request = (await deployment.wait_for_state("done", [requested]))[requested]
    rest = [row for key, row in (await deployment.load_jobs()).items() if key != requested]
    # Renders that began before the relay polled and the running render ended precede it.
    begun_at = [row["begun_at"] for row in rest]
    requested_at, started_at = row_of_request["created_at"], row_of_request["begun_at"]
    assert len([moment for moment in begun_at if moment and requested_at < moment < started_at]) <= 15
    assert len([moment for moment in begun_at if moment is None or moment > started_at]) >= 10


async def test_renders_are_late_but_not_lost_when_postgres_restarts_and_redis_dies(
    restartable: Any,
) -> None:
    deployment = restartable.deployment
    relay = await deployment.start("relay")
    acme = await open_acme(deployment)
    worker = await start_worker(deployment)
    running, _ = await begin_render(deployment, acme, worker)
    issued = [running, *[await acme.issue_invoice() for _ in range(5)]]
    deployment.kill_redis()
    await restartable.stop()
    send_signal(find_descendants(worker.process.pid), signal.SIGCONT)
    await asyncio.sleep(1.5)
    deployment.start_redis()
    await restartable.start()
    await deployment.wait_for_state("done", list(await deployment.load_jobs()))
    assert set(await read_pdfs(acme, deployment)) == set(issued)
    assert (relay.process.poll(), worker.process.poll()) == (None, None)
