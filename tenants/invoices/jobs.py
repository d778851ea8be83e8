"""Jobs on invoices."""

from __future__ import annotations

from typing import ClassVar, Final
from uuid import UUID

from kernel.jobs import Job

#: For renders that a client waits for.
PDF_QUEUE: Final = "pdf"
#: For prerenders, which no client waits for.
PDF_BULK_QUEUE: Final = "pdf-bulk"
PDF_QUEUES: Final = (PDF_QUEUE, PDF_BULK_QUEUE)


class RenderPdf(Job, frozen=True, kw_only=True):
    """Render and store the PDF of a version of an invoice in one locale."""

    kind: ClassVar[str] = "invoices.render_pdf"
    queue: ClassVar[str] = PDF_QUEUE
    # The first delays are short, because a client waits; all together take more than an hour, longer than most outages.
    max_attempts: ClassVar[int] = 12
    backoff_s: ClassVar[int] = 2

    invoice_id: UUID
    version: int
    locale: str
    """Of a recipient: the contact's, else the customer's, else the workspace's."""
    within_s: int = 30
    """The deadline of the render in seconds, the wait for a slot included; below the time limit."""

    def dedupe_key(self) -> str:
        """Return the version and the locale: concurrent requests for them wait for the same job."""
        return f"{self.invoice_id}/{self.version}/{self.locale}"
