"""Jobs on threads."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar, Final
from uuid import UUID

from kernel.jobs import Job
from tenants.comments.values import Side
from tenants.invoices.jobs import MAIL_QUEUE

#: New comments are collected for so long before one mail reports them.
NOTIFICATION_DELAY: Final = dt.timedelta(minutes=2)


class NotifyThread(Job, frozen=True, kw_only=True):
    """Enqueue the mails about the comments that one side has not been notified of (`queries.load_unnotified`)."""

    kind: ClassVar[str] = "comments.notify_thread"
    queue: ClassVar[str] = MAIL_QUEUE

    invoice_id: UUID
    side: Side
    """The side that gets the mail: not the authors'."""
    after_seq: int = 0
    """Set while another such job is running, which may have read the thread already: not the same job."""

    def dedupe_key(self) -> str:
        """Return invoice and side: comments of two minutes share one mail."""
        key = f"{self.invoice_id}/{self.side.value}"
        return f"{key}/{self.after_seq}" if self.after_seq else key


class SendComments(Job, frozen=True, kw_only=True):
    """Send one recipient the mail about new comments, unless the thread was muted meanwhile."""

    kind: ClassVar[str] = "comments.send_comments"
    queue: ClassVar[str] = MAIL_QUEUE
    # More than three hours all together: longer than most mail servers are down.
    max_attempts: ClassVar[int] = 12
    backoff_s: ClassVar[int] = 10

    invoice_id: UUID
    side: Side
    """That of the recipient."""
    comment_ids: tuple[UUID, ...]
    email: str
