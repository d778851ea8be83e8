"""Renders ahead of requests and on demand: which job is enqueued where, and when a client is to try again."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.errors import Missing, Unavailable
from kernel.ids import new_id
from kernel.jobs.job import decode_job
from kernel.jobs.load import register_worker, unregister_worker
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, execute, fetch
from kernel.store.roles import Urls
from tenants.customers.actions import add_contact
from tenants.ids import InvoiceId
from tenants.invoices import actions
from tenants.invoices.actions import request_pdf
from tenants.invoices.actions.pdfs import enqueue_prerenders, store_pdf
from tenants.invoices.jobs import PDF_BULK_QUEUE, PDF_QUEUE, RenderPdf
from tenants.invoices.values import Pdf, PendingPdf
from tests.conftest import OPERATOR
from tests.fakes.sample_workspaces import SampleWorkspace, build_content, create_sample_workspace

WORKER = new_id()
NOW = dt.datetime(2026, 3, 16, 9, 30, tzinfo=dt.UTC)


@pytest.fixture
async def acme(scratch: Callable[..., Awaitable[Urls]], settings: Settings) -> AsyncIterator[SampleWorkspace]:
    """A workspace in a database of its own, in which one worker renders four at a time."""
    database = await Database.open(
        (await scratch(migrated=True)).app, size=2, name="requests", actor=OPERATOR
    )
    async with database.unbound():
        await register_worker(WORKER, [PDF_QUEUE, PDF_BULK_QUEUE], slots=4)
    yield await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())
    await database.close()


async def list_render_jobs(acme: SampleWorkspace) -> list[tuple[str, RenderPdf, Any]]:
    """The renders of a workspace: queue, job, row."""
    async with acme.database.scope(acme.workspace_id, read_only=True):
        rows = await fetch(
            "SELECT * FROM job WHERE kind = $1 AND payload <> '{}' ORDER BY created_at, job_id",
            RenderPdf.kind,
        )
    return [(row["queue"], decode_job(RenderPdf, str(row["payload"])), row) for row in rows]


async def request(
    acme: SampleWorkspace, invoice_id: InvoiceId, locale: str = "de-DE", version: int = 1
) -> Pdf | PendingPdf:
    async with acme.database.scope(acme.workspace_id):
        return await request_pdf(invoice_id, version, locale)


async def test_an_issued_version_is_prerendered_in_the_customers_locale_else_the_workspaces(
    acme: SampleWorkspace,
) -> None:
    german = await acme.issue_invoice()
    english = await acme.issue_invoice(await acme.create_customer(locale="en-GB"))
    assert [(queue, job) for queue, job, _ in await list_render_jobs(acme)] == [
        (PDF_BULK_QUEUE, RenderPdf(invoice_id=german, version=1, locale="de-DE")),
        (PDF_BULK_QUEUE, RenderPdf(invoice_id=english, version=1, locale="en-GB")),
    ]


async def test_it_is_prerendered_in_the_locale_of_each_contact_with_a_link(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer()
    async with acme.database.scope(acme.workspace_id):
        french, silent = [
            await add_contact(customer_id, email=f"{name}@example.com", locale=locale, clock=acme.clock)
            for name, locale in (("f", "fr-FR"), ("s", None))
        ]
    draft = await acme.create_draft(customer_id)
    async with acme.database.scope(acme.workspace_id):
        for contact in (french, silent):
            await actions.issue_link(
                draft, contact_id=contact.contact_id, sealer=acme.sealer, clock=acme.clock
            )
    assert await list_render_jobs(acme) == []
    async with acme.database.scope(acme.workspace_id):
        await actions.issue(draft, clock=acme.clock)
    assert {job.locale for _, job, _ in await list_render_jobs(acme)} == {"de-DE", "fr-FR"}
    # A later contact: what is pinned by then is not rendered again.
    async with acme.database.scope(acme.workspace_id):
        await execute("DELETE FROM job")
        await store_pdf(draft, 1, "de-DE", bytes(32), b"%PDF-", is_pinned=True, created_at=NOW)
        await store_pdf(draft, 1, "fr-FR", bytes(32), b"%PDF-", is_pinned=True, created_at=NOW)
        late = await add_contact(customer_id, email="p@example.com", locale="pl-PL", clock=acme.clock)
        await actions.issue_link(draft, contact_id=late.contact_id, sealer=acme.sealer, clock=acme.clock)
        await actions.issue_link(draft, contact_id=silent.contact_id, sealer=acme.sealer, clock=acme.clock)
    assert [(queue, job.locale) for queue, job, _ in await list_render_jobs(acme)] == [
        (PDF_BULK_QUEUE, "pl-PL")
    ]


async def test_a_draft_is_not_rendered_and_a_new_version_is(acme: SampleWorkspace) -> None:
    draft = await acme.create_draft()
    assert await list_render_jobs(acme) == []
    async with acme.database.scope(acme.workspace_id):
        await actions.issue(draft, clock=acme.clock)
        await actions.add_version(draft, build_content("200"), clock=acme.clock)
    assert sorted((job.invoice_id, job.version) for _, job, _ in await list_render_jobs(acme)) == [
        (draft, 1),
        (draft, 2),
    ]


async def test_an_issue_that_is_rolled_back_leaves_no_render_job(acme: SampleWorkspace) -> None:
    draft = await acme.create_draft()
    with pytest.raises(RuntimeError):
        async with acme.database.scope(acme.workspace_id):
            await actions.issue(draft, clock=acme.clock)
            raise RuntimeError
    assert await list_render_jobs(acme) == []


async def test_a_request_moves_the_job_to_the_urgent_queue_and_rendering_ahead_never_moves_it_back(
    acme: SampleWorkspace,
) -> None:
    invoice_id = await acme.issue_invoice()
    pending = await request(acme, invoice_id)
    assert isinstance(pending, PendingPdf)
    assert (0 < pending.after_s < 60, pending.code) == (True, "")
    assert isinstance(await request(acme, invoice_id), PendingPdf)
    async with acme.database.scope(acme.workspace_id):
        await enqueue_prerenders(invoice_id, 1)
    assert [queue for queue, _, _ in await list_render_jobs(acme)] == [PDF_QUEUE]
    # Another locale is another job.
    await request(acme, invoice_id, "en-GB")
    assert {(queue, job.locale) for queue, job, _ in await list_render_jobs(acme)} == {
        (PDF_QUEUE, "de-DE"),
        (PDF_QUEUE, "en-GB"),
    }


async def test_a_pinned_pdf_is_returned_and_a_job_is_enqueued_only_when_its_blob_is_lost(
    acme: SampleWorkspace,
) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        await execute("DELETE FROM job")
        pinned = await store_pdf(invoice_id, 1, "de-DE", bytes(32), b"%PDF-", is_pinned=True, created_at=NOW)
        assert await request_pdf(invoice_id, 1, "de-DE") == pinned
    assert await list_render_jobs(acme) == []
    async with acme.database.scope(acme.workspace_id):
        assert isinstance(await request_pdf(invoice_id, 1, "de-DE", is_lost=True), PendingPdf)
    assert [queue for queue, _, _ in await list_render_jobs(acme)] == [PDF_QUEUE]


async def run_sql(acme: SampleWorkspace, sql: str, *arguments: object) -> None:
    async with acme.database.scope(acme.workspace_id):
        await execute(sql, *arguments)


async def test_a_request_for_a_failed_render_returns_its_next_attempt_and_brings_it_forward(
    acme: SampleWorkspace,
) -> None:
    invoice_id = await acme.issue_invoice()
    await run_sql(acme, "UPDATE job SET attempts = 2, run_at = now() + interval '5 seconds'")
    assert await request(acme, invoice_id) == PendingPdf(6, "pdf.unavailable")
    # As after a long outage.
    await run_sql(acme, "UPDATE job SET attempts = 9, run_at = now() + interval '25 minutes'")
    assert await request(acme, invoice_id) == PendingPdf(11, "pdf.unavailable")


async def test_while_no_worker_can_render_the_pdf_is_unavailable_and_its_job_stays_enqueued(
    acme: SampleWorkspace,
) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.unbound():
        await register_worker(WORKER, ["default"], slots=4)
    assert await request(acme, invoice_id) == PendingPdf(20, "pdf.unavailable")
    await run_sql(acme, "UPDATE job SET attempts = 9, run_at = now() + interval '25 minutes'")
    # It would fail again: it is not brought forward.
    assert await request(acme, invoice_id) == PendingPdf(1500, "pdf.unavailable")
    async with acme.database.unbound():
        await register_worker(WORKER, [PDF_QUEUE], slots=4)
        await execute("UPDATE job_worker SET seen_at = now() - interval '21 seconds'")
    assert await request(acme, invoice_id) == PendingPdf(1500, "pdf.unavailable")
    async with acme.database.unbound():
        await unregister_worker(WORKER)
        assert await fetch("SELECT 1 FROM job_worker") == []


INSERT_QUEUED_JOBS = """
INSERT INTO job (workspace_id, job_id, kind, queue, payload, max_attempts)
SELECT $1, gen_random_uuid(), 'invoices.render_pdf', $2, '{}', 1 FROM generate_series(1, $3)
"""
INSERT_DONE_JOBS = """
INSERT INTO job (workspace_id, job_id, kind, queue, payload, max_attempts, state, begun_at, ended_at)
SELECT $1, gen_random_uuid(), 'invoices.render_pdf', 'pdf', '{}', 1, 'done',
       now() - $3::interval, now() - $3::interval + $2::interval FROM generate_series(1, 50)
"""


async def test_a_request_that_would_wait_longer_than_a_minute_is_refused(
    acme: SampleWorkspace, settings: Settings
) -> None:
    rival = await create_sample_workspace(acme.database, Sealer(settings.secret_keys), SystemClock())
    invoice_id, before = await acme.issue_invoice(), await acme.issue_invoice()
    await run_sql(acme, INSERT_DONE_JOBS, acme.workspace_id, dt.timedelta(seconds=9), dt.timedelta(hours=1))
    await run_sql(acme, INSERT_DONE_JOBS, acme.workspace_id, dt.timedelta(seconds=2), dt.timedelta(minutes=1))
    # Prerenders run after requested renders and do not delay them.
    await run_sql(rival, INSERT_QUEUED_JOBS, rival.workspace_id, PDF_BULK_QUEUE, 1000)
    assert await request(acme, before) == PendingPdf(2)
    # Four at a time, two seconds each: 116 others take 58 seconds, and then it is its own turn.
    await run_sql(acme, INSERT_QUEUED_JOBS, acme.workspace_id, PDF_QUEUE, 115)
    assert await request(acme, before) == PendingPdf(60)
    await run_sql(acme, INSERT_QUEUED_JOBS, acme.workspace_id, PDF_QUEUE, 1)
    with pytest.raises(Unavailable, match=r"pdf\.busy") as refused:
        await request(acme, invoice_id)
    assert refused.value.data["retry_after_s"] == 61
    assert [queue for queue, job, _ in await list_render_jobs(acme) if job.invoice_id == invoice_id] == [
        PDF_BULK_QUEUE
    ]
    # An accepted request stays accepted; one of another workspace comes next, because workspaces take turns.
    assert await request(acme, before) == PendingPdf(61)
    assert await request(rival, await rival.issue_invoice()) == PendingPdf(3)


async def test_a_dead_render_is_not_tried_again_by_every_request(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    await run_sql(acme, "UPDATE job SET state = 'dead', ended_at = now() - interval '5 minutes'")
    with pytest.raises(Unavailable, match=r"pdf\.failed") as refused:
        await request(acme, invoice_id)
    assert refused.value.data["retry_after_s"] == 600
    assert isinstance(await request(acme, invoice_id, "en-GB"), PendingPdf)
    await run_sql(acme, "UPDATE job SET ended_at = now() - interval '16 minutes' WHERE state = 'dead'")
    assert isinstance(await request(acme, invoice_id), PendingPdf)


async def test_a_version_that_is_not_issued_or_anothers_is_not_found(
    acme: SampleWorkspace, settings: Settings
) -> None:
    rival = await create_sample_workspace(acme.database, Sealer(settings.secret_keys), SystemClock())
    draft, issued = await acme.create_draft(), await acme.issue_invoice()
    for who, invoice_id, version in (
        (acme, draft, 1),
        (acme, issued, 2),
        (rival, issued, 1),
        (acme, InvoiceId(new_id()), 1),
    ):
        with pytest.raises(Missing, match=r"invoice\.not_found"):
            await request(who, invoice_id, version=version)
