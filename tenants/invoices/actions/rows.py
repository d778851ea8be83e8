"""The rows of an invoice: locked, inserted and updated for the actions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from piccolo.columns import Column
from piccolo.columns.combination import And

from kernel.errors import Conflict
from kernel.money import Money, find_currency
from kernel.store import current_workspace
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices.queries import missing_invoice
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.tables import Invoice, InvoiceVersion


@dataclass(frozen=True, slots=True)
class LockedInvoice:
    """An invoice whose row is locked until the unit of work ends."""

    invoice_id: InvoiceId
    customer_id: CustomerId
    status: InvoiceStatus
    number: str | None
    total: Money
    paid: Money
    held: Money
    processing: Money
    is_disputed: bool
    issue_date: dt.date | None
    due_date: dt.date | None
    version: int


async def lock_invoice(invoice_id: InvoiceId) -> LockedInvoice:
    """Lock an invoice's row and return it; Missing("invoice.not_found")."""
    row = (
        await Invoice.select(
            Invoice.customer_id,
            Invoice.status,
            Invoice.number,
            Invoice.currency,
            Invoice.total_minor,
            Invoice.paid_minor,
            Invoice.held_minor,
            Invoice.processing_minor,
            Invoice.is_disputed,
            Invoice.issue_date,
            Invoice.due_date,
            Invoice.version,
        )
        .where(_has_id(invoice_id))
        .lock_rows("UPDATE")
        .first()
    )
    if row is None:
        raise missing_invoice()
    of = find_currency(row["currency"])
    return LockedInvoice(
        invoice_id=invoice_id,
        customer_id=CustomerId(row["customer_id"]),
        status=InvoiceStatus(row["status"]),
        number=row["number"],
        total=Money(row["total_minor"], of),
        paid=Money(row["paid_minor"], of),
        held=Money(row["held_minor"], of),
        processing=Money(row["processing_minor"], of),
        is_disputed=row["is_disputed"],
        issue_date=row["issue_date"],
        due_date=row["due_date"],
        version=row["version"],
    )


async def lock_draft(invoice_id: InvoiceId) -> LockedInvoice:
    """Lock a draft and return it; Missing("invoice.not_found"), Conflict("invoice.issued")."""
    row = await lock_invoice(invoice_id)
    if row.status is not InvoiceStatus.DRAFT:
        raise Conflict("invoice.issued", "The invoice has been issued.", number=row.number)
    return row


async def update_invoice(invoice_id: InvoiceId, values: dict[Column | str, Any]) -> None:
    """Change columns of an invoice's row, which the caller has locked."""
    await Invoice.update(values).where(_has_id(invoice_id))


async def insert_version(
    invoice_id: InvoiceId, version: int, content: str, totals: str, *, now: dt.datetime, is_issued: bool
) -> None:
    """Store a version's content and totals, encoded by `encoding`; an issued one can never be changed."""
    await InvoiceVersion.insert(
        InvoiceVersion(
            workspace_id=current_workspace(),
            invoice_id=invoice_id,
            version=version,
            content=content,
            totals=totals,
            created_at=now,
            issued_at=now if is_issued else None,
        )
    )


async def update_version(invoice_id: InvoiceId, version: int, values: dict[Column | str, Any]) -> None:
    """Change columns of a version that has not been issued."""
    await InvoiceVersion.update(values).where(
        InvoiceVersion.workspace_id == current_workspace(),
        InvoiceVersion.invoice_id == invoice_id,
        InvoiceVersion.version == version,
    )


def _has_id(invoice_id: InvoiceId) -> And:
    return (Invoice.workspace_id == current_workspace()) & (Invoice.invoice_id == invoice_id)
