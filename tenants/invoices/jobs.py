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
#: For mails.
MAIL_QUEUE: Final = "mail"


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


class SendInvoice(Job, frozen=True, kw_only=True):
    """Send the mail with a link to an invoice to the contact that the link was issued for."""

    kind: ClassVar[str] = "invoices.send_invoice"
    queue: ClassVar[str] = MAIL_QUEUE
    # More than three hours all together: longer than most mail servers are down.
    max_attempts: ClassVar[int] = 12
    backoff_s: ClassVar[int] = 10

    link_id: UUID


class IssueFreshLinks(Job, frozen=True, kw_only=True):
    """Issue links for the address of a request, if it is a contact's, and enqueue the mail with them."""

    kind: ClassVar[str] = "invoices.issue_fresh_links"
    queue: ClassVar[str] = MAIL_QUEUE

    request_id: UUID


class SendFreshLinks(Job, frozen=True, kw_only=True):
    """Send links that were issued for one address."""

    kind: ClassVar[str] = "invoices.send_fresh_links"
    queue: ClassVar[str] = MAIL_QUEUE
    # More than three hours all together: longer than most mail servers are down.
    max_attempts: ClassVar[int] = 12
    backoff_s: ClassVar[int] = 10

    link_ids: tuple[UUID, ...]
