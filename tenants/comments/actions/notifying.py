"""Who gets mail about a thread, and up to which comment it was sent."""

from __future__ import annotations

from typing import Final

from kernel.clock import Clock
from kernel.identifiers import check_email
from kernel.jobs import enqueue
from kernel.seals import Sealer
from kernel.store import current_workspace, execute, fetch_value
from tenants.activity.actions import emit
from tenants.comments.actions.rows import lock_thread
from tenants.comments.events import ThreadMuted, ThreadUnmuted
from tenants.comments.jobs import SendComments
from tenants.comments.queries import load_unnotified
from tenants.comments.recipients import list_recipients
from tenants.comments.tables import ThreadMute
from tenants.comments.values import Side
from tenants.ids import InvoiceId
from tenants.invoices.actions import show_link
from tenants.invoices.queries import load_invoice

_MUTE: Final = """
INSERT INTO thread_mute (workspace_id, invoice_id, email) VALUES ($1, $2, $3)
ON CONFLICT (workspace_id, invoice_id, email) DO NOTHING RETURNING true
"""
_MARK_NOTIFIED: Final = """
UPDATE thread
SET staff_notified_seq = CASE $3 WHEN 'staff' THEN greatest(staff_notified_seq, $4) ELSE staff_notified_seq END,
    customer_notified_seq = CASE $3 WHEN 'customer' THEN greatest(customer_notified_seq, $4)
                                    ELSE customer_notified_seq END
WHERE workspace_id = $1 AND invoice_id = $2
"""


async def mute_thread(invoice_id: InvoiceId, email: str) -> None:
    """Send no more mail about an invoice's comments to an address.

    Missing("invoice.not_found"), Invalid("email.invalid").
    """
    address = check_email(email)
    await load_invoice(invoice_id)
    if await fetch_value(_MUTE, current_workspace(), invoice_id, address):
        await emit(ThreadMuted(invoice_id=invoice_id))


async def unmute_thread(invoice_id: InvoiceId, email: str) -> None:
    """Send mail about an invoice's comments to an address again; Missing("invoice.not_found"), Invalid as above."""
    address = check_email(email)
    await load_invoice(invoice_id)
    removed = (
        await ThreadMute.delete()
        .where(
            ThreadMute.workspace_id == current_workspace(),
            ThreadMute.invoice_id == invoice_id,
            ThreadMute.email == address,
        )
        .returning(ThreadMute.email)
    )
    if removed:
        await emit(ThreadUnmuted(invoice_id=invoice_id))


async def mark_notified(invoice_id: InvoiceId, side: Side, staff_seq: int) -> None:
    """Record that a side got a mail about the comments up to `staff_seq` (of `queries.load_unnotified`)."""
    await execute(_MARK_NOTIFIED, current_workspace(), invoice_id, side.value, staff_seq)


async def notify_side(invoice_id: InvoiceId, side: Side, *, sealer: Sealer, clock: Clock) -> int:
    """Enqueue one mail for each recipient of a side about all comments it was not notified of; returns how many.

    Each mail is a job of its own, so that a server that refuses one recipient delays no other. The links in the mails
    stay valid for some days (`show_link`).
    """
    if not await load_unnotified(invoice_id, side):
        return 0
    # Of two such jobs at once the second waits, and finds what the first has left.
    await lock_thread(invoice_id)
    comments = await load_unnotified(invoice_id, side)
    if not comments:
        return 0
    recipients = await list_recipients(invoice_id, side)
    comment_ids = tuple(comment.comment_id for comment in comments)
    for recipient in recipients:
        if recipient.link_id is not None and recipient.may_receive_link:
            await show_link(recipient.link_id, sealer=sealer, clock=clock)
        await enqueue(
            SendComments(invoice_id=invoice_id, side=side, comment_ids=comment_ids, email=recipient.email)
        )
    await mark_notified(invoice_id, side, comments[-1].staff_seq)
    return len(recipients)
