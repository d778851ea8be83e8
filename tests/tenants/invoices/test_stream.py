"""What an invoice's readers are told: by which action, once, and to whom."""

from __future__ import annotations

import datetime as dt

from kernel import live
from kernel.clock import SystemClock
from kernel.ids import new_id
from kernel.live import Audience
from kernel.store import fetch_value
from tenants.ids import InvoiceId
from tenants.invoices import actions
from tenants.invoices.actions.pdfs import store_pdf
from tenants.invoices.ubl import read_ubl
from tenants.invoices.values import ActorClass, View
from tests.fakes.payments import set_paid
from tests.fakes.sample_workspaces import SampleWorkspace, build_content, euros
from tests.fakes.ubl_writer import read_published

CLOCK = SystemClock()
FINGERPRINT = bytes(32)


async def load_events(
    workspace: SampleWorkspace, invoice_id: InvoiceId, audience: Audience = Audience.PUBLIC
) -> list[tuple[str, dict[str, object]]]:
    async with workspace.database.scope(workspace.workspace_id, read_only=True):
        events = await live.read_events(invoice_id, audience, 0)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return [(event.kind, event.payload) for event in events]


async def test_readers_are_told_of_payments_versions_and_the_end_of_an_invoice(acme: SampleWorkspace) -> None:
    paid_id, void_id, lost_id = [await acme.issue_invoice() for _ in range(3)]
    async with acme.database.scope(acme.workspace_id):
        await set_paid(paid_id, euros("19"), clock=CLOCK)
        await set_paid(paid_id, euros("119"), clock=CLOCK)
        await set_paid(paid_id, euros("119"), clock=CLOCK)
        await actions.add_version(paid_id, build_content("200"), clock=CLOCK)
        await actions.void(void_id, clock=CLOCK)
        await actions.write_off(lost_id, clock=CLOCK)
    assert await load_events(acme, paid_id) == [
        ("payment.booked", {"entry": "manual"}),
        ("payment.booked", {"entry": "manual"}),
        ("invoice.version_added", {"version": 2}),
    ]
    assert await load_events(acme, void_id) == [("invoice.status_changed", {"status": "void"})]
    assert await load_events(acme, lost_id) == [("invoice.status_changed", {"status": "written_off"})]


async def test_readers_are_told_once_that_a_pdf_is_ready_and_again_when_it_was_lost(
    acme: SampleWorkspace,
) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        for _ in range(2):
            await store_pdf(
                invoice_id, 1, "de-DE", FINGERPRINT, b"%PDF-", is_pinned=True, created_at=CLOCK.now()
            )
    ready = ("pdf.ready", {"version": 1, "locale": "de-DE"})
    assert await load_events(acme, invoice_id) == [ready]
    # Its file was lost, and whoever asked for it waits.
    async with acme.database.scope(acme.workspace_id):
        await store_pdf(
            invoice_id,
            1,
            "de-DE",
            FINGERPRINT,
            b"%PDF-",
            is_pinned=True,
            created_at=CLOCK.now(),
            was_lost=True,
        )
    assert await load_events(acme, invoice_id) == [ready, ready]


async def test_views_are_told_to_the_staff_alone_and_once(acme: SampleWorkspace) -> None:
    viewed_id, other_id = await acme.issue_invoice(), await acme.issue_invoice()
    views = [
        View(new_id(), invoice_id, None, actor, dt.datetime.now(dt.UTC), None, "", "")
        for invoice_id, actor in (
            (viewed_id, ActorClass.HUMAN),
            (other_id, ActorClass.SCANNER),
            (viewed_id, ActorClass.SCANNER),
        )
    ]
    async with acme.database.scope(acme.workspace_id):
        assert await actions.record_views(views) == 3
        assert await actions.record_views(views) == 0
    assert await load_events(acme, viewed_id) == await load_events(acme, other_id) == []
    assert await load_events(acme, viewed_id, Audience.STAFF) == [
        ("invoice.viewed", {"views": {"human": 1, "scanner": 1}})
    ]


async def test_the_stream_begins_with_the_invoice_and_ends_with_a_draft_that_is_discarded(
    acme: SampleWorkspace,
) -> None:
    draft_id = await acme.create_draft()
    async with acme.database.scope(acme.workspace_id):
        imported = await actions.import_invoice(read_ubl(read_published("01.01a")), clock=CLOCK)
        for invoice_id in (draft_id, imported.invoice_id):
            heads = await live.load_heads(invoice_id)
            assert heads is not None
            assert (heads.staff, heads.public) == (0, 0)
        await actions.discard_draft(draft_id)
        assert await live.load_heads(draft_id) is None


async def test_an_invoice_from_before_there_were_streams_gets_one_with_its_first_event(
    acme: SampleWorkspace,
) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        await live.delete_stream(invoice_id)
        await actions.void(invoice_id, clock=CLOCK)
        assert await fetch_value("SELECT public_head FROM live_stream WHERE stream_id = $1", invoice_id) == 1
