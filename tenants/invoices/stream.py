"""The events of invoices in the realtime streams: an invoice's stream has its id. The payloads hold no text."""

from __future__ import annotations

from enum import StrEnum

from kernel import live
from kernel.live import Audience
from tenants.ids import InvoiceId
from tenants.invoices.status import InvoiceStatus


class InvoiceEventKind(StrEnum):
    """Kinds of stream events; views are for staff only. Stored, so never renamed."""

    VERSION_ADDED = "invoice.version_added"
    STATUS_CHANGED = "invoice.status_changed"
    PDF_READY = "pdf.ready"
    VIEWED = "invoice.viewed"


async def append_version_added(invoice_id: InvoiceId, version: int) -> None:
    """Tell the readers of an invoice that it has a new version."""
    await live.append(invoice_id, Audience.PUBLIC, InvoiceEventKind.VERSION_ADDED, {"version": version})


async def append_status_changed(invoice_id: InvoiceId, status: InvoiceStatus) -> None:
    """Tell the readers of an invoice that its status has changed."""
    await live.append(invoice_id, Audience.PUBLIC, InvoiceEventKind.STATUS_CHANGED, {"status": status})


async def append_pdf_ready(invoice_id: InvoiceId, version: int, locale: str) -> None:
    """Tell the readers of an invoice that the PDF of a version can be downloaded in a locale."""
    payload = {"version": version, "locale": locale}
    await live.append(invoice_id, Audience.PUBLIC, InvoiceEventKind.PDF_READY, payload)
