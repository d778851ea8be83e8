"""The events of threads in the realtime streams; the payloads hold ids, no text."""

from __future__ import annotations

from enum import StrEnum


class ThreadEventKind(StrEnum):
    """Kinds of stream events; those of notes are for staff only. Stored, so never renamed."""

    COMMENT_POSTED = "comment.posted"
    COMMENT_EDITED = "comment.edited"
    COMMENT_DELETED = "comment.deleted"
    NOTE_POSTED = "note.posted"
    NOTE_EDITED = "note.edited"
    NOTE_DELETED = "note.deleted"
    SEEN = "thread.seen"
    RESOLVED = "thread.resolved"
    REOPENED = "thread.reopened"
