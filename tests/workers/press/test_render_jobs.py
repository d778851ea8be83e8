"""What becomes of the job of a print: done, tried again, or given up at once where nothing could help."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from kernel.blobs import Blobs
from kernel.clock import SystemClock
from kernel.ids import InvoiceId, new_id
from kernel.seals import Sealer
from kernel.store import fetch
from kernel.telemetry.metrics import Metrics
from tenants.invoices.actions import new_version
from tenants.invoices.jobs import RenderVersion
from tenants.invoices.pdfs import keep_pdf
from tests.fakes.businesses import Business, content, open_business
from tests.fakes.papers import fonts
from workers.press.press import Limits, Press
from workers.press.printer import Printer
from workers.worker import product_handlers


def printer(bench: Any, folder: Path, press: Press) -> Printer:
    return Printer(
        database=bench.database,
        blobs=Blobs.open(folder / "blobs"),
        press=press,
        fonts=fonts(),
        clock=SystemClock(),
        metrics=bench.metrics,
    )


async def opened(bench: Any, folder: Path, press: Press | None) -> Business:
    """A business whose jobs the bench runs with this press."""
    acme = await open_business(bench.database, Sealer((("test", bytes(range(32))),)), SystemClock())
    bench.workspace_id = acme.workspace_id
    bench.handlers = product_handlers(None if press is None else printer(bench, folder, press))
    return acme


async def ran(bench: Any, invoice_id: InvoiceId, version: int = 1) -> Any:
    """Run a print, and return what the table says of it."""
    job = await bench.add(RenderVersion(invoice_id=invoice_id, version=version, locale="de-DE"))
    await bench.runner().run(bench.workspace_id, job)
    return await bench.row(job)


async def test_each_version_is_printed_and_noted_together_with_its_job(
    bench: Any, tmp_path: Path, press: Press
) -> None:
    acme = await opened(bench, tmp_path, press)
    invoice_id = await acme.invoice()
    async with acme.database.scope(acme.workspace_id):
        await new_version(invoice_id, content("200"), clock=acme.clock)
    first, second = await ran(bench, invoice_id), await ran(bench, invoice_id, 2)
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


async def test_what_is_there_already_is_not_printed_again(bench: Any, tmp_path: Path, press: Press) -> None:
    acme = await opened(bench, tmp_path, press)
    invoice_id = await acme.invoice()
    await ran(bench, invoice_id)
    assert (await ran(bench, invoice_id))["state"] == "done"
    assert bench.count("portal_press_finish_seconds_count") == 1


async def test_a_print_of_what_has_gone_since_is_forgotten(bench: Any, tmp_path: Path, press: Press) -> None:
    acme = await opened(bench, tmp_path, press)
    assert (await ran(bench, InvoiceId(new_id())))["state"] == "done"
    async with acme.database.scope(acme.workspace_id):
        assert await fetch("SELECT 1 FROM invoice_pdf") == []


async def test_a_document_beyond_all_measure_is_given_up_at_once(bench: Any, tmp_path: Path) -> None:
    small = Press(Metrics(), limits=Limits(slots=1, html_bytes=1000))
    try:
        acme = await opened(bench, tmp_path, small)
        row = await ran(bench, await acme.invoice())
    finally:
        await small.close()
    assert (row["state"], row["attempts"]) == ("dead", 1)
    assert "[press.too_large]" in row["error"]


async def test_a_pinned_pdf_that_is_lost_for_good_is_given_up_at_once_and_not_replaced(
    bench: Any, tmp_path: Path, press: Press
) -> None:
    acme = await opened(bench, tmp_path, press)
    invoice_id = await acme.invoice()
    async with acme.database.scope(acme.workspace_id):
        now = dt.datetime.now(dt.UTC)
        pinned = await keep_pdf(invoice_id, 1, "de-DE", bytes(32), b"of old", pinned=True, created_at=now)
    row = await ran(bench, invoice_id)
    assert (row["state"], row["attempts"]) == ("dead", 1)
    assert "[pdf.lost]" in row["error"]
    async with acme.database.scope(acme.workspace_id):
        assert [row["sha256"] for row in await fetch("SELECT sha256 FROM invoice_pdf")] == [pinned.sha256]
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


async def test_a_worker_without_a_press_leaves_it_to_another(bench: Any, tmp_path: Path) -> None:
    acme = await opened(bench, tmp_path, None)
    row = await ran(bench, await acme.invoice())
    assert (row["state"], row["attempts"]) == ("queued", 1)
    assert "[press.unavailable]" in row["error"]
