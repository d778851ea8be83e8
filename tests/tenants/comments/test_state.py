"""What each side has seen and been notified of, what is unread, resolved and muted, and the staff's list."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from kernel import live
from kernel.clock import FixedClock
from kernel.errors import Invalid, Missing
from kernel.live import Audience
from tenants.comments import actions, queries
from tenants.comments.values import Side, ThreadSummary
from tenants.ids import InvoiceId
from tenants.workspaces.actions import set_contact_email
from tests.fakes.sample_threads import ANA, BEN, JO, load, write, write_note
from tests.fakes.sample_workspaces import SampleWorkspace

FAR = 1_000_000


async def mark_seen(workspace: SampleWorkspace, invoice_id: InvoiceId, side: Side, staff_seq: int) -> bool:
    async with workspace.database.scope(workspace.workspace_id):
        return await actions.mark_seen(invoice_id, side, staff_seq, workspace.clock)


async def list_threads(workspace: SampleWorkspace, **options: object) -> tuple[ThreadSummary, ...]:
    async with workspace.database.scope(workspace.workspace_id, read_only=True):
        return await queries.list_threads(**options)  # type: ignore[arg-type]


async def load_seen_events(workspace: SampleWorkspace, invoice_id: InvoiceId) -> list[dict[str, object]]:
    async with workspace.database.scope(workspace.workspace_id, read_only=True):
        events = await live.read_events(invoice_id, Audience.PUBLIC, 0)
    return [event.payload for event in events if event.kind == "thread.seen"]


async def test_what_a_side_has_seen_is_told_to_the_other_once(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    first, reply = await write(acme, invoice_id, ANA), await write(acme, invoice_id, JO)
    assert await mark_seen(acme, invoice_id, Side.STAFF, first.staff_seq)
    assert await mark_seen(acme, invoice_id, Side.CUSTOMER, reply.staff_seq)
    assert not await mark_seen(acme, invoice_id, Side.CUSTOMER, reply.staff_seq)
    view = await load(acme, invoice_id)
    assert (view.staff_seen_seq, view.customer_seen_seq) == (first.staff_seq, reply.staff_seq)
    assert view.staff_seen_at is not None
    assert view.customer_seen_at is not None
    assert await load_seen_events(acme, invoice_id) == [{"side": "staff"}, {"side": "customer"}]


async def test_what_was_seen_is_never_unseen_and_never_more_than_was_written(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    first, second = await write(acme, invoice_id, ANA), await write(acme, invoice_id, BEN)
    assert await mark_seen(acme, invoice_id, Side.STAFF, FAR)
    assert not await mark_seen(acme, invoice_id, Side.STAFF, first.staff_seq)
    assert (await load(acme, invoice_id)).staff_seen_seq == second.staff_seq
    await write(acme, invoice_id, ANA)
    assert [each.unread for each in await list_threads(acme)] == [1]


async def test_ones_own_comments_and_notes_are_nothing_to_be_seen(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    await write(acme, invoice_id, ANA)
    note = await write_note(acme, invoice_id)
    assert not await mark_seen(acme, invoice_id, Side.CUSTOMER, FAR)
    assert await mark_seen(acme, invoice_id, Side.STAFF, FAR)
    assert (await load(acme, invoice_id)).staff_seen_seq < note.staff_seq
    assert not await mark_seen(acme, await acme.issue_invoice(), Side.STAFF, FAR)


async def test_each_side_counts_what_it_has_not_seen(acme: SampleWorkspace) -> None:
    invoice_id, quiet_id = await acme.issue_invoice(), await acme.issue_invoice()
    for author in (ANA, BEN, JO, JO, JO):
        await write(acme, invoice_id, author)
    await write_note(acme, invoice_id)
    comments = (await load(acme, invoice_id)).comments
    async with acme.database.scope(acme.workspace_id):
        await actions.delete_comment(invoice_id, comments[2].comment_id, JO, acme.clock)
        await actions.delete_comment(invoice_id, comments[0].comment_id, ANA, acme.clock)
        assert await queries.count_unread_for_customer([invoice_id, quiet_id]) == {invoice_id: 2}
    (thread,) = await list_threads(acme)
    assert (thread.comments, thread.unread) == (4, 1)
    await mark_seen(acme, invoice_id, Side.CUSTOMER, comments[3].staff_seq)
    await mark_seen(acme, invoice_id, Side.STAFF, FAR)
    async with acme.database.scope(acme.workspace_id):
        assert await queries.count_unread_for_customer([invoice_id]) == {invoice_id: 1}
    assert [each.unread for each in await list_threads(acme)] == [0]
    assert await list_threads(acme, unread_only=True) == ()


async def test_the_list_has_the_newest_comment_first_and_goes_on_where_it_ended(
    acme: SampleWorkspace, clock: FixedClock
) -> None:
    invoices = [await acme.issue_invoice() for _ in range(4)]
    for invoice_id in invoices[:3]:
        await write(acme, invoice_id, clock=clock)
    clock.advance(timedelta(hours=1))
    await write(acme, invoices[0], JO, clock=clock)
    await mark_seen(acme, invoices[0], Side.STAFF, FAR)
    listed = await list_threads(acme)
    # Those of one moment are in the order of their ids.
    expected = [invoices[0], *sorted(invoices[1:3], reverse=True)]
    assert [each.invoice_id for each in listed] == expected
    assert (listed[0].number, listed[0].customer_name) == ("INV-00001", "Buyer AG")
    assert [
        each.invoice_id for each in await list_threads(acme, after=listed[0].invoice_id, limit=1)
    ] == expected[1:2]
    assert [each.invoice_id for each in await list_threads(acme, after=listed[1].invoice_id)] == expected[2:]
    assert [each.invoice_id for each in await list_threads(acme, unread_only=True)] == expected[1:]
    with pytest.raises(Missing, match=r"thread\.not_found"):
        await list_threads(acme, after=invoices[3])


async def test_a_thread_is_resolved_and_opened_again(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        for attempt in (
            actions.resolve_thread(invoice_id, acme.clock),
            actions.reopen_thread(invoice_id),
        ):
            with pytest.raises(Missing, match=r"thread\.not_found"):
                await attempt
    await write(acme, invoice_id)
    async with acme.database.scope(acme.workspace_id):
        await actions.resolve_thread(invoice_id, acme.clock)
    (thread,) = await list_threads(acme)
    assert thread.resolved_at is not None
    async with acme.database.scope(acme.workspace_id):
        await actions.reopen_thread(invoice_id)
    (thread,) = await list_threads(acme)
    assert thread.resolved_at is None


async def test_a_mail_reports_what_was_not_reported_before_nor_seen_by_the_staff(
    acme: SampleWorkspace,
) -> None:
    invoice_id = await acme.issue_invoice()
    first, second = await write(acme, invoice_id, ANA), await write(acme, invoice_id, BEN)
    reply = await write(acme, invoice_id, JO)
    await write_note(acme, invoice_id)
    async with acme.database.scope(acme.workspace_id):
        assert await queries.load_unnotified(invoice_id, Side.STAFF) == (first, second)
        assert await queries.load_unnotified(invoice_id, Side.CUSTOMER) == (reply,)
        await actions.mark_notified(invoice_id, Side.STAFF, first.staff_seq)
        await actions.mark_notified(invoice_id, Side.STAFF, 0)
        assert await queries.load_unnotified(invoice_id, Side.STAFF) == (second,)
        assert await queries.load_unnotified(invoice_id, Side.CUSTOMER) == (reply,)
        # One of the customer's people has seen it; the others have not.
        await actions.mark_seen(invoice_id, Side.CUSTOMER, reply.staff_seq, acme.clock)
        assert await queries.load_unnotified(invoice_id, Side.CUSTOMER) == (reply,)
        await actions.mark_notified(invoice_id, Side.CUSTOMER, reply.staff_seq)
        assert await queries.load_unnotified(invoice_id, Side.CUSTOMER) == ()
        await actions.delete_comment(invoice_id, second.comment_id, BEN, acme.clock)
        assert await queries.load_unnotified(invoice_id, Side.STAFF) == ()


async def test_an_address_is_muted_for_one_invoice_until_it_is_not(acme: SampleWorkspace) -> None:
    invoice_id, other_id = await acme.issue_invoice(), await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        await actions.mute_thread(invoice_id, "Ana@Buyer.example")
        assert await queries.list_muted(invoice_id) == {"ana@buyer.example"}
        assert await queries.list_muted(other_id) == frozenset()
        await actions.unmute_thread(invoice_id, "ana@buyer.example")
        assert await queries.list_muted(invoice_id) == frozenset()
        with pytest.raises(Invalid, match=r"email\.invalid"):
            await actions.mute_thread(invoice_id, "nobody")


async def test_an_invoice_without_comments_has_an_empty_thread(acme: SampleWorkspace) -> None:
    view = await load(acme, await acme.issue_invoice())
    assert view.comments == ()
    assert view.cursor is not None
    assert (view.cursor.seq, view.staff_seen_seq, view.customer_seen_seq) == (0, 0, 0)


async def test_two_jobs_at_once_report_no_comment_twice(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        await set_contact_email("desk@acme.example")
    await write(acme, invoice_id)

    async def notify() -> int:
        async with acme.database.scope(acme.workspace_id):
            count = await actions.notify_side(invoice_id, Side.STAFF, sealer=acme.sealer, clock=acme.clock)
            # The other one has begun meanwhile.
            await asyncio.sleep(0.05)
            return count

    assert sorted(await asyncio.gather(notify(), notify())) == [0, 1]
