"""Change and delete comments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from piccolo.columns import Column

from kernel import live
from kernel.clock import Clock
from kernel.errors import Conflict, Denied
from kernel.live import Audience
from tenants.activity.actions import emit
from tenants.comments.actions.rows import lock_comment, update_comment
from tenants.comments.body import clean_body
from tenants.comments.events import CommentDeleted, CommentEdited, NoteDeleted, NoteEdited
from tenants.comments.ownership import is_editable, is_own
from tenants.comments.stream import ThreadEventKind
from tenants.comments.tables import Comment as CommentRow
from tenants.comments.values import Author, Comment, Side
from tenants.ids import CommentId, InvoiceId


async def edit_comment(
    invoice_id: InvoiceId, comment_id: CommentId, author: Author, body: str, clock: Clock
) -> Comment:
    """Replace the text of one's own comment, within 5 minutes; the same text changes nothing.

    Missing("comment.not_found"), Denied("comment.not_own"), Conflict (`comment.deleted`, `comment.edit_window`),
    Invalid (`comment.empty`, `comment.too_long`).
    """
    text, now = clean_body(body), clock.now()
    comment = await lock_comment(invoice_id, comment_id, author)
    if not is_own(comment, author):
        raise Denied("comment.not_own", "Only its author can change a comment.")
    if comment.deleted_at is not None:
        raise Conflict("comment.deleted", "The comment has been deleted.")
    if text == comment.body:
        return comment
    if not is_editable(comment, now):
        raise Conflict("comment.edit_window", "A comment can be changed for 5 minutes.")
    kind = ThreadEventKind.NOTE_EDITED if comment.is_internal else ThreadEventKind.COMMENT_EDITED
    values: dict[Column | str, Any] = {CommentRow.body: text, CommentRow.edited_at: now}
    await _update(invoice_id, comment, values, kind)
    event = NoteEdited if comment.is_internal else CommentEdited
    await emit(event(invoice_id=invoice_id, comment_id=comment_id))
    return replace(comment, body=text, edited_at=now)


async def delete_comment(
    invoice_id: InvoiceId, comment_id: CommentId, author: Author, clock: Clock
) -> Comment:
    """Delete the text of a comment: its author at any time, and the staff any comment; who wrote it, and when, stays.

    A comment that is deleted already stays as it is. Missing("comment.not_found"), Denied("comment.not_own").
    """
    comment, now = await lock_comment(invoice_id, comment_id, author), clock.now()
    if author.side is not Side.STAFF and not is_own(comment, author):
        raise Denied("comment.not_own", "Only its author can delete a comment.")
    if comment.deleted_at is not None:
        return comment
    kind = ThreadEventKind.NOTE_DELETED if comment.is_internal else ThreadEventKind.COMMENT_DELETED
    values: dict[Column | str, Any] = {
        CommentRow.body: "",
        CommentRow.deleted_at: now,
        CommentRow.deleted_by: author.side.value,
    }
    await _update(invoice_id, comment, values, kind)
    if comment.is_internal:
        await emit(NoteDeleted(invoice_id=invoice_id, comment_id=comment_id))
    else:
        await emit(CommentDeleted(invoice_id=invoice_id, comment_id=comment_id, deleted_by=author.side.value))
    return replace(comment, body="", deleted_at=now, deleted_by=author.side)


async def _update(
    invoice_id: InvoiceId, comment: Comment, values: dict[Column | str, Any], kind: ThreadEventKind
) -> None:
    await update_comment(comment.comment_id, values)
    audience = Audience.STAFF if comment.is_internal else Audience.PUBLIC
    await live.append(invoice_id, audience, kind, {"comment_id": comment.comment_id})
