"""An exercise for every action on comments and threads."""

from __future__ import annotations

from tenants.comments import actions as comments
from tenants.comments.values import Side
from tenants.customers.actions import add_contact
from tenants.ids import InvoiceId
from tenants.invoices.actions import issue_link
from tests.fakes.sample_threads import ANA, JO, post, write, write_note
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.tenants.exercises import CLOCK, Call, call, exercise, run

CLIENT_ID = "chosen-by-the-client"


async def resolve(workspace: SampleWorkspace) -> InvoiceId:
    invoice_id = await workspace.issue_invoice()
    await write(workspace, invoice_id)
    await run(workspace, comments.resolve_thread, invoice_id, CLOCK)
    return invoice_id


async def mute(workspace: SampleWorkspace) -> InvoiceId:
    invoice_id = await workspace.issue_invoice()
    await run(workspace, comments.mute_thread, invoice_id, "ana@buyer.example")
    return invoice_id


@exercise(comments.post_comment, "comment.posted", side="customer", proofs=["link"])
async def post_a_comment(workspace: SampleWorkspace) -> Call:
    return call(await workspace.issue_invoice(), ANA, "A secret text", client_id=CLIENT_ID, clock=CLOCK)


@exercise(comments.post_comment)
async def post_a_comment_again(workspace: SampleWorkspace) -> Call:
    invoice_id = await workspace.issue_invoice()
    await post(workspace, invoice_id, client_id=CLIENT_ID)
    return call(invoice_id, ANA, "Hello", client_id=CLIENT_ID, clock=CLOCK)


@exercise(comments.post_comment, "comment.posted", "thread.reopened")
async def post_a_comment_in_a_resolved_thread(workspace: SampleWorkspace) -> Call:
    return call(await resolve(workspace), ANA, "One more thing", client_id=CLIENT_ID, clock=CLOCK)


@exercise(comments.post_comment, "note.posted")
async def post_a_note(workspace: SampleWorkspace) -> Call:
    invoice_id = await workspace.issue_invoice()
    return call(invoice_id, JO, "A secret note", client_id=CLIENT_ID, clock=CLOCK, is_internal=True)


@exercise(comments.edit_comment, "comment.edited")
async def edit_a_comment(workspace: SampleWorkspace) -> Call:
    invoice_id = await workspace.issue_invoice()
    comment = await write(workspace, invoice_id)
    return call(invoice_id, comment.comment_id, ANA, "Hello again", CLOCK)


@exercise(comments.edit_comment, "note.edited")
async def edit_a_note(workspace: SampleWorkspace) -> Call:
    invoice_id = await workspace.issue_invoice()
    note = await write_note(workspace, invoice_id)
    return call(invoice_id, note.comment_id, JO, "Another note", CLOCK)


@exercise(comments.edit_comment)
async def edit_a_comment_to_the_same_text(workspace: SampleWorkspace) -> Call:
    invoice_id = await workspace.issue_invoice()
    comment = await write(workspace, invoice_id)
    return call(invoice_id, comment.comment_id, ANA, " Hello ", CLOCK)


@exercise(comments.delete_comment, "comment.deleted", deleted_by="staff")
async def delete_a_comment(workspace: SampleWorkspace) -> Call:
    invoice_id = await workspace.issue_invoice()
    comment = await write(workspace, invoice_id)
    return call(invoice_id, comment.comment_id, JO, CLOCK)


@exercise(comments.delete_comment, "note.deleted")
async def delete_a_note(workspace: SampleWorkspace) -> Call:
    invoice_id = await workspace.issue_invoice()
    note = await write_note(workspace, invoice_id)
    return call(invoice_id, note.comment_id, JO, CLOCK)


@exercise(comments.delete_comment)
async def delete_a_comment_again(workspace: SampleWorkspace) -> Call:
    invoice_id = await workspace.issue_invoice()
    comment = await write(workspace, invoice_id)
    await run(workspace, comments.delete_comment, invoice_id, comment.comment_id, JO, CLOCK)
    return call(invoice_id, comment.comment_id, ANA, CLOCK)


@exercise(comments.resolve_thread, "thread.resolved")
async def resolve_a_thread(workspace: SampleWorkspace) -> Call:
    invoice_id = await workspace.issue_invoice()
    await write(workspace, invoice_id)
    return call(invoice_id, CLOCK)


@exercise(comments.resolve_thread)
async def resolve_a_resolved_thread(workspace: SampleWorkspace) -> Call:
    return call(await resolve(workspace), CLOCK)


@exercise(comments.reopen_thread, "thread.reopened")
async def reopen_a_thread(workspace: SampleWorkspace) -> Call:
    return call(await resolve(workspace))


@exercise(comments.mute_thread, "thread.muted")
async def mute_a_thread(workspace: SampleWorkspace) -> Call:
    return call(await workspace.issue_invoice(), "ana@buyer.example")


@exercise(comments.mute_thread)
async def mute_a_muted_thread(workspace: SampleWorkspace) -> Call:
    return call(await mute(workspace), "Ana@Buyer.example")


@exercise(comments.unmute_thread, "thread.unmuted")
async def unmute_a_thread(workspace: SampleWorkspace) -> Call:
    return call(await mute(workspace), "ana@buyer.example")


@exercise(comments.unmute_thread)
async def unmute_a_thread_that_is_not_muted(workspace: SampleWorkspace) -> Call:
    return call(await workspace.issue_invoice(), "ana@buyer.example")


@exercise(comments.notify_side, "link.shown")
async def notify_a_contact_with_a_link(workspace: SampleWorkspace) -> Call:
    customer_id = await workspace.create_customer()
    contact = await run(workspace, add_contact, customer_id, email="ana@buyer.example", clock=CLOCK)
    invoice_id = await workspace.issue_invoice(customer_id)
    await run(
        workspace,
        issue_link,
        invoice_id,
        contact_id=contact.contact_id,
        sealer=workspace.sealer,
        clock=CLOCK,
    )
    await write(workspace, invoice_id, JO)
    return call(invoice_id, Side.CUSTOMER, sealer=workspace.sealer, clock=CLOCK)
