"""Write comments and internal notes."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from piccolo.columns import Column

from kernel import live
from kernel.clock import Clock
from kernel.errors import Conflict, Denied
from kernel.identifiers import check_email
from kernel.ids import new_id
from kernel.jobs import enqueue
from kernel.live import Audience
from kernel.store import current_workspace, fetch_one, fetch_value
from tenants.activity.actions import emit
from tenants.comments.actions.rows import LockedThread, lock_thread, update_thread
from tenants.comments.body import check_client_id, clean_author_name, clean_body
from tenants.comments.events import CommentPosted, NotePosted, ThreadReopened
from tenants.comments.jobs import NOTIFICATION_DELAY, NotifyThread
from tenants.comments.queries import read_comment
from tenants.comments.stream import ThreadEventKind
from tenants.comments.tables import Thread
from tenants.comments.values import MAX_COMMENTS, Author, Comment, PostedComment, Side
from tenants.ids import CommentId, InvoiceId
from tenants.invoices.queries import missing_invoice
from tenants.invoices.status import InvoiceStatus

# The invoice is locked against deletion before the stream is locked: other actions lock in this order too.
_OPEN_THREAD: Final = """
WITH opened AS (
    SELECT status FROM invoice WHERE workspace_id = $1 AND invoice_id = $2 FOR KEY SHARE
), created AS (
    INSERT INTO thread (workspace_id, invoice_id, posted_at) SELECT $1, $2, $3 FROM opened
    ON CONFLICT (workspace_id, invoice_id) DO NOTHING
)
SELECT status FROM opened
"""
_FIND_POSTED: Final = """
SELECT * FROM comment WHERE workspace_id = $1 AND invoice_id = $2 AND client_id = $3
"""
_COUNT: Final = """
SELECT count(*) FROM comment WHERE workspace_id = $1 AND invoice_id = $2 AND side = 'customer'
"""
_INSERT: Final = """
INSERT INTO comment (workspace_id, comment_id, invoice_id, client_id, side, is_internal, author_name, author_email,
                     proofs, browser_hash, link_id, session_id, body, created_at, staff_seq, public_seq)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
RETURNING *
"""


async def post_comment(
    invoice_id: InvoiceId,
    author: Author,
    body: str,
    *,
    client_id: str,
    clock: Clock,
    is_internal: bool = False,
) -> PostedComment:
    """Write a comment, or an internal note of the staff; the other side of a comment gets a mail within minutes.

    With a `client_id` that is stored already, the stored comment is returned and nothing changes, whoever calls with
    whatever text. A customer's comment opens a resolved thread again.
    Missing("invoice.not_found"), Invalid (`comment.empty`, `comment.too_long`, `comment.name`, `email.invalid`,
    `comment.client_id`), Conflict (`invoice.status` for a comment on a draft, which nobody could read;
    `comment.client_id` if a customer sends the id of a note; `comment.too_many` beyond `MAX_COMMENTS` of customers),
    Denied("comment.internal") for a note of a customer.
    """
    if is_internal and author.side is not Side.STAFF:
        raise Denied("comment.internal", "Only the staff writes internal notes.")
    name, text, client_id = clean_author_name(author.name), clean_body(body), check_client_id(client_id)
    email = check_email(author.email) if author.side is Side.CUSTOMER else ""
    now = clock.now()
    await _open_thread(invoice_id, now, is_internal=is_internal)
    # Posts to one thread wait here for each other; the search is a statement of its own, because it must see what the
    # one before stored.
    thread = await lock_thread(invoice_id)
    stored = await fetch_one(_FIND_POSTED, current_workspace(), invoice_id, client_id)
    if stored is not None:
        if stored["is_internal"] and author.side is not Side.STAFF:
            raise Conflict("comment.client_id", "Another post has this id.")
        return PostedComment(read_comment(stored), is_new=False)
    if author.side is Side.CUSTOMER:
        await _require_room(invoice_id)
    comment_id = CommentId(new_id())
    place = await live.append(
        invoice_id,
        Audience.STAFF if is_internal else Audience.PUBLIC,
        ThreadEventKind.NOTE_POSTED if is_internal else ThreadEventKind.COMMENT_POSTED,
        {"comment_id": comment_id, "side": author.side},
        client_id=client_id,
    )
    row = await fetch_one(
        _INSERT,
        current_workspace(),
        comment_id,
        invoice_id,
        client_id,
        author.side.value,
        is_internal,
        name,
        email,
        sorted(proof.value for proof in author.proofs),
        author.browser_hash,
        author.link_id,
        author.session_id,
        text,
        now,
        place.staff_seq,
        place.public_seq,
    )
    comment = read_comment(row)
    await _finish(invoice_id, comment, thread)
    return PostedComment(comment, is_new=True)


async def _require_room(invoice_id: InvoiceId) -> None:
    if await fetch_value(_COUNT, current_workspace(), invoice_id) >= MAX_COMMENTS:
        message = "This conversation has become too long. Please write to the sender directly."
        raise Conflict("comment.too_many", message)


async def _open_thread(invoice_id: InvoiceId, now: dt.datetime, *, is_internal: bool) -> None:
    status = await fetch_value(_OPEN_THREAD, current_workspace(), invoice_id, now)
    if status is None:
        raise missing_invoice()
    if status == InvoiceStatus.DRAFT.value and not is_internal:
        raise Conflict("invoice.status", "Nobody can read a comment on a draft.", current=status)


async def _finish(invoice_id: InvoiceId, comment: Comment, thread: LockedThread) -> None:
    is_reopened = comment.side is Side.CUSTOMER and thread.resolved_at is not None
    values: dict[Column | str, Any] = {Thread.posted_at: comment.created_at}
    if is_reopened:
        values[Thread.resolved_at] = None
    await update_thread(invoice_id, values)
    if is_reopened:
        await live.append(invoice_id, Audience.PUBLIC, ThreadEventKind.REOPENED, {})
    if comment.is_internal:
        await emit(NotePosted(invoice_id=invoice_id, comment_id=comment.comment_id))
        return
    await _enqueue_notification(invoice_id, comment)
    proofs = tuple(sorted(proof.value for proof in comment.proofs))
    await emit(
        CommentPosted(
            invoice_id=invoice_id, comment_id=comment.comment_id, side=comment.side.value, proofs=proofs
        )
    )
    if is_reopened:
        await emit(ThreadReopened(invoice_id=invoice_id))


async def _enqueue_notification(invoice_id: InvoiceId, comment: Comment) -> None:
    side = comment.side.other
    enqueued = await enqueue(NotifyThread(invoice_id=invoice_id, side=side), delay=NOTIFICATION_DELAY)
    if enqueued.is_running:
        # It may have read the thread before this comment.
        job = NotifyThread(invoice_id=invoice_id, side=side, after_seq=comment.staff_seq)
        await enqueue(job, delay=NOTIFICATION_DELAY)
