"""What each side has seen of a thread, and whether it is resolved."""

from __future__ import annotations

from typing import Final

from kernel import live
from kernel.clock import Clock
from kernel.live import Audience
from kernel.store import current_workspace, fetch_value
from tenants.activity.actions import emit
from tenants.comments.actions.rows import lock_thread, update_thread
from tenants.comments.events import ThreadReopened, ThreadResolved
from tenants.comments.stream import ThreadEventKind
from tenants.comments.tables import Thread
from tenants.comments.values import Side
from tenants.ids import InvoiceId

# Notes do not count: the public event would reveal them.
_FIND_NEWEST: Final = """
SELECT max(staff_seq) FROM comment
WHERE workspace_id = $1 AND invoice_id = $2 AND side = $3 AND NOT is_internal AND staff_seq <= $4
"""


async def mark_seen(invoice_id: InvoiceId, side: Side, staff_seq: int, clock: Clock) -> bool:
    """Record that a side has seen the other's comments up to `staff_seq`; returns whether any were new to it.

    `staff_seq` is that of the newest comment that was shown (`Comment.staff_seq`); a larger number counts as that of
    the newest comment. Without a newer one nothing is written.
    """
    newest = await fetch_value(_FIND_NEWEST, current_workspace(), invoice_id, side.other.value, staff_seq)
    if newest is None:
        return False
    thread = await lock_thread(invoice_id)
    if newest <= thread.seen_seqs[side]:
        return False
    is_staff, now = side is Side.STAFF, clock.now()
    await update_thread(
        invoice_id,
        {Thread.staff_seen_seq: newest, Thread.staff_seen_at: now}
        if is_staff
        else {Thread.customer_seen_seq: newest, Thread.customer_seen_at: now},
    )
    await live.append(invoice_id, Audience.PUBLIC, ThreadEventKind.SEEN, {"side": side})
    return True


async def resolve_thread(invoice_id: InvoiceId, clock: Clock) -> None:
    """Declare a thread resolved, until the customer writes again; Missing("thread.not_found") without comments."""
    thread = await lock_thread(invoice_id)
    if thread.resolved_at is None:
        await update_thread(invoice_id, {Thread.resolved_at: clock.now()})
        await live.append(invoice_id, Audience.PUBLIC, ThreadEventKind.RESOLVED, {})
        await emit(ThreadResolved(invoice_id=invoice_id))


async def reopen_thread(invoice_id: InvoiceId) -> None:
    """Open a resolved thread again; Missing("thread.not_found") without comments."""
    thread = await lock_thread(invoice_id)
    if thread.resolved_at is not None:
        await update_thread(invoice_id, {Thread.resolved_at: None})
        await live.append(invoice_id, Audience.PUBLIC, ThreadEventKind.REOPENED, {})
        await emit(ThreadReopened(invoice_id=invoice_id))
