"""Reads of invoices by id, number and page; their stored PDFs, their links, the series of numbers."""

from __future__ import annotations

from typing import Any, Final

from piccolo.columns.combination import Where

from kernel.errors import Missing
from kernel.money import Money, find_currency
from kernel.store import current_workspace, fetch, fetch_one
from kernel.text import clean_identifier
from tenants.ids import ContactId, CustomerId, InvoiceId, LinkId
from tenants.invoices.encoding import decode_content, decode_totals
from tenants.invoices.numbering import Series, SeriesStatus, write_number
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.tables import Invoice
from tenants.invoices.values import (
    InvoiceSummary,
    InvoiceVersion,
    LinkState,
    LinkSummary,
    Pdf,
    PdfSource,
)
from tenants.workspaces.authority import WriteAuthority, read_authority

_SELECT_VERSION: Final = """
SELECT v.content, v.totals, i.number
FROM invoice_version v
JOIN invoice i ON i.workspace_id = v.workspace_id AND i.invoice_id = v.invoice_id
WHERE v.workspace_id = $1 AND v.invoice_id = $2 AND v.version = $3
"""
# Each request for a PDF reads this: Piccolo would take some 0.3 ms to build it.
_SELECT_PDF: Final = """
SELECT sha256, bytes, pinned FROM invoice_pdf
WHERE workspace_id = $1 AND invoice_id = $2 AND version = $3 AND locale = $4 AND (pinned OR fingerprint = $5)
ORDER BY pinned DESC LIMIT 1
"""
_SELECT_PDF_SOURCE: Final = """
SELECT v.content, v.totals, i.number, v.issued_at IS NOT NULL AS is_issued,
       coalesce(v.issued_at, v.created_at) AS created_at
FROM invoice_version v
JOIN invoice i ON i.workspace_id = v.workspace_id AND i.invoice_id = v.invoice_id
WHERE v.workspace_id = $1 AND v.invoice_id = $2 AND v.version = $3
"""
_SUMMARY_COLUMNS: Final = (
    Invoice.invoice_id,
    Invoice.customer_id,
    Invoice.buyer_name,
    Invoice.number,
    Invoice.status,
    Invoice.currency,
    Invoice.total_minor,
    Invoice.paid_minor,
    Invoice.held_minor,
    Invoice.processing_minor,
    Invoice.is_disputed,
    Invoice.issue_date,
    Invoice.due_date,
    Invoice.version,
    Invoice.created_at,
)
# Keyset: newest first, the id breaks ties. Only a comparison of rows is a condition of the index: an OR is a filter,
# which reads all pages before. Piccolo cannot compare rows.
_SELECT_OLDER: Final = """
SELECT invoice_id, customer_id, buyer_name, number, status, currency, total_minor, paid_minor, held_minor,
       processing_minor, is_disputed, issue_date, due_date, version, created_at
FROM invoice WHERE workspace_id = $1 AND (created_at, invoice_id) < ($3, $4)
ORDER BY created_at DESC, invoice_id DESC LIMIT $2
"""
_SELECT_LINKS: Final = """
SELECT l.link_id, l.invoice_id, l.contact_id, coalesce(k.email, '') AS recipient, l.created_at, l.expires_at,
       l.last_shown_at, l.revoked_at,
       CASE WHEN l.revoked_at IS NOT NULL THEN 'revoked' WHEN l.expires_at <= now() THEN 'expired'
            ELSE 'open' END AS state
FROM link l
LEFT JOIN contact k ON k.workspace_id = l.workspace_id AND k.contact_id = l.contact_id
WHERE l.workspace_id = $1 AND l.invoice_id = $2
ORDER BY l.created_at, l.link_id
"""
_SELECT_SERIES: Final = """
SELECT series, prefix, digits, first_free_number(workspace_id, prefix, digits, next_number) AS sequence
FROM number_series WHERE workspace_id = $1 ORDER BY series
"""

_SELECT_EFFECTIVE_AUTHORITY: Final = """
SELECT coalesce(i.write_mode, c.write_mode, w.write_mode) AS write_mode,
       coalesce(i.write_totp, c.write_totp, w.write_totp) AS write_totp,
       coalesce(i.otp_policy, c.otp_policy, w.otp_policy) AS otp_policy
FROM invoice i
JOIN customer c ON c.workspace_id = i.workspace_id AND c.customer_id = i.customer_id
JOIN workspace w ON w.workspace_id = i.workspace_id
WHERE i.workspace_id = $1 AND i.invoice_id = $2
"""


async def load_version(invoice_id: InvoiceId, version: int) -> InvoiceVersion:
    """Return a version; Missing("invoice.not_found").

    An issued version never changes, so that it can be cached for good by (invoice_id, version).
    """
    row = await fetch_one(_SELECT_VERSION, current_workspace(), invoice_id, version)
    if row is None:
        raise missing_invoice()
    return InvoiceVersion(decode_content(row["content"]), decode_totals(row["totals"]), row["number"])


async def find_pdf(invoice_id: InvoiceId, version: int, locale: str, fingerprint: bytes = b"") -> Pdf | None:
    """Return the pinned PDF of a version in a locale, else the one with this fingerprint, else None."""
    workspace_id = current_workspace()
    row = await fetch_one(_SELECT_PDF, workspace_id, invoice_id, version, locale, fingerprint)
    return None if row is None else Pdf(workspace_id, row["sha256"], row["bytes"], row["pinned"])


async def load_pdf_source(invoice_id: InvoiceId, version: int) -> PdfSource:
    """Return what the PDF of a version is rendered from; Missing("invoice.not_found")."""
    row = await fetch_one(_SELECT_PDF_SOURCE, current_workspace(), invoice_id, version)
    if row is None:
        raise missing_invoice()
    return PdfSource(
        content=decode_content(row["content"]),
        totals=decode_totals(row["totals"]),
        number=row["number"],
        is_issued=row["is_issued"],
        created_at=row["created_at"],
        hash_input="\0".join((row["content"], row["totals"], row["number"] or "")).encode(),
    )


async def load_invoice(invoice_id: InvoiceId) -> InvoiceSummary:
    """Return an invoice; Missing("invoice.not_found")."""
    return await _load(Invoice.invoice_id == invoice_id)


async def load_invoice_by_number(number: str) -> InvoiceSummary:
    """Return an issued invoice by its number; Missing("invoice.not_found")."""
    return await _load(Invoice.number == clean_identifier(number))


async def list_invoices(*, limit: int = 100, after: InvoiceId | None = None) -> tuple[InvoiceSummary, ...]:
    """Return invoices, newest first, from the one after `after`; Missing("invoice.not_found") for that one."""
    workspace_id = current_workspace()
    if after is None:
        rows = (
            await Invoice.select(*_SUMMARY_COLUMNS)
            .where(Invoice.workspace_id == workspace_id)
            .order_by(Invoice.created_at, Invoice.invoice_id, ascending=False)
            .limit(limit)
        )
    else:
        last = await load_invoice(after)
        rows = await fetch(_SELECT_OLDER, workspace_id, limit, last.created_at, after)
    return tuple(read_summary(row) for row in rows)


async def list_links(invoice_id: InvoiceId) -> tuple[LinkSummary, ...]:
    """Return the links of an invoice, oldest first, without their tokens; none for an unknown invoice."""
    return tuple(_read_link(row) for row in await fetch(_SELECT_LINKS, current_workspace(), invoice_id))


async def load_write_authority(invoice_id: InvoiceId) -> WriteAuthority | None:
    """Return an invoice's own setting of who may write comments, None without; Missing("invoice.not_found")."""
    row = (
        await Invoice.select(Invoice.write_mode, Invoice.write_totp, Invoice.otp_policy)
        .where(Invoice.workspace_id == current_workspace(), Invoice.invoice_id == invoice_id)
        .first()
    )
    if row is None:
        raise missing_invoice()
    return read_authority(row)


async def load_effective_authority(invoice_id: InvoiceId) -> WriteAuthority:
    """Return who may write comments: the invoice's setting, else the customer's, else the workspace's.

    Missing("invoice.not_found").
    """
    row = await fetch_one(_SELECT_EFFECTIVE_AUTHORITY, current_workspace(), invoice_id)
    authority = None if row is None else read_authority(row)
    if authority is None:
        raise missing_invoice()
    return authority


async def list_series() -> tuple[SeriesStatus, ...]:
    """Return the workspace's series by name; a series exists once it was set or has issued a number."""
    return tuple(
        SeriesStatus(
            Series(row["series"], row["prefix"], row["digits"]),
            write_number(row["prefix"], row["digits"], row["sequence"]),
        )
        for row in await fetch(_SELECT_SERIES, current_workspace())
    )


def missing_invoice() -> Missing:
    """Return the error for an invoice that does not exist, or belongs to another workspace."""
    return Missing("invoice.not_found", "There is no such invoice.")


async def _load(condition: Where) -> InvoiceSummary:
    row = (
        await Invoice.select(*_SUMMARY_COLUMNS)
        .where(Invoice.workspace_id == current_workspace(), condition)
        .first()
    )
    if row is None:
        raise missing_invoice()
    return read_summary(row)


def read_summary(row: Any) -> InvoiceSummary:
    """Return the value of a row with the columns of a summary."""
    """Return the value of a row with the columns of an invoice in a list."""
    of = find_currency(row["currency"])
    return InvoiceSummary(
        invoice_id=InvoiceId(row["invoice_id"]),
        customer_id=CustomerId(row["customer_id"]),
        customer_name=row["buyer_name"],
        number=row["number"],
        status=InvoiceStatus(row["status"]),
        total=Money(row["total_minor"], of),
        paid=Money(row["paid_minor"], of),
        held=Money(row["held_minor"], of),
        processing=Money(row["processing_minor"], of),
        is_disputed=row["is_disputed"],
        issue_date=row["issue_date"],
        due_date=row["due_date"],
        version=row["version"],
        created_at=row["created_at"],
    )


def _read_link(row: Any) -> LinkSummary:
    contact_id = row["contact_id"]
    return LinkSummary(
        link_id=LinkId(row["link_id"]),
        invoice_id=InvoiceId(row["invoice_id"]),
        contact_id=None if contact_id is None else ContactId(contact_id),
        recipient=row["recipient"],
        state=LinkState(row["state"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_shown_at=row["last_shown_at"],
        revoked_at=row["revoked_at"],
    )
