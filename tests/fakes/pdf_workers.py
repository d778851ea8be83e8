"""Starts workers that render PDFs, and waits for their results; `deployment` is the fixture of tests/faults."""

from __future__ import annotations

import asyncio
import signal
from typing import Any
from uuid import UUID

from kernel.blobs import Blobs
from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.store import execute, fetch
from ops.dev import programs
from tenants.ids import InvoiceId
from tenants.invoices.actions import issue
from tests.fakes.child_processes import find_alive, find_chromium_processes, send_signal
from tests.fakes.probes import fetch_status, read_sample
from tests.fakes.sample_workspaces import SampleWorkspace, create_sample_workspace


async def open_acme(deployment: Any) -> SampleWorkspace:
    """Open a workspace in the database of the deployment."""
    return await create_sample_workspace(
        deployment.database, Sealer((("test", bytes(range(32))),)), SystemClock()
    )


async def start_worker(deployment: Any, **environ: str) -> programs.RunningProgram:
    """Start a worker of the product and wait until its render service is ready."""
    running: programs.RunningProgram = await deployment.start("worker", module="ops.cli", **environ)
    return running


async def begin_render(
    deployment: Any, acme: SampleWorkspace, worker: programs.RunningProgram, *, within_s: int = 30
) -> tuple[InvoiceId, UUID]:
    """Issue an invoice and wait until the worker renders it; its renderer process is stopped, so that it hangs."""
    send_signal(find_chromium_processes(worker.process.pid, "renderer"), signal.SIGSTOP)
    draft, before = await acme.create_draft(), set(await deployment.load_jobs())
    async with acme.database.scope(acme.workspace_id):
        await issue(draft, clock=acme.clock)
        await execute(
            "UPDATE job SET payload = payload || $1 WHERE state = 'queued'", f'{{"within_s": {within_s}}}'
        )
    (job,) = set(await deployment.load_jobs()) - before
    await deployment.wait_for_state("running", [job])

    async def is_rendering() -> bool:
        return read_sample(worker, "portal_pdf_render_slots_in_use_count") == 1

    await deployment.wait_until(is_rendering)
    return draft, job


async def wait_until_ended(deployment: Any, pids: list[int]) -> None:
    """Wait until all of the processes have ended."""

    async def have_ended() -> bool:
        return not find_alive(pids)

    await deployment.wait_until(have_ended)


async def read_pdfs(acme: SampleWorkspace, deployment: Any) -> dict[InvoiceId, bytes]:
    """Return the PDFs by invoice; each has one row and one blob, and there is no other blob."""
    async with acme.database.scope(acme.workspace_id, read_only=True):
        rows = await fetch("SELECT * FROM invoice_pdf")
    assert all(row["pinned"] and row["locale"] == "de-DE" for row in rows)
    found = {row["invoice_id"]: row["sha256"] for row in rows}
    assert len(found) == len(rows)
    files = {path.name for path in deployment.blobs.rglob("*") if path.is_file() and "probe" not in str(path)}
    assert files == {f"{sha256}.pdf" for sha256 in found.values()}
    blobs = Blobs.open(deployment.blobs)
    return {each: await blobs.get(f"{acme.workspace_id}/pdf/{sha256}.pdf") for each, sha256 in found.items()}


async def read_rows(acme: SampleWorkspace) -> list[Any]:
    """Return the rows of all PDFs of a workspace."""
    async with acme.database.scope(acme.workspace_id, read_only=True):
        return await fetch("SELECT * FROM invoice_pdf")


async def wait_for_exit(running: programs.RunningProgram) -> int:
    """Return the exit code of a process that ends by itself."""
    return await asyncio.to_thread(running.process.wait, 20)


async def wait_until_not_ready(deployment: Any, worker: programs.RunningProgram) -> None:
    """Wait until a worker is alive and not ready."""

    async def has_status() -> bool:
        return (fetch_status(worker, "/healthz"), fetch_status(worker)) == (200, 503)

    await deployment.wait_until(has_status)


async def wait_until_ready(deployment: Any, worker: programs.RunningProgram) -> None:
    """Wait until a worker is ready."""

    async def has_status() -> bool:
        return fetch_status(worker) == 200

    await deployment.wait_until(has_status)


async def wait_until_failed(deployment: Any, job: UUID, code: str) -> None:
    """Wait until a job has failed with a code and waits for its next attempt."""

    async def has_failed() -> bool:
        row = (await deployment.load_jobs())[job]
        return row["state"] == "queued" and row["attempts"] > 0 and f"[{code}]" in row["error"]

    await deployment.wait_until(has_failed)


async def expedite_all(deployment: Any) -> None:
    """Make all queued jobs due now."""
    async with deployment.svc.unbound():
        await execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
