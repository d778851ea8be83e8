"""Reads of threads and comments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from kernel.errors import Missing
from kernel.live import Audience, Cursor
from kernel.store import current_workspace, fetch, fetch_one, fetch_with_custom_plan
from tenants.access.values import Proof
from tenants.comments.tables import Comment as CommentRow
from tenants.comments.tables import Thread, ThreadMute
from tenants.comments.values import Comment, Side, ThreadSummary, ThreadView
from tenants.ids import CommentId, InvoiceId
from tenants.invoices.queries import missing_invoice

_SELECT_THREAD: Final = """
SELECT s.epoch, coalesce(s.staff_head, 0) AS staff_head, coalesce(s.public_head, 0) AS public_head,
       coalesce(t.customer_seen_seq, 0) AS customer_seen_seq, t.customer_seen_at,
       coalesce(t.staff_seen_seq, 0) AS staff_seen_seq, t.staff_seen_at, t.resolved_at
FROM invoice i
LEFT JOIN live_stream s ON s.workspace_id = i.workspace_id AND s.stream_id = i.invoice_id
LEFT JOIN thread t ON t.workspace_id = i.workspace_id AND t.invoice_id = i.invoice_id
WHERE i.workspace_id = $1 AND i.invoice_id = $2
"""
# Keyset: the id breaks ties between threads of one moment. $4 and $5: the last one listed; null: from the beginning.
_LIST_THREADS: Final = """
SELECT t.invoice_id, i.number, i.buyer_name, t.posted_at, t.resolved_at, counted.comments, counted.unread
FROM thread t
CROSS JOIN LATERAL (
    SELECT number, buyer_name FROM invoice WHERE workspace_id = $1 AND invoice_id = t.invoice_id LIMIT 1
) i
CROSS JOIN LATERAL (
    SELECT count(*) AS comments, count(*) FILTER (WHERE side = 'customer' AND staff_seq > t.staff_seen_seq) AS unread
    FROM comment WHERE workspace_id = $1 AND invoice_id = t.invoice_id AND deleted_at IS NULL
) counted
WHERE t.workspace_id = $1 AND (NOT $2 OR counted.unread > 0)
  AND ($4::timestamptz IS NULL OR (t.posted_at, t.invoice_id) < ($4, $5::uuid))
ORDER BY t.posted_at DESC, t.invoice_id DESC LIMIT $3
"""
_COUNT_UNREAD: Final = """
SELECT listed.invoice_id, counted.unread
FROM unnest($2::uuid[]) listed (invoice_id)
CROSS JOIN LATERAL (
    SELECT customer_seen_seq FROM thread WHERE workspace_id = $1 AND invoice_id = listed.invoice_id LIMIT 1
) t
CROSS JOIN LATERAL (
    SELECT count(*) AS unread FROM comment
    WHERE workspace_id = $1 AND invoice_id = listed.invoice_id AND staff_seq > t.customer_seen_seq
      AND side = 'staff' AND NOT is_internal AND deleted_at IS NULL
) counted
WHERE counted.unread > 0
"""
_SELECT_UNNOTIFIED: Final = """
SELECT c.* FROM thread t
JOIN comment c ON c.workspace_id = t.workspace_id AND c.invoice_id = t.invoice_id
WHERE t.workspace_id = $1 AND t.invoice_id = $2 AND c.side <> $3 AND NOT c.is_internal AND c.deleted_at IS NULL
  AND c.staff_seq > CASE $3 WHEN 'staff' THEN greatest(t.staff_notified_seq, t.staff_seen_seq)
                            -- Several people read on this side: what one has seen is news to the others.
                            ELSE t.customer_notified_seq END
ORDER BY c.staff_seq
"""


async def load_thread(invoice_id: InvoiceId, audience: Audience) -> ThreadView:
    """Return the thread of an invoice and the cursor of its stream; Missing("invoice.not_found").

    Customers (`Audience.PUBLIC`) get no internal notes. Two statements: of one moment only in a unit of work with
    Isolation.REPEATABLE_READ.
    """
    row = await fetch_one(_SELECT_THREAD, current_workspace(), invoice_id)
    if row is None:
        raise missing_invoice()
    query = CommentRow.select().where(
        CommentRow.workspace_id == current_workspace(), CommentRow.invoice_id == invoice_id
    )
    if audience is Audience.PUBLIC:
        query = query.where(CommentRow.is_internal.eq(value=False))
    comments = await query.order_by(CommentRow.staff_seq)
    head = row["public_head"] if audience is Audience.PUBLIC else row["staff_head"]
    return ThreadView(
        cursor=None if row["epoch"] is None else Cursor(row["epoch"], head),
        comments=tuple(read_comment(each) for each in comments),
        customer_seen_seq=row["customer_seen_seq"],
        customer_seen_at=row["customer_seen_at"],
        staff_seen_seq=row["staff_seen_seq"],
        staff_seen_at=row["staff_seen_at"],
        resolved_at=row["resolved_at"],
    )


async def load_comment(invoice_id: InvoiceId, comment_id: CommentId, audience: Audience) -> Comment:
    """Return a comment; Missing("comment.not_found"), also for a note where the audience is customers."""
    row = (
        await CommentRow.select()
        .where(
            CommentRow.workspace_id == current_workspace(),
            CommentRow.comment_id == comment_id,
            CommentRow.invoice_id == invoice_id,
        )
        .first()
    )
    if row is None or (audience is Audience.PUBLIC and row["is_internal"]):
        raise missing_comment()
    return read_comment(row)


async def find_posted(invoice_id: InvoiceId, client_id: str) -> Comment | None:
    """Return the customer's comment that a post with this id of its client has stored; None if there is none."""
    row = (
        await CommentRow.select()
        .where(
            CommentRow.workspace_id == current_workspace(),
            CommentRow.invoice_id == invoice_id,
            CommentRow.client_id == client_id,
            CommentRow.side == Side.CUSTOMER.value,
        )
        .first()
    )
    return None if row is None else read_comment(row)


async def list_threads(
    *, unread_only: bool = False, limit: int = 100, after: InvoiceId | None = None
) -> tuple[ThreadSummary, ...]:
    """Return threads for the staff, that with the newest comment first, from the one after `after`.

    `comments` counts notes too, but nothing that was deleted. Missing("thread.not_found") if `after` has none.
    """
    posted_at = None if after is None else await _load_posted_at(after)
    rows = await fetch_with_custom_plan(
        _LIST_THREADS, current_workspace(), unread_only, limit, posted_at, after
    )
    return tuple(
        ThreadSummary(
            invoice_id=InvoiceId(row["invoice_id"]),
            number=row["number"],
            customer_name=row["buyer_name"],
            posted_at=row["posted_at"],
            comments=row["comments"],
            unread=row["unread"],
            resolved_at=row["resolved_at"],
        )
        for row in rows
    )


async def count_unread_for_customer(invoice_ids: Sequence[InvoiceId]) -> dict[InvoiceId, int]:
    """Return how many comments of the staff the customer has not seen, of the invoices that have any."""
    rows = await fetch(_COUNT_UNREAD, current_workspace(), list(invoice_ids))
    return {InvoiceId(row["invoice_id"]): row["unread"] for row in rows}


async def load_unnotified(invoice_id: InvoiceId, side: Side) -> tuple[Comment, ...]:
    """Return the comments that one side has neither seen nor been notified of, the oldest first; no notes."""
    rows = await fetch(_SELECT_UNNOTIFIED, current_workspace(), invoice_id, side.value)
    return tuple(read_comment(row) for row in rows)


async def list_muted(invoice_id: InvoiceId) -> frozenset[str]:
    """Return the addresses that get no mail about an invoice's comments."""
    rows = await ThreadMute.select(ThreadMute.email).where(
        ThreadMute.workspace_id == current_workspace(), ThreadMute.invoice_id == invoice_id
    )
    return frozenset(row["email"] for row in rows)


async def _load_posted_at(invoice_id: InvoiceId) -> dt.datetime:
    row = (
        await Thread.select(Thread.posted_at)
        .where(Thread.workspace_id == current_workspace(), Thread.invoice_id == invoice_id)
        .first()
    )
    if row is None:
        raise missing_thread()
    posted_at: dt.datetime = row["posted_at"]
    return posted_at


def read_comment(row: Any) -> Comment:
    """Return the value of a row of comment."""
    deleted_by = row["deleted_by"]
    return Comment(
        comment_id=CommentId(row["comment_id"]),
        side=Side(row["side"]),
        is_internal=row["is_internal"],
        author_name=row["author_name"],
        author_email=row["author_email"],
        proofs=frozenset(Proof(proof) for proof in row["proofs"]),
        body=row["body"],
        created_at=row["created_at"],
        edited_at=row["edited_at"],
        deleted_at=row["deleted_at"],
        deleted_by=None if deleted_by is None else Side(deleted_by),
        staff_seq=row["staff_seq"],
        public_seq=row["public_seq"],
        browser_hash=row["browser_hash"],
    )


def missing_comment() -> Missing:
    """Return the error for a comment that does not exist, or that the reader may not know of."""
    return Missing("comment.not_found", "There is no such comment.")


def missing_thread() -> Missing:
    """Return the error for an invoice on which nobody has written a comment."""
    return Missing("thread.not_found", "The invoice has no comments.")
