"""Rows of threads and comments, locked for the actions, always in this order: invoice, thread, comment, stream."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from piccolo.columns import Column
from piccolo.columns.combination import And

from kernel.store import current_workspace, fetch_one
from tenants.comments.queries import missing_comment, missing_thread, read_comment
from tenants.comments.tables import Comment as CommentRow
from tenants.comments.tables import Thread
from tenants.comments.values import Author, Comment, Side
from tenants.ids import CommentId, InvoiceId

_LOCK_THREAD: Final = """
SELECT staff_seen_seq, customer_seen_seq, resolved_at FROM thread
WHERE workspace_id = $1 AND invoice_id = $2 FOR NO KEY UPDATE
"""


@dataclass(frozen=True, slots=True)
class LockedThread:
    """A thread whose row is locked until the unit of work ends."""

    seen_seqs: dict[Side, int]
    resolved_at: dt.datetime | None


async def lock_thread(invoice_id: InvoiceId) -> LockedThread:
    """Lock the thread of an invoice; Missing("thread.not_found") without one: nobody has written a comment."""
    row = await fetch_one(_LOCK_THREAD, current_workspace(), invoice_id)
    if row is None:
        raise missing_thread()
    seen = {Side.STAFF: row["staff_seen_seq"], Side.CUSTOMER: row["customer_seen_seq"]}
    return LockedThread(seen, row["resolved_at"])


async def update_thread(invoice_id: InvoiceId, values: dict[Column | str, Any]) -> None:
    """Change columns of a thread, which the caller has locked."""
    await Thread.update(values).where(
        Thread.workspace_id == current_workspace(), Thread.invoice_id == invoice_id
    )


async def lock_comment(invoice_id: InvoiceId, comment_id: CommentId, author: Author) -> Comment:
    """Lock a comment that the author may know of; Missing("comment.not_found")."""
    row = (
        await CommentRow.select()
        .where(_has_id(comment_id), CommentRow.invoice_id == invoice_id)
        .lock_rows("NO KEY UPDATE")
        .first()
    )
    if row is None or (row["is_internal"] and author.side is not Side.STAFF):
        raise missing_comment()
    return read_comment(row)


async def update_comment(comment_id: CommentId, values: dict[Column | str, Any]) -> None:
    """Change columns of a comment, which the caller has locked."""
    await CommentRow.update(values).where(_has_id(comment_id))


def _has_id(comment_id: CommentId) -> And:
    return (CommentRow.workspace_id == current_workspace()) & (CommentRow.comment_id == comment_id)
