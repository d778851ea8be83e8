"""Builds the values of a thread's section, and the key that the section is cached by."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from kernel.clock import find_zone
from tenants.comments.body import Link, split_links
from tenants.comments.values import EDIT_WINDOW, Comment, Side, ThreadView
from web.http.sections import mark_slot
from web.portal.thread.values import CommentModel, Part, SeenModel, ThreadModel
from web.portal.thread.words import count_comments, describe_deletion, describe_proofs

if TYPE_CHECKING:
    from kernel.ids import WorkspaceId
    from kernel.language import Language
    from kernel.live import Cursor
    from tenants.ids import CommentId, InvoiceId
    from web.http.sessions import Session

#: The slot of the form token, which all forms of the page share.
TOKEN_SLOT: Final = "form_token"  # noqa: S105  -- the name of a slot


@dataclass(frozen=True, slots=True)
class EditAttempt:
    """What somebody typed into a comment of their own, and why it was refused."""

    comment_id: CommentId
    body: str
    error: str


class ThreadKey(msgspec.Struct, frozen=True):
    """Everything that the section of a thread depends on."""

    workspace_id: WorkspaceId
    invoice_id: InvoiceId
    path: str
    cursor: Cursor | None
    locale: str
    zone: str
    staff_name: str
    own: tuple[CommentId, ...]
    editable: tuple[CommentId, ...]

    def compute_etag(self, session: Session) -> str:
        """Return the entity tag of the section for one session: its form tokens fit no other."""
        text = f"{self!r}\0{session.value}"
        return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def build_thread_model(
    key: ThreadKey, view: ThreadView, language: Language, edit_attempt: EditAttempt | None = None
) -> ThreadModel:
    """Return what the section of a thread shows to the readers of a key."""
    path = key.path
    cursor = key.cursor
    count = sum(each.deleted_at is None for each in view.comments)
    return ThreadModel(
        url=f"{path}/thread",
        seen_url=f"{path}/seen",
        epoch="" if cursor is None else str(cursor.epoch),
        seq=0 if cursor is None else cursor.seq,
        token=mark_slot(TOKEN_SLOT),
        count=count,
        link_words=count_comments(count, language),
        staff_name=key.staff_name,
        is_resolved=view.resolved_at is not None,
        seen=_find_seen(key, view, language),
        comments=tuple(
            _build_comment(each, key, language, path, edit_attempt)
            for each in view.comments
            if not each.is_internal
        ),
    )


def _build_comment(
    comment: Comment, key: ThreadKey, language: Language, path: str, edit_attempt: EditAttempt | None
) -> CommentModel:
    attempt = edit_attempt if edit_attempt and edit_attempt.comment_id == comment.comment_id else None
    # A refused edit shows its text again, also where the browser has lost what makes the comment its own.
    is_own = comment.comment_id in key.own or attempt is not None
    is_deleted = comment.deleted_at is not None
    can_edit = comment.comment_id in key.editable or attempt is not None
    mark, reason = describe_proofs(comment.proofs, language)
    action = f"{path}/comments/{comment.comment_id}"
    time_text, time_exact, time_iso = _format_moment(comment.created_at, key, language)
    return CommentModel(
        id=str(comment.comment_id),
        seq=comment.public_seq or 0,
        side=comment.side.value,
        name=comment.author_name,
        side_words=key.staff_name if comment.side is Side.STAFF else "",
        is_own=is_own,
        proof_mark=mark,
        proof_reason=reason,
        time_text=time_text,
        time_iso=time_iso,
        time_exact=time_exact,
        parts=() if is_deleted else tuple(_split_body(comment.body)),
        body=attempt.body if attempt else comment.body if can_edit else "",
        is_edited=comment.edited_at is not None,
        is_deleted=is_deleted,
        deleted_words=describe_deletion(comment, key.staff_name, language) if is_deleted else "",
        can_edit=can_edit,
        editable_until_iso=_format_iso(comment.created_at + EDIT_WINDOW),
        edit_url=f"{action}/edit",
        delete_url=f"{action}/delete",
        error=attempt.error if attempt else "",
    )


def _split_body(body: str) -> list[Part]:
    return [
        Part(each.text, each.href) if isinstance(each, Link) else Part(each.text)
        for each in split_links(body)
    ]


def _find_seen(key: ThreadKey, view: ThreadView, language: Language) -> SeenModel | None:
    """Return the mark below the newest comment of the customer's side that the staff has seen."""
    seen = [
        each
        for each in view.comments
        if each.side is Side.CUSTOMER and each.deleted_at is None and each.staff_seq <= view.staff_seen_seq
    ]
    if not seen or view.staff_seen_at is None:
        return None
    text, exact, iso = _format_moment(view.staff_seen_at, key, language)
    words = language.gettext("Seen by %(name)s") % {"name": key.staff_name}
    return SeenModel(str(seen[-1].comment_id), words, text, iso, exact)


def _format_moment(moment: dt.datetime, key: ThreadKey, language: Language) -> tuple[str, str, str]:
    """Return a moment as the page prints it, exactly and with its zone, and in ISO 8601."""
    zone = find_zone(key.zone)
    return (
        language.format_datetime(moment, zone),
        language.format_exact_datetime(moment, zone),
        _format_iso(moment),
    )


def _format_iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
