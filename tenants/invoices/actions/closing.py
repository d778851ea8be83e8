"""Void invoices and write them off; lock the invoice that a payment is for."""

from __future__ import annotations

from kernel.clock import Clock
from kernel.errors import Conflict
from tenants.activity.actions import emit
from tenants.ids import InvoiceId
from tenants.invoices.actions.rows import LockedInvoice, lock_invoice, update_invoice
from tenants.invoices.events import InvoiceVoided, InvoiceWrittenOff
from tenants.invoices.status import InvoiceStatus, check_transition, compute_amount_due
from tenants.invoices.stream import append_status_changed
from tenants.invoices.tables import Invoice


async def void(invoice_id: InvoiceId, *, clock: Clock) -> None:
    """Declare an issued invoice void, for good; its number stays assigned and its page shows the status.

    Missing("invoice.not_found"), Conflict (`invoice.status`; `invoice.has_payments`: refund them first;
    `invoice.payment_under_way`: `payments.actions.void_invoice` cancels what can be cancelled).
    """
    row = await lock_invoice(invoice_id)
    status = check_transition(row.status, InvoiceStatus.VOID)
    if row.paid:
        message = "Payments have been made for this invoice: refund them before you void it."
        raise Conflict("invoice.has_payments", message, paid=str(row.paid))
    require_nothing_held(row)
    await update_invoice(invoice_id, {Invoice.status: status.value, Invoice.changed_at: clock.now()})
    await append_status_changed(invoice_id, status)
    await emit(InvoiceVoided(invoice_id=invoice_id))


async def write_off(invoice_id: InvoiceId, *, clock: Clock) -> None:
    """Write off what is outstanding; payments that arrive later are still recorded.

    Missing("invoice.not_found"), Conflict (`invoice.status`, `invoice.paid`, `invoice.payment_under_way`).
    """
    row = await lock_invoice(invoice_id)
    status = check_transition(row.status, InvoiceStatus.WRITTEN_OFF)
    outstanding = compute_amount_due(row.total, row.paid)
    if row.paid and not outstanding:
        raise Conflict("invoice.paid", "The invoice is paid: nothing is left to write off.")
    require_nothing_held(row)
    await update_invoice(invoice_id, {Invoice.status: status.value, Invoice.changed_at: clock.now()})
    await append_status_changed(invoice_id, status)
    await emit(
        InvoiceWrittenOff(
            invoice_id=invoice_id,
            currency=row.total.currency.code,
            outstanding_minor=outstanding.minor,
        )
    )


def require_nothing_held(row: LockedInvoice) -> None:
    """Raise Conflict("invoice.payment_under_way") while a payment of the invoice is under way."""
    if row.held:
        message = "A payment of this invoice is under way: cancel it first, or wait for its result."
        raise Conflict("invoice.payment_under_way", message, held=str(row.held))
