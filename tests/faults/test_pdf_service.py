"""Workers without Chromium or disk space: they are not ready, and recover by themselves."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright

from kernel.jobs import enqueue
from ops.dev.child_processes import read_log_end
from tenants.invoices.actions import request_pdf
from tenants.invoices.values import PendingPdf
from tenants.workspaces.jobs import PurgeReleasedDomains
from tests.fakes.pdf_workers import (
    expedite_all,
    open_acme,
    read_pdfs,
    read_rows,
    start_worker,
    wait_until_failed,
    wait_until_not_ready,
    wait_until_ready,
)
from tests.fakes.probes import read_sample
from tests.fakes.sample_workspaces import SampleWorkspace
from workers.pdf.sandbox import find_chromium


@pytest.fixture
async def acme(deployment: Any) -> SampleWorkspace:
    """A workspace with a relay that dispatches its jobs."""
    await deployment.start("relay")
    return await open_acme(deployment)


async def test_without_a_chromium_a_worker_runs_other_jobs_and_renders_once_there_is_one(
    deployment: Any, acme: SampleWorkspace
) -> None:
    executable = deployment.redis_state / "chromium"
    worker = await deployment.start("worker", module="ops.cli", ready=False, PORTAL_CHROMIUM=str(executable))
    await wait_until_not_ready(deployment, worker)
    invoice_id = await acme.issue_invoice()
    (render_job,) = await deployment.load_jobs()
    await wait_until_failed(deployment, render_job, "pdf.no_chromium")
    async with acme.database.scope(acme.workspace_id):
        pending = await request_pdf(invoice_id, 1, "de-DE")
        other = await enqueue(PurgeReleasedDomains())
    assert isinstance(pending, PendingPdf)
    assert pending.code == "pdf.unavailable"
    await deployment.wait_for_state("done", [other.job_id])
    assert read_sample(worker, "portal_pdf_service_ready_count") == 0
    async with async_playwright() as playwright:
        executable.symlink_to(find_chromium(playwright))
    await wait_until_ready(deployment, worker)
    await expedite_all(deployment)
    await deployment.wait_for_state("done", [render_job])
    assert list(await read_pdfs(acme, deployment)) == [invoice_id]
    assert worker.process.poll() is None


async def test_a_worker_that_cannot_render_leaves_most_jobs_to_one_that_can(
    deployment: Any, acme: SampleWorkspace
) -> None:
    broken = await deployment.start("worker", module="ops.cli", ready=False, PORTAL_CHROMIUM="/no/chromium")

    async def has_logged_failure() -> bool:
        return "render service not ready" in read_log_end(broken.log, 50)

    await deployment.wait_until(has_logged_failure)
    await start_worker(deployment)
    for _ in range(30):
        await acme.issue_invoice()

    async def most_are_done() -> bool:
        return [row["state"] for row in (await deployment.load_jobs()).values()].count("done") >= 15

    await deployment.wait_until(most_are_done)
    # If it failed at once, it would claim nearly all of them first.
    done = [row for row in (await deployment.load_jobs()).values() if row["state"] == "done"]
    assert len([row for row in done if row["attempts"] == 1]) >= 12


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of a few hundred KiB and a few dozen files."""
    where = folder / "disk"
    where.mkdir()
    options = ["-t", "tmpfs", "-o", "size=768k,nr_inodes=64", "tmpfs", str(where)]
    if os.geteuid() != 0 or subprocess.run(["mount", *options], check=False, capture_output=True).returncode:
        pytest.skip("only root, and not in every container, may mount a file system that is soon full")
    yield where
    subprocess.run(["umount", "--lazy", str(where)], check=True)


def fill_disk(disk: Path) -> None:
    """Use all bytes and all inodes."""
    (disk / "filler").mkdir()
    with contextlib.suppress(OSError), (disk / "filler" / "data").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    with contextlib.suppress(OSError):
        for number in range(1000):
            (disk / "filler" / str(number)).touch()


def free_disk(disk: Path) -> None:
    """Remove the files that fill it."""
    shutil.rmtree(disk / "filler")


async def test_a_full_disk_for_blobs_stores_nothing_partially_and_renders_succeed_once_there_is_room(
    deployment: Any, acme: SampleWorkspace, small_disk: Path
) -> None:
    blobs = small_disk / "blobs"
    worker = await start_worker(deployment, PORTAL_BLOBS_URL=str(blobs))
    fill_disk(small_disk)
    invoice_id = await acme.issue_invoice()
    (job,) = await deployment.load_jobs()
    await wait_until_failed(deployment, job, "blobs.unavailable")
    await wait_until_not_ready(deployment, worker)
    assert [path for path in blobs.rglob("*") if path.is_file()] == []
    assert await read_rows(acme) == []
    free_disk(small_disk)
    await wait_until_ready(deployment, worker)
    await expedite_all(deployment)
    await deployment.wait_for_state("done", [job])
    assert [row["invoice_id"] for row in await read_rows(acme)] == [invoice_id]
    (stored,) = (path for path in blobs.rglob("*") if path.is_file())
    assert stored.read_bytes().startswith(b"%PDF-")
    assert worker.process.poll() is None


async def test_a_full_disk_for_chromium_makes_the_worker_not_ready_until_there_is_room(
    deployment: Any, acme: SampleWorkspace, small_disk: Path
) -> None:
    fill_disk(small_disk)
    worker = await deployment.start("worker", module="ops.cli", ready=False, TMPDIR=str(small_disk))
    await wait_until_not_ready(deployment, worker)
    invoice_id = await acme.issue_invoice()
    (job,) = await deployment.load_jobs()
    await wait_until_failed(deployment, job, "pdf.renderer_unavailable")
    free_disk(small_disk)
    await wait_until_ready(deployment, worker)
    await expedite_all(deployment)
    await deployment.wait_for_state("done", [job])
    assert list(await read_pdfs(acme, deployment)) == [invoice_id]
    assert worker.process.poll() is None
