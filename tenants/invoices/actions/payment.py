"""Set what was paid; void invoices and write them off."""

from __future__ import annotations

import datetime as dt

from kernel.clock import Clock
from kernel.errors import Conflict, Invalid
from kernel.money import Money
from tenants.activity.actions import emit
from tenants.activity.events import find_changes
from tenants.ids import InvoiceId
from tenants.invoices.actions.rows import lock_invoice, update_invoice
from tenants.invoices.events import InvoiceVoided, InvoiceWrittenOff, PaidAmountChanged
from tenants.invoices.status import InvoiceStatus, check_transition, compute_amount_due, derive_status
from tenants.invoices.stream import append_status_changed
from tenants.invoices.tables import Invoice


async def set_paid(invoice_id: InvoiceId, paid: Money, *, clock: Clock) -> InvoiceStatus:
    """Set the amount that was paid in all, and return the status that follows from it.

    An invoice is paid when the amount reaches the total, and issued again when a refund lowers it. A void invoice
    stays void; one written off stays so until all is paid. Missing("invoice.not_found"),
    Conflict("invoice.status") for a draft, Invalid (`invoice.paid_negative`, `money.currency`).
    """
    row = await lock_invoice(invoice_id)
    if row.status is InvoiceStatus.DRAFT:
        raise Conflict("invoice.status", "A draft cannot be paid.", current=row.status.value)
    if paid < Money.zero(row.total.currency):
        raise Invalid("invoice.paid_negative", "The amount paid is never below zero.")
    status = derive_status(row.status, total=row.total, paid=paid)
    if status is not row.status:
        check_transition(row.status, status)
    changed = find_changes(
        {"paid_minor": row.paid.minor, "status": row.status.value},
        {"paid_minor": paid.minor, "status": status.value},
    )
    if changed:
        await _update(invoice_id, status, paid, clock.now())
        await append_status_changed(invoice_id, status)
        await emit(PaidAmountChanged(invoice_id=invoice_id, currency=paid.currency.code, changes=changed))
    return status


async def void(invoice_id: InvoiceId, *, clock: Clock) -> None:
    """Declare an issued invoice void, for good; its number stays assigned and its page shows the status.

    Missing("invoice.not_found"), Conflict (`invoice.status`; `invoice.has_payments`: refund them first).
    """
    row = await lock_invoice(invoice_id)
    status = check_transition(row.status, InvoiceStatus.VOID)
    if row.paid:
        message = "Payments have been made for this invoice: refund them before you void it."
        raise Conflict("invoice.has_payments", message, paid=str(row.paid))
    await _update(invoice_id, status, row.paid, clock.now())
    await append_status_changed(invoice_id, status)
    await emit(InvoiceVoided(invoice_id=invoice_id))


async def write_off(invoice_id: InvoiceId, *, clock: Clock) -> None:
    """Write off what is outstanding; payments that arrive later are still recorded.

    Missing("invoice.not_found"), Conflict("invoice.status").
    """
    row = await lock_invoice(invoice_id)
    status = check_transition(row.status, InvoiceStatus.WRITTEN_OFF)
    await _update(invoice_id, status, row.paid, clock.now())
    await append_status_changed(invoice_id, status)
    await emit(
        InvoiceWrittenOff(
            invoice_id=invoice_id,
            currency=row.total.currency.code,
            outstanding_minor=compute_amount_due(row.total, row.paid).minor,
        )
    )


async def _update(invoice_id: InvoiceId, status: InvoiceStatus, paid: Money, now: dt.datetime) -> None:
    await update_invoice(
        invoice_id,
        {Invoice.status: status.value, Invoice.paid_minor: paid.minor, Invoice.changed_at: now},
    )
