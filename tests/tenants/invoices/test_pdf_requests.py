"""PDFs ahead of need and on demand: which job is enqueued where, and what is said to who waits."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.errors import Missing, Unavailable
from kernel.ids import InvoiceId, new_id
from kernel.jobs.job import decoded
from kernel.jobs.load import announce, withdraw
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, execute, fetch
from kernel.store.roles import Urls
from tenants.customers.actions import add_contact
from tenants.invoices import actions
from tenants.invoices.actions import Expected, request_pdf
from tenants.invoices.actions.pdfs import print_ahead
from tenants.invoices.jobs import PDF_BULK_QUEUE, PDF_QUEUE, RenderVersion
from tenants.invoices.pdfs import Pdf, keep_pdf
from tests.fakes.businesses import Business, content, open_business

WORKER = new_id()
NOW = dt.datetime(2026, 3, 16, 9, 30, tzinfo=dt.UTC)


@pytest.fixture
async def acme(scratch: Callable[..., Awaitable[Urls]], settings: Settings) -> AsyncIterator[Business]:
    """A business in a database of its own, in which one worker prints four at a time."""
    database = await Database.open((await scratch(migrated=True)).app, size=2, name="requests")
    async with database.unbound():
        await announce(WORKER, [PDF_QUEUE, PDF_BULK_QUEUE], slots=4)
    yield await open_business(database, Sealer(settings.secret_keys), SystemClock())
    await database.close()


async def renders(acme: Business) -> list[tuple[str, RenderVersion, Any]]:
    """The renders of a workspace: queue, job, row."""
    async with acme.database.scope(acme.workspace_id, read_only=True):
        rows = await fetch(
            "SELECT * FROM job WHERE kind = $1 AND payload <> '{}' ORDER BY created_at, job_id",
            RenderVersion.kind,
        )
    return [(row["queue"], decoded(RenderVersion, str(row["payload"])), row) for row in rows]


async def asked(
    acme: Business, invoice_id: InvoiceId, locale: str = "de-DE", version: int = 1
) -> Pdf | Expected:
    async with acme.database.scope(acme.workspace_id):
        return await request_pdf(invoice_id, version, locale)


async def test_what_is_issued_is_printed_ahead_in_the_customers_language_else_the_workspaces(
    acme: Business,
) -> None:
    german = await acme.invoice()
    english = await acme.invoice(await acme.customer(locale="en-GB"))
    assert [(queue, job) for queue, job, _ in await renders(acme)] == [
        (PDF_BULK_QUEUE, RenderVersion(invoice_id=german, version=1, locale="de-DE")),
        (PDF_BULK_QUEUE, RenderVersion(invoice_id=english, version=1, locale="en-GB")),
    ]


async def test_for_contacts_who_read_another_language_it_is_printed_ahead_too(acme: Business) -> None:
    customer_id = await acme.customer()
    async with acme.database.scope(acme.workspace_id):
        french, silent = [
            await add_contact(customer_id, email=f"{name}@example.com", locale=locale, clock=acme.clock)
            for name, locale in (("f", "fr-FR"), ("s", None))
        ]
    draft = await acme.draft(customer_id)
    async with acme.database.scope(acme.workspace_id):
        for contact in (french, silent):
            await actions.issue_link(
                draft, contact_id=contact.contact_id, sealer=acme.sealer, clock=acme.clock
            )
    assert await renders(acme) == []
    async with acme.database.scope(acme.workspace_id):
        await actions.issue(draft, clock=acme.clock)
    assert {job.locale for _, job, _ in await renders(acme)} == {"de-DE", "fr-FR"}
    # One who comes later; what is pinned by then is not printed again.
    async with acme.database.scope(acme.workspace_id):
        await execute("DELETE FROM job")
        await keep_pdf(draft, 1, "de-DE", bytes(32), b"%PDF-", pinned=True, created_at=NOW)
        await keep_pdf(draft, 1, "fr-FR", bytes(32), b"%PDF-", pinned=True, created_at=NOW)
        late = await add_contact(customer_id, email="p@example.com", locale="pl-PL", clock=acme.clock)
        await actions.issue_link(draft, contact_id=late.contact_id, sealer=acme.sealer, clock=acme.clock)
        await actions.issue_link(draft, contact_id=silent.contact_id, sealer=acme.sealer, clock=acme.clock)
    assert [(queue, job.locale) for queue, job, _ in await renders(acme)] == [(PDF_BULK_QUEUE, "pl-PL")]


async def test_a_draft_is_not_printed_and_a_new_version_is(acme: Business) -> None:
    draft = await acme.draft()
    assert await renders(acme) == []
    async with acme.database.scope(acme.workspace_id):
        await actions.issue(draft, clock=acme.clock)
        await actions.new_version(draft, content("200"), clock=acme.clock)
    assert sorted((job.invoice_id, job.version) for _, job, _ in await renders(acme)) == [
        (draft, 1),
        (draft, 2),
    ]


async def test_an_issue_that_is_rolled_back_leaves_no_print(acme: Business) -> None:
    draft = await acme.draft()
    with pytest.raises(RuntimeError):
        async with acme.database.scope(acme.workspace_id):
            await actions.issue(draft, clock=acme.clock)
            raise RuntimeError
    assert await renders(acme) == []


async def test_who_asks_moves_the_print_before_what_nobody_waits_for_and_the_batch_never_moves_it_back(
    acme: Business,
) -> None:
    invoice_id = await acme.invoice()
    expected = await asked(acme, invoice_id)
    assert isinstance(expected, Expected)
    assert (0 < expected.after_s < 60, expected.is_failing) == (True, False)
    assert isinstance(await asked(acme, invoice_id), Expected)
    async with acme.database.scope(acme.workspace_id):
        await print_ahead(invoice_id, 1)
    assert [queue for queue, _, _ in await renders(acme)] == [PDF_QUEUE]
    # Another language is another print.
    await asked(acme, invoice_id, "en-GB")
    assert {(queue, job.locale) for queue, job, _ in await renders(acme)} == {
        (PDF_QUEUE, "de-DE"),
        (PDF_QUEUE, "en-GB"),
    }


async def test_what_is_pinned_is_returned_and_nothing_is_enqueued_unless_its_blob_has_gone(
    acme: Business,
) -> None:
    invoice_id = await acme.invoice()
    async with acme.database.scope(acme.workspace_id):
        await execute("DELETE FROM job")
        pinned = await keep_pdf(invoice_id, 1, "de-DE", bytes(32), b"%PDF-", pinned=True, created_at=NOW)
        assert await request_pdf(invoice_id, 1, "de-DE") == pinned
    assert await renders(acme) == []
    async with acme.database.scope(acme.workspace_id):
        assert isinstance(await request_pdf(invoice_id, 1, "de-DE", is_lost=True), Expected)
    assert [queue for queue, _, _ in await renders(acme)] == [PDF_QUEUE]


async def change(acme: Business, sql: str, *arguments: object) -> None:
    async with acme.database.scope(acme.workspace_id):
        await execute(sql, *arguments)


async def test_who_waits_for_a_print_that_failed_is_told_when_it_is_tried_again_and_that_is_soon(
    acme: Business,
) -> None:
    invoice_id = await acme.invoice()
    await change(acme, "UPDATE job SET attempts = 2, run_at = now() + interval '5 seconds'")
    assert await asked(acme, invoice_id) == Expected(6, is_failing=True)
    # As after an outage that was long.
    await change(acme, "UPDATE job SET attempts = 9, run_at = now() + interval '25 minutes'")
    assert await asked(acme, invoice_id) == Expected(11, is_failing=True)


async def test_while_nobody_can_print_it_is_said_and_the_print_is_enqueued_all_the_same(
    acme: Business,
) -> None:
    invoice_id = await acme.invoice()
    async with acme.database.unbound():
        await announce(WORKER, ["default"], slots=4)
    assert await asked(acme, invoice_id) == Expected(20, is_failing=True)
    await change(acme, "UPDATE job SET attempts = 9, run_at = now() + interval '25 minutes'")
    # It would fail again: it is not hurried.
    assert await asked(acme, invoice_id) == Expected(1500, is_failing=True)
    async with acme.database.unbound():
        await announce(WORKER, [PDF_QUEUE], slots=4)
        await execute("UPDATE job_worker SET seen_at = now() - interval '21 seconds'")
    assert await asked(acme, invoice_id) == Expected(1500, is_failing=True)
    async with acme.database.unbound():
        await withdraw(WORKER)
        assert await fetch("SELECT 1 FROM job_worker") == []


FLOOD = """
INSERT INTO job (workspace_id, job_id, kind, queue, payload, max_attempts)
SELECT $1, gen_random_uuid(), 'invoices.render_version', $2, '{}', 1 FROM generate_series(1, $3)
"""
SERVED = """
INSERT INTO job (workspace_id, job_id, kind, queue, payload, max_attempts, state, begun_at, ended_at)
SELECT $1, gen_random_uuid(), 'invoices.render_version', 'pdf', '{}', 1, 'done',
       now() - $3::interval, now() - $3::interval + $2::interval FROM generate_series(1, 50)
"""


async def test_who_would_wait_for_longer_than_a_minute_is_asked_to_come_back(
    acme: Business, settings: Settings
) -> None:
    rival = await open_business(acme.database, Sealer(settings.secret_keys), SystemClock())
    invoice_id, before = await acme.invoice(), await acme.invoice()
    await change(acme, SERVED, acme.workspace_id, dt.timedelta(seconds=9), dt.timedelta(hours=1))
    await change(acme, SERVED, acme.workspace_id, dt.timedelta(seconds=2), dt.timedelta(minutes=1))
    # The batch is behind whoever asks, and makes nobody wait.
    await change(rival, FLOOD, rival.workspace_id, PDF_BULK_QUEUE, 1000)
    assert await asked(acme, before) == Expected(2)
    # Four at a time, two seconds each: 116 others take 58 seconds, and then it is its own turn.
    await change(acme, FLOOD, acme.workspace_id, PDF_QUEUE, 115)
    assert await asked(acme, before) == Expected(60)
    await change(acme, FLOOD, acme.workspace_id, PDF_QUEUE, 1)
    with pytest.raises(Unavailable, match=r"pdf\.busy") as refused:
        await asked(acme, invoice_id)
    assert refused.value.data["retry_after_s"] == 61
    assert [queue for queue, job, _ in await renders(acme) if job.invoice_id == invoice_id] == [
        PDF_BULK_QUEUE
    ]
    # Who was let in stays in, and who has asked for nothing yet comes next, because workspaces take turns.
    assert await asked(acme, before) == Expected(61)
    assert await asked(rival, await rival.invoice()) == Expected(3)


async def test_what_was_given_up_is_not_tried_by_every_click(acme: Business) -> None:
    invoice_id = await acme.invoice()
    await change(acme, "UPDATE job SET state = 'dead', ended_at = now() - interval '5 minutes'")
    with pytest.raises(Unavailable, match=r"pdf\.failed") as refused:
        await asked(acme, invoice_id)
    assert refused.value.data["retry_after_s"] == 600
    assert isinstance(await asked(acme, invoice_id, "en-GB"), Expected)
    await change(acme, "UPDATE job SET ended_at = now() - interval '16 minutes' WHERE state = 'dead'")
    assert isinstance(await asked(acme, invoice_id), Expected)


async def test_what_is_not_issued_or_anothers_is_not_there(acme: Business, settings: Settings) -> None:
    rival = await open_business(acme.database, Sealer(settings.secret_keys), SystemClock())
    draft, issued = await acme.draft(), await acme.invoice()
    for who, invoice_id, version in (
        (acme, draft, 1),
        (acme, issued, 2),
        (rival, issued, 1),
        (acme, InvoiceId(new_id()), 1),
    ):
        with pytest.raises(Missing, match=r"invoice\.not_found"):
            await asked(who, invoice_id, version=version)
