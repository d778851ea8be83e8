"""The row of an invoice under its lock, and what several intentions write into it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from kernel.errors import Conflict
from kernel.money import Money, currency
from kernel.store import current_workspace, execute, fetch_one
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices.content import Content
from tenants.invoices.queries import no_invoice
from tenants.invoices.snapshot import encode_content, encode_totals
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.totals import Totals

_LOCK: Final = """
SELECT customer_id, status, number, currency, total_minor, paid_minor, issue_date, due_date, version
FROM invoice WHERE workspace_id = $1 AND invoice_id = $2 FOR UPDATE
"""
_ADD_VERSION: Final = """
INSERT INTO invoice_version (workspace_id, invoice_id, version, content, totals, created_at, issued_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


@dataclass(frozen=True, slots=True)
class LockedInvoice:
    """An invoice that nobody else changes until the unit of work ends."""

    invoice_id: InvoiceId
    customer_id: CustomerId
    status: InvoiceStatus
    number: str | None
    total: Money
    paid: Money
    issue_date: dt.date | None
    due_date: dt.date | None
    version: int


async def locked(invoice_id: InvoiceId) -> LockedInvoice:
    """Lock an invoice's row and return it; Missing("invoice.not_found")."""
    row = await fetch_one(_LOCK, current_workspace(), invoice_id)
    if row is None:
        raise no_invoice()
    of = currency(row["currency"])
    return LockedInvoice(
        invoice_id=invoice_id,
        customer_id=CustomerId(row["customer_id"]),
        status=InvoiceStatus(row["status"]),
        number=row["number"],
        total=Money(row["total_minor"], of),
        paid=Money(row["paid_minor"], of),
        issue_date=row["issue_date"],
        due_date=row["due_date"],
        version=row["version"],
    )


async def locked_draft(invoice_id: InvoiceId) -> LockedInvoice:
    """Lock a draft and return it; Missing("invoice.not_found"), Conflict("invoice.issued")."""
    row = await locked(invoice_id)
    if row.status is not InvoiceStatus.DRAFT:
        raise Conflict("invoice.issued", "The invoice has been issued.", number=row.number)
    return row


async def add_version(
    invoice_id: InvoiceId,
    version: int,
    content: Content,
    totals: Totals,
    *,
    now: dt.datetime,
    issued: bool,
) -> None:
    """Store what a version says; an issued one can never be changed again. Invalid("invoice.text")."""
    encoded = encode_content(content), encode_totals(totals)
    await add_encoded_version(invoice_id, version, *encoded, now=now, issued=issued)


async def add_encoded_version(
    invoice_id: InvoiceId, version: int, content: str, totals: str, *, now: dt.datetime, issued: bool
) -> None:
    """Store what a version says, as `snapshot` encodes it."""
    issued_at = now if issued else None
    await execute(_ADD_VERSION, current_workspace(), invoice_id, version, content, totals, now, issued_at)


def settled(current: InvoiceStatus, *, total: Money, paid: Money) -> InvoiceStatus:
    """Return the status that payments of `paid` in all lead to.

    What is void stays void whatever arrives; what was written off stays so until all has arrived. An
    invoice that asks for nothing is not paid by nothing: it stays issued, so that it can be void.
    """
    if current in {InvoiceStatus.VOID, InvoiceStatus.DRAFT}:
        return current
    if paid and paid >= total:
        return InvoiceStatus.PAID
    return current if current is InvoiceStatus.WRITTEN_OFF else InvoiceStatus.ISSUED
