"""What happened in threads. Comments are personal: events hold ids, no text, name or address."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from tenants.activity.events import Event


class _ThreadEvent(Event, frozen=True, kw_only=True):
    invoice_id: UUID


class _CommentEvent(_ThreadEvent, frozen=True, kw_only=True):
    comment_id: UUID


class CommentPosted(_CommentEvent, frozen=True, kw_only=True):
    """A comment was written."""

    kind: ClassVar[str] = "comment.posted"

    side: str
    proofs: tuple[str, ...]
    """What the author had proven, in alphabetical order."""


class CommentEdited(_CommentEvent, frozen=True, kw_only=True):
    """The author changed a comment."""

    kind: ClassVar[str] = "comment.edited"


class CommentDeleted(_CommentEvent, frozen=True, kw_only=True):
    """A comment was deleted, by its author or the staff."""

    kind: ClassVar[str] = "comment.deleted"

    deleted_by: str
    """The side."""


class NotePosted(_CommentEvent, frozen=True, kw_only=True):
    """The staff wrote an internal note."""

    kind: ClassVar[str] = "note.posted"


class NoteEdited(_CommentEvent, frozen=True, kw_only=True):
    """The author changed an internal note."""

    kind: ClassVar[str] = "note.edited"


class NoteDeleted(_CommentEvent, frozen=True, kw_only=True):
    """An internal note was deleted."""

    kind: ClassVar[str] = "note.deleted"


class ThreadResolved(_ThreadEvent, frozen=True, kw_only=True):
    """The staff declared a thread resolved."""

    kind: ClassVar[str] = "thread.resolved"


class ThreadReopened(_ThreadEvent, frozen=True, kw_only=True):
    """A resolved thread was opened again: by the staff, or by a new comment of the customer."""

    kind: ClassVar[str] = "thread.reopened"


class ThreadMuted(_ThreadEvent, frozen=True, kw_only=True):
    """An address gets no more mail about the thread."""

    kind: ClassVar[str] = "thread.muted"


class ThreadUnmuted(_ThreadEvent, frozen=True, kw_only=True):
    """An address gets mail about the thread again."""

    kind: ClassVar[str] = "thread.unmuted"
