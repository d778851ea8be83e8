"""What must happen later to invoices."""

from __future__ import annotations

from typing import ClassVar, Final
from uuid import UUID

from kernel.jobs import Job

#: Where a render waits while somebody waits for it.
PDF_QUEUE: Final = "pdf"
#: Where it waits while nobody has asked yet.
PDF_BULK_QUEUE: Final = "pdf-bulk"
PDF_QUEUES: Final = (PDF_QUEUE, PDF_BULK_QUEUE)


class RenderVersion(Job, frozen=True, kw_only=True):
    """A version of an invoice is to be there as a PDF, in one language."""

    kind: ClassVar[str] = "invoices.render_version"
    queue: ClassVar[str] = PDF_QUEUE
    # Short pauses for who waits, and more than an hour until the last attempt: longer than most outages.
    max_attempts: ClassVar[int] = 12
    backoff_s: ClassVar[int] = 2

    invoice_id: UUID
    version: int
    locale: str
    """Resolved: the customer's, else the workspace's."""
    within_s: int = 30
    """The deadline of printing, in seconds, waiting for the press included; below the time limit."""

    def dedupe_key(self) -> str:
        """Return the version and the language: whoever asks for them waits for the same print."""
        return f"{self.invoice_id}/{self.version}/{self.locale}"
