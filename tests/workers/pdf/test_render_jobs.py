"""How render jobs end: done, tried again, or dead at once where no attempt can succeed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from kernel.blobs import Blobs
from kernel.clock import SystemClock
from kernel.ids import new_id
from kernel.seals import Sealer
from kernel.store import fetch
from kernel.telemetry.metrics import Metrics
from tenants.ids import InvoiceId
from tenants.invoices.actions import add_version
from tenants.invoices.actions.pdfs import store_pdf
from tenants.invoices.jobs import RenderPdf
from tests.fakes.documents import load_fonts
from tests.fakes.sample_workspaces import SampleWorkspace, build_content, create_sample_workspace
from workers.pdf.invoice_renderer import InvoiceRenderer
from workers.pdf.renderer import Renderer, RenderLimits
from workers.worker import create_handlers


def create_invoice_renderer(harness: Any, folder: Path, renderer: Renderer) -> InvoiceRenderer:
    return InvoiceRenderer(
        database=harness.database,
        blobs=Blobs.open(folder / "blobs"),
        renderer=renderer,
        fonts=load_fonts(),
        clock=SystemClock(),
        metrics=harness.metrics,
    )


async def open_acme(harness: Any, folder: Path, renderer: Renderer | None) -> SampleWorkspace:
    """Return a workspace whose jobs the harness runs with this renderer."""
    acme = await create_sample_workspace(
        harness.database, Sealer((("test", bytes(range(32))),)), SystemClock()
    )
    harness.workspace_id = acme.workspace_id
    harness.handlers = create_handlers(
        None if renderer is None else create_invoice_renderer(harness, folder, renderer)
    )
    return acme


async def run_job(harness: Any, invoice_id: InvoiceId, version: int = 1) -> Any:
    """Run a render job, and return its row."""
    job = await harness.enqueue_job(RenderPdf(invoice_id=invoice_id, version=version, locale="de-DE"))
    await harness.create_runner().run(harness.workspace_id, job)
    return await harness.load_job(job)


async def test_a_pdf_is_stored_in_the_transaction_that_completes_its_job(
    harness: Any, tmp_path: Path, renderer: Renderer
) -> None:
    acme = await open_acme(harness, tmp_path, renderer)
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        await add_version(invoice_id, build_content("200"), clock=acme.clock)
    first, second = await run_job(harness, invoice_id), await run_job(harness, invoice_id, 2)
    assert (first["state"], second["state"]) == ("done", "done")
    async with acme.database.scope(acme.workspace_id):
        rows = await fetch("SELECT *, xmin::text AS written_by FROM invoice_pdf ORDER BY version")
        jobs = await fetch(
            "SELECT job_id, xmin::text AS written_by FROM job WHERE state = 'done' ORDER BY ended_at"
        )
    assert [(row["version"], row["pinned"]) for row in rows] == [(1, True), (2, True)]
    # One transaction each.
    assert [row["written_by"] for row in rows] == [row["written_by"] for row in jobs]
    assert first["begun_at"] < first["ended_at"]


async def test_a_stored_pdf_is_not_rendered_again(harness: Any, tmp_path: Path, renderer: Renderer) -> None:
    acme = await open_acme(harness, tmp_path, renderer)
    invoice_id = await acme.issue_invoice()
    await run_job(harness, invoice_id)
    assert (await run_job(harness, invoice_id))["state"] == "done"
    assert harness.count("portal_pdf_postprocess_seconds_count") == 1


async def test_the_job_of_a_deleted_invoice_is_done_and_stores_nothing(
    harness: Any, tmp_path: Path, renderer: Renderer
) -> None:
    acme = await open_acme(harness, tmp_path, renderer)
    assert (await run_job(harness, InvoiceId(new_id())))["state"] == "done"
    async with acme.database.scope(acme.workspace_id):
        assert await fetch("SELECT 1 FROM invoice_pdf") == []


async def test_a_document_that_is_too_large_is_dead_at_once(harness: Any, tmp_path: Path) -> None:
    small = Renderer(Metrics(), limits=RenderLimits(slots=1, html_length=1000))
    try:
        acme = await open_acme(harness, tmp_path, small)
        row = await run_job(harness, await acme.issue_invoice())
    finally:
        await small.close()
    assert (row["state"], row["attempts"]) == ("dead", 1)
    assert "[pdf.too_large]" in row["error"]


async def test_a_pinned_pdf_that_cannot_be_rendered_the_same_is_dead_at_once_and_not_replaced(
    harness: Any, tmp_path: Path, renderer: Renderer
) -> None:
    acme = await open_acme(harness, tmp_path, renderer)
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        now = dt.datetime.now(dt.UTC)
        pinned = await store_pdf(invoice_id, 1, "de-DE", bytes(32), b"of old", is_pinned=True, created_at=now)
    row = await run_job(harness, invoice_id)
    assert (row["state"], row["attempts"]) == ("dead", 1)
    assert "[pdf.lost]" in row["error"]
    async with acme.database.scope(acme.workspace_id):
        assert [row["sha256"] for row in await fetch("SELECT sha256 FROM invoice_pdf")] == [pinned.sha256]
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


async def test_without_a_render_service_the_job_is_tried_again_elsewhere(
    harness: Any, tmp_path: Path
) -> None:
    acme = await open_acme(harness, tmp_path, None)
    row = await run_job(harness, await acme.issue_invoice())
    assert (row["state"], row["attempts"]) == ("queued", 1)
    assert "[pdf.renderer_unavailable]" in row["error"]
